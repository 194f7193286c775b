"""The paper as it is printed, what its released code computes, and where these and patlib differ.

``published`` holds Tables 1-3, ``beside_ours`` sets our records next to them, ``released`` computes what the released
code does, ``deviations`` has one executable check a difference. It may use everything but the command line.
"""

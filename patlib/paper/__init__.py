"""The paper as it is printed, what its released code computes, and where these and patlib differ.

``published`` holds Tables 1-3, and ``beside_ours`` sets our records next to them. ``released`` computes what the
released code does, and ``deviations`` has an executable check for each difference. This room may import all others but
the command line.
"""

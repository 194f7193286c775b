"""Many runs: grids and studies, where and how they are run, and the tables and statistics of their records.

A grid or a study is data (``grids``, ``studies``). ``cell`` makes one run under a lock; ``runner``, ``cluster`` and
``queue`` make many. ``tables`` and ``statistics`` read records. Nothing here knows the paper's numbers, and of the
notebooks only the one that is a run's ``report``.
"""

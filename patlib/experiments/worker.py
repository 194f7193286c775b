"""A process that makes one run of a queue: ``python -m patlib.experiments.worker CONFIG RUNS NICE``.

Its standard input is a pipe from the queue. When the queue ends, the pipe closes, and the process ends. Its exit status
says how the run ended, and what it prints says why.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from patlib.parent import stop_with_parent

DONE, FAILED, NO_DATA, BUSY = 0, 1, 66, 75
"""Exit statuses: the record is there; the run failed; its dataset is not here; another process runs it."""


def main(config_json: str, runs: str, nice: str) -> int:
    """Make the run; returns the exit status."""
    stop_with_parent()
    if hasattr(os, "nice"):
        os.nice(int(nice))
    # These imports take seconds, during which this process should already give way to others and end with its parent.
    from patlib.datasets import DataError
    from patlib.experiments.cell import run_cell
    from patlib.experiments.runner import plain_cell
    from patlib.trainer import open_dataset
    from patlib.trainer.config import RunConfig

    config = RunConfig.model_validate_json(config_json)
    try:
        open_dataset(config, progress=False)
    except (DataError, OSError) as error:
        print(error)
        return NO_DATA
    outcome = run_cell(plain_cell, config, Path(runs), lambda name: None)
    print(outcome.error)
    return {"done": DONE, "there": DONE, "busy": BUSY, "failed": FAILED}[outcome.state]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

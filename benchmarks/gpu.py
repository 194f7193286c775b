"""The benchmarks that have no file for this machine yet, then runs of the studies, for as long as a budget lasts.

    make gpu MINUTES=60        # or: python benchmarks/gpu.py --minutes 60

Needs no network, and one GPU or several; without a GPU it runs the studies' laptop scale. What has a record is not run
again, and what was stopped goes on. Weights stay in ``runs/``; records go to ``book/results/``, ready to be committed.
PATLIB_DATA names the folder of the datasets. ``patlib study run`` does the second half alone, with more options.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from measuring import device_name

from patlib.experiments.queue import run_queue
from patlib.experiments.studies import queue

BENCHMARKS = {"loss": "benchmarks/loss-{device}.json", "trainer": "benchmarks/trainer-{device}.json",
              "cost": "cost/{device}.json"}  # fmt: skip
"""Scripts beside this one, and the file each leaves."""


def run_benchmarks(device: torch.device, records: Path, deadline: float) -> int:
    """Run those whose file is not there for this device, while there is time; returns how many failed."""
    failures = 0
    for name, file in BENCHMARKS.items():
        path = records / file.format(device=device_name(device))
        if not path.exists() and time.monotonic() < deadline:
            print(f"benchmark {name}", flush=True)
            script = Path(__file__).with_name(f"{name}.py")
            ended = subprocess.run([sys.executable, script, "--device", device.type, "--out", path.parent])
            if ended.returncode:
                print(f"benchmark {name} failed with exit status {ended.returncode}")
                failures += 1
    return failures


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Benchmarks and runs of the studies, for as long as a budget lasts.")
    parser.add_argument("--minutes", type=float, default=60.0, help="budget of time (default: 60)")
    parser.add_argument("--runs", type=Path, default=Path("runs/studies"), help="folder of the runs, with weights")
    parser.add_argument("--records", type=Path, default=Path("book/results"), help="folder of the records")
    given = parser.parse_args(arguments)
    if given.minutes <= 0:
        parser.error(f"--minutes must be above 0, got {given.minutes:g}")
    deadline = time.monotonic() + 60 * given.minutes
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    failures = run_benchmarks(device, given.records, deadline)
    left = (deadline - time.monotonic()) / 60
    if left > 0:
        configs = [config for _, config in queue("full" if device.type == "cuda" else "laptop")]
        result = run_queue(configs, given.runs, given.records, left, max(1, torch.cuda.device_count()))
        failures += len(result.failed)
        print(result)
    if failures:
        sys.exit(1)


if __name__ == "__main__":
    main()

"""What it costs to run a cell of a grid beyond the cell itself: locks, records, and on a cluster its scheduling.

    python benchmarks/grid.py [--cells N] [--out book/results/benchmarks/grid.json]

The cells do nothing but leave a record. Measured is the time from one record to the next, of all cells together: one
after another in this process, on a local cluster of two workers, and by two drivers at once in one folder, each in its
own process. Starting the cluster and the drivers is not part of it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import statistics
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

from tqdm import tqdm

from patlib.experiments import runner
from patlib.files import write_json
from patlib.trainer.config import RunConfig

WORKERS = 2
LIMIT = 50.0  # milliseconds a cell that a grid may cost


def leave_record(config: RunConfig, folder: Path) -> None:
    """The whole of a cell."""
    (folder / config.run_path / "record.json").write_text("{}")


def drive(folder: Path, cells: int, workers: int | None = None, barrier: Any = None) -> None:
    """Run the cells in ``folder``, when every other party to ``barrier`` has come as far."""
    configs = [RunConfig(seed=seed, accelerator="cpu") for seed in range(cells)]
    if barrier is not None:
        barrier.wait()
    failures = runner.run_grid(configs, folder, False, leave_record, workers)
    assert not failures, failures[0]


def two_drivers(folder: Path, cells: int) -> None:
    """Two processes that drive the same cells at once."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    drivers = [context.Process(target=drive, args=(folder, cells, None, barrier)) for _ in range(2)]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join()
        assert driver.exitcode == 0, "a driver failed"


WAYS: dict[str, Callable[[Path, int], None]] = {
    "in_process": drive,
    "local_cluster": lambda folder, cells: drive(folder, cells, WORKERS),
    "two_drivers": two_drivers,
}


def measure(run: Callable[[Path, int], None], cells: int) -> dict[str, float]:
    """Milliseconds from one record to the next: quartiles and mean."""
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), cells)
        written = sorted(path.stat().st_mtime_ns for path in Path(folder).rglob("record.json"))
    assert len(written) == cells, f"{len(written)} records of {cells} cells"
    gaps = [(after - before) / 1e6 for before, after in pairwise(written)]
    low, middle, high = statistics.quantiles(gaps, n=4, method="inclusive")
    return {"median": middle, "q1": low, "q3": high, "mean": statistics.fmean(gaps)}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure what running a cell of a grid costs beyond the cell.")
    parser.add_argument("--cells", type=int, default=1000, help="at least 3 (default: 1000)")
    parser.add_argument("--out", type=Path, default=Path("book/results/benchmarks/grid.json"), help="file")
    given = parser.parse_args(arguments)
    if given.cells < 3:
        parser.error(f"--cells must be at least 3, for quartiles; got {given.cells}")
    milliseconds = {}
    for name in tqdm(WAYS, unit="way"):
        milliseconds[name] = found = measure(WAYS[name], given.cells)
        verdict = "under" if found["mean"] < LIMIT else "NOT UNDER"
        tqdm.write(
            f"{name:14s} {found['median']:6.2f} ms a cell (quartiles {found['q1']:.2f} to {found['q3']:.2f}, "
            f"mean {found['mean']:.2f}: {verdict} {LIMIT:g})"
        )
    report = {
        "machine": {
            "device": f"cpu ({platform.machine()})",
            "cpus": os.cpu_count(),
            "system": platform.system(),
            "python": platform.python_version(),
            **{package: version(package) for package in ("patlib", "torch", "distributed", "filelock")},
        },
        "cells": given.cells,
        "workers": WORKERS,
        "milliseconds_a_cell": milliseconds,
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(given.out, report)
    print(f"wrote {given.out}")


if __name__ == "__main__":
    main()

"""The benchmarks, then the cells of Tables 1-3, most telling first, for as long as a budget of time lasts.

    make gpu MINUTES=60        # or: python benchmarks/tables.py --minutes 60

Needs no network, and one GPU; without a GPU it runs a reduced scale that its records state. What has a record is not
run again, so the next call goes on where this one stopped. A cell is begun only if it should end in time, as far as
earlier ones of its kind tell. Weights stay in ``runs/``; records go to ``book/results/``, ready to be committed.
PATLIB_DATA names the folder of the datasets. With several GPUs ``patlib grid --workers`` runs cells side by side.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from measuring import device_name

from patlib.cells import is_there, run_cell
from patlib.data import DataError
from patlib.files import replacing
from patlib.grids import grid_configs
from patlib.progress import last_line
from patlib.runs import plain_cell, read_record
from patlib.trainer import open_dataset
from patlib.trainer.config import RunConfig

SEEDS = (0, 1, 2)
PLAN = (
    ("table1", "camvid", (0,)),
    ("table1", "camvid", SEEDS),
    ("attribution", "camvid", SEEDS),
    ("table1", "oxford_pet", SEEDS),
    ("table3", "camvid", SEEDS),
    ("table2", "camvid", SEEDS),
    ("table3", "oxford_pet", SEEDS),
    ("table2", "oxford_pet", SEEDS),
)
"""(grid, dataset, seeds), most telling first: one whole seed of the main table before anything else."""

SIZES = {
    "cuda": {"camvid": (360, 480), "oxford_pet": (256, 256)},
    "cpu": {"camvid": (60, 80), "oxford_pet": (48, 48)},
}
BENCHMARKS = {"loss": "benchmarks/loss-{device}.json", "trainer": "benchmarks/trainer-{device}.json",
              "cost": "cost/{device}.json"}  # fmt: skip
"""Scripts beside this one, and the file each leaves."""


def base_config(kind: str, grid: str, dataset: str) -> RunConfig:
    """A dataset's scale: on a GPU the paper's length, the released width and bf16; on a CPU what it can do."""
    height, width = SIZES[kind][dataset]
    settings: dict[str, Any] = {"dataset": dataset, "image_height": height, "image_width": width}
    if kind == "cuda":
        return RunConfig(**settings, epochs=100, precision="bf16")
    return RunConfig(**settings, epochs=20 if grid in ("table1", "attribution") else 6, model_width=8)


def planned(kind: str) -> Iterator[RunConfig]:
    """Every cell once, in the order of the plan."""
    seen = set()
    for grid, dataset, seeds in PLAN:
        for config in grid_configs(grid, base_config(kind, grid, dataset), seeds):
            if config.run_path not in seen:
                seen.add(config.run_path)
                yield config


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


def run_cells(kind: str, runs: Path, records: Path, deadline: float) -> dict[str, int]:
    """Run what the time holds; how many cells were done, there before, failed, without data, or left."""
    count = dict.fromkeys(("done", "there", "failed", "busy", "no data", "left"), 0)
    seconds: dict[tuple[Any, ...], float] = {}
    absent: set[str] = set()
    for config in planned(kind):
        like = (config.dataset, config.model, config.epochs)
        if is_there(config, records):
            count["there"] += 1
            seconds[like] = max(seconds.get(like, 0), recorded_seconds(config, records))
            continue
        if time.monotonic() + seconds.get(like, 0) > deadline:
            count["left"] += 1
            continue
        if config.dataset not in absent:
            try:
                open_dataset(config)
            except (DataError, OSError) as error:
                print(f"{config.dataset}: not run: {error}")
                absent.add(config.dataset)
        if config.dataset in absent:
            count["no data"] += 1
            continue
        begun = time.monotonic()
        outcome = run_cell(plain_cell, config, runs, lambda name: print(f"cell {name}", flush=True))
        seconds[like] = max(seconds.get(like, 0), time.monotonic() - begun)
        if outcome.state in ("done", "there"):
            keep_record(config, runs, records)
        elif outcome.state == "failed":
            print(f"failed: {config.run_name}: {last_line(outcome.error)}")
        count[outcome.state] += 1
    return count


def recorded_seconds(config: RunConfig, records: Path) -> float:
    """What a finished run took, its validation included."""
    curves = read_record(records / config.run_path / "record.json")["curves"]
    return sum(row["train_seconds"] + row["val_seconds"] for row in curves)


def keep_record(config: RunConfig, runs: Path, records: Path) -> None:
    """Copy a run's record, without its weights."""
    target = records / config.run_path / "record.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        temporary.write_bytes((runs / config.run_path / "record.json").read_bytes())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Benchmarks and table cells, for as long as a budget lasts.")
    parser.add_argument("--minutes", type=float, default=60.0, help="budget of time (default: 60)")
    parser.add_argument("--runs", type=Path, default=Path("runs/tables"), help="folder of the runs, with weights")
    parser.add_argument("--records", type=Path, default=Path("book/results"), help="folder of the records")
    given = parser.parse_args(arguments)
    if given.minutes <= 0:
        parser.error(f"--minutes must be above 0, got {given.minutes:g}")
    deadline = time.monotonic() + 60 * given.minutes
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    print("scale: " + ("the paper's length, on a GPU" if device.type == "cuda" else "reduced, on a CPU"))
    failures = run_benchmarks(device, given.records, deadline)
    count = run_cells(device.type, given.runs, given.records, deadline)
    print("cells: " + ", ".join(f"{number} {what}" for what, number in count.items() if number))
    if count["failed"] or failures:
        sys.exit(1)


if __name__ == "__main__":
    main()

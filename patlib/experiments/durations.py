"""How long a run will take, as far as finished runs of its kind tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import median
from typing import Any

import torch

from patlib.trainer.config import RunConfig
from patlib.trainer.machine import device_title
from patlib.trainer.records import Record

KIND = (
    "dataset", "protocol", "image_height", "image_width", "void_class", "model", "model_width", "released_head",
    "batch_size", "precision", "compile", "devices",
)  # fmt: skip
"""The fields that decide what an epoch costs; the losses differ too little to matter."""


def kind_of(config: RunConfig) -> tuple[Any, ...]:
    """The values that two runs must share for one to tell how long an epoch of the other takes."""
    return tuple(getattr(config, name) for name in KIND)


class Durations:
    """Seconds an epoch by kind of run, from records made on a device like this machine's.

    On processors these are core-seconds (seconds times threads), so that runs with one thread tell about runs with two.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.device = _device()
        self._seconds: dict[tuple[Any, ...], list[float]] = defaultdict(list)
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """Learn from one more record, unless it is from another device or of a network or a loss handed to ``fit``."""
        machine, curves = record["machine"], record["curves"]
        handed_over = record["config"]["model_width"] is None or record["loss_parameters"] is None
        if machine["device"] != device_title(self.device) or handed_over:
            return
        threads = 1 if self.device.type == "cuda" else machine["threads"]
        seconds = sum(row["train_seconds"] + row["val_seconds"] for row in curves)
        self._seconds[kind_of(RunConfig(**record["config"]))].append(threads * seconds / len(curves))

    def of(self, config: RunConfig) -> float | None:
        """Core-seconds (GPU-seconds on CUDA) of a whole run; None if no run of its kind has ended."""
        seen = self._seconds.get(kind_of(config))
        return config.epochs * median(seen) if seen else None

    def total(self, configs: Iterable[RunConfig]) -> tuple[float, int]:
        """The seconds that all runs of a known kind take together, and the number of the other runs."""
        each = [self.of(config) for config in configs]
        return sum(seconds for seconds in each if seconds is not None), each.count(None)


def _device() -> torch.device:
    """The device that the accelerator "auto" chooses on this machine."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")

"""How long a run would take on this machine, from a few of its batches that are timed now."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from patlib.datasets import PreparedDataset, Split
from patlib.experiments.durations import kind_of
from patlib.trainer.config import RunConfig
from patlib.trainer.evaluate import evaluate, measure
from patlib.trainer.group import check_devices
from patlib.trainer.run import Run, open_dataset, open_run
from patlib.trainer.step import train_epoch


def estimate_seconds(config: RunConfig, steps: int = 3) -> float:
    """Seconds that a run of this configuration would take here: its training, its validation and its last measurements.

    Each of these is timed over ``steps`` batches, after some that warm up. Compilation and the choice of kernels happen
    once in a run, and their time is added once. A run that several devices share is timed as if one of them did it all.
    The random state of this process is changed. Raises what :func:`patlib.trainer.fit` raises before it begins.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    config = config.model_copy(update={"devices": 1})
    check_devices(config)
    dataset = open_dataset(config, progress=False)
    batches = {name: -(-len(split) // config.batch_size) for name, split in dataset.splits.items()}
    with tempfile.TemporaryDirectory() as folder:  # a run needs a folder; this one writes nothing into it
        run = open_run(config, Path(folder), _beginning(dataset, steps * config.batch_size), None)
    first = _seconds(run, lambda: _train(run, 1))
    training = _seconds(run, lambda: _train(run, steps)) / min(steps, batches["train"])
    _validate(run)
    timed = min(steps, batches["val"])
    validation = _seconds(run, lambda: _validate(run)) / timed
    measuring = _seconds(run, lambda: _measure(run)) / timed
    epoch = batches["train"] * training + batches["val"] * validation
    return first + config.epochs * epoch + 2 * sum(batches.values()) * measuring  # of the last and the best weights


def estimate_kinds(configs: Iterable[RunConfig]) -> list[tuple[float, list[RunConfig]]]:
    """Groups of configurations of the same kind and length, each with the seconds that one of its runs takes."""
    kinds: dict[tuple[Any, ...], list[RunConfig]] = {}
    for config in configs:
        kinds.setdefault((config.epochs, *kind_of(config)), []).append(config)
    return [(estimate_seconds(members[0]), members) for members in kinds.values()]


def _beginning(dataset: PreparedDataset, images: int) -> PreparedDataset:
    """The dataset with only the first images of each split, and with its class frequencies as they were."""
    splits = {
        name: Split(split.images[:images], split.masks[:images], split.names[:images])
        for name, split in dataset.splits.items()
    }
    return replace(dataset, splits=splits)


def _seconds(run: Run, work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    if run.fabric.device.type == "cuda":
        torch.cuda.synchronize(run.fabric.device)
    return time.perf_counter() - started


def _train(run: Run, steps: int) -> None:
    rows = torch.arange(len(run.splits["train"].names))[: steps * run.config.batch_size]
    mirrored = torch.zeros(len(rows), dtype=torch.bool)
    train_epoch(
        run.fabric, run.model, run.loss, run.optimizer, run.splits["train"], rows, mirrored, run.config.batch_size
    )


def _validate(run: Run) -> None:
    with run.fabric.autocast():
        metrics = evaluate(run.network, run.splits["val"], len(run.class_pixels), run.config.batch_size, run.forgetting)
    metrics.compute()
    run.forgetting.next_epoch()


def _measure(run: Run) -> None:
    measure(run.network, run.splits["val"], run.class_pixels, run.config.batch_size, run.fabric, train=False)

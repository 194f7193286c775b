"""A dataset small enough to train on within a second, and one finished run on it."""

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from tiny_run import TINY

from patlib import datasets
from patlib.datasets import PreparedDataset, Split
from patlib.trainer.config import RunConfig

# On a busy machine an example takes its time, and so does drawing one.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

SLOW = {
    "benchmarks", "browser", "book", "notebooks", "models", "torture",  # folders
    "test_mutants.py", "test_launch.py", "test_resume.py", "test_loop.py", "test_against_a_literal_loop.py",
    "test_cell.py", "test_cluster.py", "test_queue.py", "test_runner.py", "test_estimate.py", "test_runs.py",
    "test_study.py", "test_bench.py", "test_loss_compile.py", "test_loss_properties.py", "test_loss_memory.py",
    "test_own_dataset.py", "test_keeping.py", "test_run.py", "test_step.py", "test_predict.py", "test_deviations.py",
    "test_parent.py", "test_synthetic.py", "test_near_scenes.py",
}  # fmt: skip
"""Folders and files whose tests train, compile, start processes or draw many examples: `make check` leaves them out.
A slow test of a fast file is marked where it stands."""


def pytest_ignore_collect(collection_path, config):
    """Spare who leaves the slow tests out the import of what they need, which each test process would repeat."""
    return True if config.option.markexpr == "not slow" and collection_path.name in SLOW else None


def pytest_collection_modifyitems(items):
    """Mark the slow tests, so that those who work on something else can leave them out."""
    for item in items:
        if SLOW & {item.path.name, *(parent.name for parent in item.path.parents)}:
            item.add_marker("slow")


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory):
    """Random images 16x20 whose label follows brightness; 10 classes, of which 3 occur, and some void."""
    generator = np.random.default_rng(0)
    spec = datasets.get_spec("synthetic")
    splits, counts = {}, {}
    for name, number in {"train": 10, "val": 3, "test": 3}.items():
        masks = generator.integers(0, 3, (number, 16, 20)).astype(np.uint8)
        images = np.repeat((masks * 80 + generator.integers(0, 60, masks.shape))[..., None], 3, axis=-1).astype(
            np.uint8
        )
        masks[:, 0] = 255
        splits[name] = Split(images, masks, tuple(f"{name}-{index}" for index in range(number)))
        counts[name] = {"class_pixels": np.bincount(masks[masks != 255], minlength=spec.num_classes).tolist()}
    return PreparedDataset(spec, (16, 20), splits, tmp_path_factory.mktemp("tiny"), {"splits": counts})


@pytest.fixture(scope="session")
def tiny_run(tiny_dataset, tmp_path_factory):
    """(folder, record) of a finished PAT run."""
    from patlib.trainer import fit  # seconds of processor time, which a test without a run need not spend

    folder = tmp_path_factory.mktemp("run")
    return folder, fit(RunConfig(**TINY), folder, tiny_dataset, progress=False)

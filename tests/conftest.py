"""A dataset small enough to train on within a second, and one finished run on it."""

import numpy as np
import pytest
from tiny_run import TINY

from patlib import datasets
from patlib.datasets import PreparedDataset, Split
from patlib.trainer import fit
from patlib.trainer.config import RunConfig


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
    folder = tmp_path_factory.mktemp("run")
    return folder, fit(RunConfig(**TINY), folder, tiny_dataset, progress=False)

"""One small prediction: 10 classes, of which 4 occur, and a row of void."""

from typing import NamedTuple

import matplotlib
import numpy as np
import pytest

from patlib import datasets

matplotlib.use("Agg")


class Prediction(NamedTuple):
    logits: np.ndarray
    target: np.ndarray
    class_pixels: np.ndarray


@pytest.fixture(scope="session")
def prediction():
    generator = np.random.default_rng(0)
    target = generator.choice([0, 2, 5, 9], (6, 8), p=[0.6, 0.2, 0.15, 0.05]).astype(np.uint8)
    target[0, 0], target[-1] = 9, 255
    return Prediction(2 * generator.standard_normal((10, 6, 8)), target, 10 + np.arange(10)[::-1] ** 3)


@pytest.fixture(scope="session")
def image():
    return np.random.default_rng(1).integers(0, 256, (6, 8, 3)).astype(np.uint8)


@pytest.fixture(scope="session")
def spec():
    return datasets.get_spec("synthetic")

"""Splits that are drawn by seed, where the paper or the publisher gives none.

Each depends on the names and the seed alone, not on the order in which the files were found.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def pooled(names: Iterable[str], seed: int) -> dict[str, list[str]]:
    """Every name in one pool, split 0.8 / 0.1 / 0.1: what section 5 of the PAT paper does with all its datasets.

    A pool can put neighbouring frames of one scene into train and test, where the published splits keep them apart.
    """
    drawn = _shuffled(names, seed)
    first, second = int(0.8 * len(drawn)), int(0.9 * len(drawn))
    return {"train": drawn[:first], "val": drawn[first:second], "test": drawn[second:]}


def val_from_train(train: Iterable[str], test: Iterable[str], seed: int) -> dict[str, list[str]]:
    """The published train and test, with a tenth of train taken away as val."""
    drawn = _shuffled(train, seed)
    first = len(drawn) // 10
    return {"train": drawn[first:], "val": drawn[:first], "test": list(test)}


def _shuffled(names: Iterable[str], seed: int) -> list[str]:
    ordered = sorted(names)
    return [ordered[i] for i in np.random.default_rng(seed).permutation(len(ordered))]

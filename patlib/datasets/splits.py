"""Splits that are drawn with a seed, where neither the paper nor the publisher gives any.

Each depends on the names and the seed alone, not on the order in which the files were found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from patlib.datasets.spec import DataError


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


def grouped(
    names: Iterable[str], fractions: tuple[float, float, float], seed: int, group: Callable[[str], str] | None = None
) -> dict[str, list[str]]:
    """Every name in one pool, split by fractions of the images; the images of one group stay together.

    The chapter ``notebooks/03_from_files_to_batches.md`` draws such splits by hand, and shows why groups are needed.

    The groups are shuffled and laid end to end; the split in whose stretch a group's middle lies takes the whole group,
    so that few or large groups miss the fractions. A split that would be left empty takes the smallest group of the
    split that has most of them; only fewer than three groups leave one empty.

    Args:
        names: what to split.
        fractions: of train, val and test; they add up to 1.
        seed: of the random generator that draws the order of the groups.
        group: the group of a name; each name is one of its own if None.

    Raises:
        DataError: the group of a name is no text.
    """
    members: dict[str, list[str]] = {}
    for name in sorted(names):
        key = group(name) if group else name
        if not isinstance(key, str):
            raise DataError(f"group must give a text for each name; for {name!r} it gave {key!r}")
        members.setdefault(key, []).append(name)
    total = sum(map(len, members.values()))
    taken: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    before = 0
    for key in _shuffled(members, seed):
        middle = (before + len(members[key]) / 2) / total
        place = sum(middle >= bound for bound in (fractions[0], fractions[0] + fractions[1]))
        taken[("train", "val", "test")[place]].append(key)
        before += len(members[key])
    for keys in taken.values():
        most = max(taken.values(), key=len)
        if not keys and len(most) > 1:
            keys.append(min(most, key=lambda key: len(members[key])))
            most.remove(keys[0])
    return {split: [name for key in keys for name in members[key]] for split, keys in taken.items()}


def _shuffled(names: Iterable[str], seed: int) -> list[str]:
    ordered = sorted(names)
    return [ordered[i] for i in np.random.default_rng(seed).permutation(len(ordered))]

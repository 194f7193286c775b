"""Splits that are drawn with a seed, where neither the paper nor the publisher gives any.

None depends on the order in which the files were found. Those of the built-in datasets depend on the names and the seed
alone; a reader's own images are split by what is in their masks, too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping

import numpy as np
from PIL import Image
from tqdm import tqdm

from patlib.datasets.spec import IGNORE_INDEX, DataError


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


def stratified(
    held: Mapping[str, Collection[int]],
    fractions: tuple[float, float, float],
    seed: int,
    group: Callable[[str], str] | None = None,
) -> dict[str, list[str]]:
    """Every name in one pool, split by fractions of the images, with each class in each split where that can be.

    Names alone would leave a class that is in three of two hundred images to luck, and no score of a split without it
    can speak of it. So the images are dealt out class by class, the rarest first, each to the split that has fewest of
    the images with that class that it should have: iterative stratification (Sechidis et al. 2011). A split that lacks
    a class takes the last images of it, so that each class that is in three images is in every split. Masks hold
    several classes, and so that is not always possible: of up to 20 such draws the one that misses fewest is taken.

    The images of one group stay together, and what is said of images then holds of groups; few or large ones miss the
    fractions. Fewer than three leave a split empty. The chapter ``notebooks/03_from_files_to_batches.md`` shows why
    groups are needed.

    Args:
        held: what to split: names, and the ids of the classes that each image holds.
        fractions: of train, val and test; they add up to 1.
        seed: of the random generator that shuffles the groups.
        group: the group of a name; each name is one of its own if None.

    Example:
        >>> from patlib.datasets.splits import stratified
        >>> held = {f"{number:02}": {0, 1} if number in (3, 4, 5) else {0} for number in range(20)}
        >>> splits = stratified(held, (0.8, 0.1, 0.1), seed=0)
        >>> {split: sum(1 in held[name] for name in names) for split, names in splits.items()}
        {'train': 1, 'val': 1, 'test': 1}

    Raises:
        DataError: the group of a name is no text.
    """
    members: dict[str, list[str]] = {}
    for name in sorted(held):
        key = group(name) if group else name
        if not isinstance(key, str):
            raise DataError(f"group must give a text for each name; for {name!r} it gave {key!r}")
        members.setdefault(key, []).append(name)
    classes = sorted(set().union(*held.values()))
    # (G, L+1) images of each group that hold each class. The last counts all, so that no split is left without any.
    rows = [[sum(c in held[name] for name in names) for c in classes] + [len(names)] for names in members.values()]
    images = np.array(rows, dtype=int).reshape(len(members), len(classes) + 1)
    generator = np.random.default_rng(seed)
    fewest, best = math.inf, np.empty(0, dtype=int)
    for _ in range(20):
        place = _dealt(images, np.array(fractions), generator.permutation(len(images)))
        found = sum((images[place == split] > 0).any(0) for split in range(3))
        missed = (np.minimum(3, (images > 0).sum(0)) - found).sum()
        if missed < fewest:
            fewest, best = missed, place
        if not missed:
            break
    taken: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for names, split in zip(members.values(), best, strict=True):
        taken[list(taken)[split]] += names
    return taken


def _dealt(images: np.ndarray, fractions: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The split (G,) of every group, from the images (G, L+1) of it that hold each class."""
    # Small groups come last, and even out what large ones did.
    order = order[np.argsort(-images[order, -1], kind="stable")]
    holds = images > 0
    wanted = fractions[:, None] * images.sum(0)  # (3, L+1) images of each class that each split is still to get
    lacks = np.ones(wanted.shape, dtype=bool)
    left = holds.sum(0)  # groups with each class that are not dealt out
    place = np.full(len(images), -1)
    while left.any():
        rarest = np.where(left, left, len(images) + 1).argmin()
        for row in order[(holds[:, rarest] & (place < 0))[order]]:
            last = lacks & (left <= lacks.sum(0))  # too few are left for any to go where the class is already
            ranks = list(zip((last & holds[row]).sum(1), wanted[:, rarest], wanted[:, -1], strict=True))
            split = ranks.index(max(ranks))
            place[row] = split
            wanted[split] -= images[row]
            lacks[split] &= ~holds[row]
            left -= holds[row]
    return place


def classes_held(masks: Mapping[str, Callable[[], np.ndarray | Image.Image]], progress: bool) -> dict[str, list[int]]:
    """The class ids in every mask, of which each is loaded in its turn."""
    quiet = {} if progress else {"disable": True}  # not disable=False, which would overrule TQDM_DISABLE
    held = {}
    for name, load in tqdm(masks.items(), desc="looking for classes", unit="mask", **quiet):
        ids = np.bincount(np.asarray(load()).ravel(), minlength=256).nonzero()[0].tolist()
        held[name] = [class_id for class_id in ids if class_id != IGNORE_INDEX]
    return held


def by_pattern(pattern: str) -> Callable[[str], str]:
    """The group of a name, as a regular expression finds it: its first pair of parentheses, or all that it matches."""
    compiled = re.compile(pattern)

    def found(name: str) -> str:
        match = compiled.search(name)
        if match is None:
            raise DataError(f"the regular expression group = {pattern!r} is not found in the name {name!r}")
        return match[1] if compiled.groups else match[0]

    return found


def _shuffled(names: Iterable[str], seed: int) -> list[str]:
    ordered = sorted(names)
    return [ordered[i] for i in np.random.default_rng(seed).permutation(len(ordered))]

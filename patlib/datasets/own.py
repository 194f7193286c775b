"""A reader's own images: two folders, one of images and one of masks, and what has to be said about them.

``own_pairs`` finds which image and mask belong together, and ``own_file`` reads the same from a ``patlib.toml``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from patlib.datasets.decode import read_mask
from patlib.datasets.own_pairs import Splits, find_pairs, splits_as_told
from patlib.datasets.palette import distinct_colours
from patlib.datasets.sources import SPLITS, Dataset, Item, Source, load_pair, to_classes
from patlib.datasets.spec import IGNORE_INDEX, DataError, DatasetSpec
from patlib.datasets.splits import by_pattern, classes_held, stratified

FORMATS = ("PNG", "JPEG", "TIFF")
MODES = ("L", "P", "1", "I;16", "I;16B", "I")
"""Pillow's modes of masks: grey of 1, 8, 16 or 32 bits, and palettes, whose indices count."""


@dataclass(frozen=True)
class OwnData:
    """The arguments of :func:`~patlib.datasets.from_folder`, checked; that function explains them."""

    images: Path
    masks: Path
    """Both absolute and without links."""
    classes: Sequence[str]
    size: tuple[int, int]
    splits: Splits | str | None = None
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    group: str | Callable[[str], str] | None = None
    ignore: int | None = IGNORE_INDEX
    label_map: Mapping[int, int] | None = None
    image_suffix: str = ""
    mask_suffix: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        for field in ("classes", "size", "fractions"):
            if not isinstance(value := getattr(self, field), (list, tuple)):
                raise ValueError(f"{field} is a list; got {value!r}")
            object.__setattr__(self, field, tuple(value))
        if self.label_map is not None and not isinstance(self.label_map, Mapping):
            raise ValueError(f"label_map is {{value on disk: class id}}; got {self.label_map!r}")
        if not all(isinstance(name, str) and name for name in self.classes):
            raise ValueError(f"classes is a list of names, such as ['background', 'cell']; got {self.classes!r}")
        if not 2 <= len(self.classes) <= 254 or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes are 2 to 254 different names; got {len(self.classes)}: {list(self.classes)}")
        if len(self.size) != 2 or not all(type(side) is int and side >= 1 for side in self.size):
            raise ValueError(f"size is (height, width) in whole pixels, such as (256, 256); got {self.size!r}")
        numbers = all(isinstance(part, int | float) and part > 0 for part in self.fractions)
        if len(self.fractions) != 3 or not numbers or abs(sum(self.fractions) - 1) > 1e-6:
            raise ValueError(f"fractions are those of train, val and test, and add up to 1; got {self.fractions!r}")
        if not all(isinstance(ending, str) for ending in (self.image_suffix, self.mask_suffix)):
            raise ValueError(f"a suffix is a text such as '_mask'; got {self.image_suffix!r} and {self.mask_suffix!r}")
        if self.splits is not None and not isinstance(self.splits, str | Mapping):
            raise ValueError(f"splits is 'folders', or names or a list file for each split; got {self.splits!r}")
        if isinstance(self.splits, str) and self.splits != "folders":
            raise ValueError(f"splits is 'folders', or names or a list file for each split; got {self.splits!r}")
        if self.splits is not None and self.group is not None:
            raise ValueError("group says which images a drawn split keeps together: leave out splits or group")
        if self.group is not None and not isinstance(self.group, str) and not callable(self.group):
            raise ValueError(f"group is a regular expression or a function of a name; got {self.group!r}")
        if isinstance(self.group, str):
            try:
                re.compile(self.group)
            except re.error as error:
                raise ValueError(f"group is no regular expression ({error}): {self.group!r}") from error
        images, masks = self.images, self.masks
        if images.is_relative_to(masks) or masks.is_relative_to(images):
            raise ValueError(f"images and masks are two folders, neither inside the other; got {images} and {masks}")
        if self.slug in ("", ".", ".."):
            raise ValueError(f"name is made of letters, digits, '-' and '_'; got {self.name!r}")
        self.labels()

    @property
    def slug(self) -> str:
        """The name as a part of a path."""
        return slug(self.name or Path(os.path.commonpath([self.images, self.masks])).name)

    def labels(self) -> dict[int, int]:
        """Which class id, or 255 for void, each value on disk stands for; ValueError for what is no class."""
        count = len(self.classes)
        labels = dict(enumerate(range(count)) if self.label_map is None else self.label_map.items())
        for value, class_id in labels.items():
            if type(value) is not int or class_id not in (*range(count), IGNORE_INDEX):
                raise ValueError(
                    f"label_map takes whole numbers on disk to class ids 0..{count - 1}, or 255 for void; got "
                    f"{value!r}: {class_id!r}"
                )
        if self.ignore is None:
            return labels
        if type(self.ignore) is not int:
            raise ValueError(f"ignore is the value on disk that means void, or None; got {self.ignore!r}")
        if labels.setdefault(self.ignore, IGNORE_INDEX) != IGNORE_INDEX:
            raise ValueError(
                f"ignore={self.ignore} is the value of the class {self.classes[labels[self.ignore]]!r}, too: give "
                "label_map, {value on disk: class id}, or ignore=None if no value means void"
            )
        return labels

    def dataset(self) -> Dataset:
        """The dataset that this describes."""
        drawn = self.splits is None
        spec = DatasetSpec(
            name=self.slug, title=self.name or self.slug, classes=tuple(self.classes),
            palette=distinct_colours(len(self.classes)), paper_size=self.size, default_size=self.size,
            licence="its owner's", citation="your own data; not used by the paper.",
            how_to_get=f"  images below {self.images}, masks below {self.masks}, with the same names",
            folder="", layout=(), protocols=("drawn" if drawn else "given",), seeded=drawn, formats=FORMATS,
        )  # fmt: skip
        told = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "size"}
        if callable(self.group):  # has no lasting name; the source's fingerprint tells what it did
            del told["group"]
        key = hashlib.sha256(repr(sorted(told.items())).encode()).hexdigest()[:8]
        return Dataset(spec, self.source, key=key)

    def source(self, root: Path, protocol: str, seed: int) -> Source:
        """The pairs in the two folders, split as `splits` or `fractions` say.

        Raises:
            DataError: a file has no partner, no known suffix or another's name, or a split is not what was told.
        """
        pairs = find_pairs(self.images, self.masks, self.image_suffix, self.mask_suffix)
        labels = self.labels()
        group = by_pattern(self.group) if isinstance(self.group, str) else self.group
        common = Path(os.path.commonpath([self.images, self.masks]))

        def items(splits: dict[str, list[str]]) -> dict[str, list[Item]]:
            self._check(splits, len(pairs))
            return {
                split: [Item(name, partial(load_pair, *pairs[name], labels, FORMATS, MODES)) for name in names]
                for split, names in splits.items()
            }

        def draw(progress: bool) -> dict[str, list[Item]]:
            held = classes_held({name: partial(_read_ids, mask, labels) for name, (_, mask) in pairs.items()}, progress)
            return items(stratified(held, self.fractions, seed, group))

        if self.splits is None:  # drawn when the arrays are written, because every mask is read for it
            files = tuple(path for pair in pairs.values() for path in pair)
            told = repr((labels, "stratified", self.fractions, [group(name) for name in pairs] if group else None))
            return Source(common, files, {}, told=told, draw=draw)
        splits = splits_as_told(self.splits, list(pairs), self.images, self.slug)
        files = tuple(path for names in splits.values() for name in names for path in pairs[name])
        return Source(common, files, items(splits), told=repr((labels, splits)))

    def _check(self, splits: dict[str, list[str]], images: int) -> None:
        for split in SPLITS:
            if not splits.get(split):
                raise DataError(
                    f"{self.slug}: the {split} split is empty; there must be train, val and test. "
                    + ("Name its images in splits" if self.splits else "They are drawn from at least three images")
                    + (", or three groups of images that stay together" if self.group else "")
                    + f"; there are {images} images"
                )
        for split in splits:
            if split != slug(split):
                raise DataError(f"{self.slug}: a split is named with letters, digits, '-' and '_'; got {split!r}")


def _read_ids(mask: Path, labels: Mapping[int, int]) -> np.ndarray:
    return to_classes(read_mask(mask, FORMATS, MODES), labels, mask)


def slug(name: str) -> str:
    """A name of letters, digits, '-', '_' and '.', fit to be a folder's."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-")


def absolute(path: str | os.PathLike[str]) -> Path:
    """A path without ``~`` and links; ValueError that names one which no file system can have, or no user's."""
    try:
        return Path(path).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"{os.fspath(path)!r} is no path ({error})") from error

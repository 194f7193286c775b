"""Decode and resize a dataset once, keep it as memory-mapped arrays, and notice when they are no longer right.

What happens when `prepare` is called again:

- The arrays are compared with the checksums that are kept beside them. If one differs, `DataError` is raised: arrays
  that change by themselves mean a failing disk or a stray write, and to prepare them again silently would hide that.
- If the source files have changed since (by name, byte size or modification time), it is prepared again.
- If the source files are gone, what was prepared is used as it is, so the cache alone can be taken to another machine.

Shapes use M images in a split, L classes, H rows, W columns.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from patlib.datasets.cache import clear_up, write_arrays
from patlib.datasets.doubts import warn_of_doubts
from patlib.datasets.manifest import mend, open_arrays, read_manifest
from patlib.datasets.registry import get_dataset
from patlib.datasets.sources import Dataset, Source, data_root, fingerprint, is_complete, locate
from patlib.datasets.spec import IGNORE_INDEX, VOID_COLOUR, DataError, DatasetSpec


@dataclass(frozen=True)
class Split:
    """The images and masks of one split, memory-mapped and read-only: copy them before changing or moving them."""

    images: np.ndarray
    """(M, H, W, 3) uint8 RGB."""
    masks: np.ndarray
    """(M, H, W) uint8 class ids; 255 where void, unless void is a class."""
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:  # the arrays' own would fill screens
        return f"Split(images={self.images.shape} {self.images.dtype}, masks={self.masks.shape} {self.masks.dtype})"


@dataclass(frozen=True)
class PreparedDataset:
    """A dataset at one size, decoded, checked and resized: for each split the images, the masks and their names.

    The chapter ``notebooks/03_from_files_to_batches.md`` makes such arrays from files by hand.
    """

    spec: DatasetSpec
    size: tuple[int, int]
    """(H, W)."""
    splits: Mapping[str, Split]
    """Keys train, val, test; "dusk" too where CamVid is split from day to dusk."""
    folder: Path
    manifest: Mapping[str, Any]

    def __repr__(self) -> str:
        images = ", ".join(f"{name}: {len(split)} images" for name, split in self.splits.items())
        height, width = self.size
        return f"PreparedDataset({self.spec.name!r}, {height}x{width}, {self.spec.num_classes} classes, {images})"

    def class_pixels_of(self, split: str) -> np.ndarray:
        """(L,) int64 pixels of each class in a split at the prepared size, void not counted."""
        return np.array(self.manifest["splits"][split]["class_pixels"], dtype=np.int64)

    @property
    def class_pixels(self) -> np.ndarray:
        """(L,) int64 pixels of each class in the train split: the class frequencies that balanced losses use."""
        return self.class_pixels_of("train")

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits of a SHA-256 over names, images and masks of all splits: what was trained on."""
        digest = hashlib.sha256()
        for name, split in sorted(self.splits.items()):
            digest.update(f"{name}\0{split.images.shape}\0{chr(0).join(split.names)}\n".encode())
            for array in (split.images, split.masks):
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:12]


def prepare(
    name: str,
    size: tuple[int, int] | None = None,
    root: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
    protocol: str | None = None,
    seed: int = 0,
    progress: bool = True,
    download: bool = False,
    void_class: bool = False,
) -> PreparedDataset:
    """Open a dataset at one size, decoding and resizing it first if that has not been done.

    The chapter ``notebooks/03_from_files_to_batches.md`` shows each step from a file to the arrays, and why masks are
    resized with nearest neighbour.

    Args:
        name: a key of `DATASETS`, or the path of a folder with a ``patlib.toml`` (see `from_folder`).
        size: (H, W); the dataset's default size if None.
        root: folder that holds the datasets; the environment variable PATLIB_DATA, else ``./data``, if None.
        cache: folder for prepared arrays; the environment variable PATLIB_CACHE, else ``~/.cache/patlib``, if None.
        protocol: how to split, one of ``spec.protocols``; the first of them if None.
        seed: of the random generator that draws the synthetic scenes, and those splits that are drawn.
        progress: show a bar while preparing.
        download: fetch the dataset if it is not there (CamVid, Oxford-IIIT Pet, NYUv2). A download that broke goes on
            with the same call, but for Oxford-IIIT Pet.
        void_class: make void one more class, the last, as the released code does; masks are then copied into memory.

    Raises:
        ValueError: no such dataset, size or protocol.
        DataError: the data are missing or damaged, or cannot be fetched.

    Example:
        >>> from patlib.datasets import prepare
        >>> dataset = prepare("synthetic", size=(16, 24), progress=False)
        >>> dataset
        PreparedDataset('synthetic', 16x24, 10 classes, train: 160 images, val: 40 images, test: 40 images)
        >>> dataset.splits["val"]
        Split(images=(40, 16, 24, 3) uint8, masks=(40, 16, 24) uint8)
    """
    return open_dataset(get_dataset(name), size, root, cache, protocol, seed, progress, download, void_class)


def open_dataset(
    dataset: Dataset,
    size: tuple[int, int] | None = None,
    root: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
    protocol: str | None = None,
    seed: int = 0,
    progress: bool = True,
    download: bool = False,
    void_class: bool = False,
) -> PreparedDataset:
    """What `prepare` does, for a dataset that need not have a name of its own."""
    spec = dataset.spec
    height, width = size = spec.default_size if size is None else size
    if min(size) < 1:
        raise ValueError(f"size is (height, width), both at least 1; got {size}")
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or not 0 <= seed < 2**63:
        raise ValueError(f"seed is a whole number from 0 to 2**63 - 1; got {seed!r}")
    if protocol is not None and protocol not in spec.protocols:
        raise ValueError(f"{spec.name} has no protocol {protocol!r}; it has {', '.join(spec.protocols)}")
    protocol = protocol or spec.protocols[0]

    place = _cache_folder(cache)
    variant = [protocol] * (len(spec.protocols) > 1) + [f"seed{seed}"] * spec.seeded + [dataset.key] * bool(dataset.key)
    folder = place / "-".join([spec.name, f"{height}x{width}", *variant])

    if download:
        _fetch(dataset, root, progress)
    source = _open_source(dataset, root, protocol, seed)
    manifest = read_manifest(folder)
    if source is not None and (manifest is None or manifest["source"] != fingerprint(source)):
        write_arrays(folder, spec, size, source, progress)
        manifest = read_manifest(folder)
    else:
        clear_up(folder)
    if manifest is None:
        raise DataError(
            f"{spec.name}: nothing at {data_root(root) / spec.folder}, and {folder} has not been prepared. "
            f"To get {spec.title}:\n{spec.how_to_get}"
        )
    try:
        arrays = open_arrays(folder, manifest)
        splits = {
            split: Split(arrays[f"{split}_images"], arrays[f"{split}_masks"], tuple(facts["names"]))
            for split, facts in manifest["splits"].items()
        }
        prepared = PreparedDataset(spec, (height, width), splits, folder, manifest)
        class_pixels = {split: prepared.class_pixels_of(split) for split in splits}
        if any(counts.shape != (spec.num_classes,) for counts in class_pixels.values()):
            raise ValueError(f"class_pixels must have one count for each of {spec.num_classes} classes")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(f"{folder / 'manifest.json'}: cannot be used ({error!r}). {mend(folder)}") from error
    if dataset.key:  # only the owner of the data can say whether that is meant; the built-in datasets are known
        warn_of_doubts(spec, class_pixels, splits["train"].images)
    return _with_void_class(prepared) if void_class else prepared


def _cache_folder(cache: str | os.PathLike[str] | None) -> Path:
    place = Path(cache if cache is not None else os.environ.get("PATLIB_CACHE") or "~/.cache/patlib")
    try:
        place = place.expanduser()
    except RuntimeError as error:  # HOME is not set, and nobody knows this user
        raise DataError(f"{place}: this user has no home folder; set PATLIB_CACHE to the folder to use") from error
    if "\0" in str(place) or (os.path.lexists(place) and not place.is_dir()):
        raise DataError(f"{str(place)!r} is no folder, and prepared arrays need one: set PATLIB_CACHE to another")
    return place


def _with_void_class(dataset: PreparedDataset) -> PreparedDataset:
    """The same dataset with void as class L: the arrays on disk serve both readings."""
    void = dataset.spec.num_classes
    spec = dataclasses.replace(
        dataset.spec, classes=(*dataset.spec.classes, "void"), palette=(*dataset.spec.palette, VOID_COLOUR)
    )
    splits, counts = {}, {}
    for name, split in dataset.splits.items():
        masks = np.where(split.masks == IGNORE_INDEX, np.uint8(void), split.masks)
        masks.flags.writeable = False
        splits[name] = dataclasses.replace(split, masks=masks)
        facts = dataset.manifest["splits"][name]
        counts[name] = {**facts, "class_pixels": [*facts["class_pixels"], facts["void_pixels"]], "void_pixels": 0}
    return dataclasses.replace(dataset, spec=spec, splits=splits, manifest={**dataset.manifest, "splits": counts})


def _fetch(dataset: Dataset, root: str | os.PathLike[str] | None, progress: bool) -> None:
    spec = dataset.spec
    found = locate(spec, root)
    if not spec.folder or (found is not None and is_complete(spec, found)):
        return
    if dataset.download is None:
        raise DataError(f"{spec.name} cannot be downloaded from here. To get it:\n{spec.how_to_get}")
    dataset.download(data_root(root), progress)


def _open_source(dataset: Dataset, root: str | os.PathLike[str] | None, protocol: str, seed: int) -> Source | None:
    """The source of a dataset, or None if there is no copy of it and none was asked for by naming `root`."""
    spec = dataset.spec
    if not spec.folder:
        return dataset.source(Path(), protocol, seed)
    found = locate(spec, root)
    if found is None:
        if root is not None:
            raise DataError(f"{spec.name}: nothing at {data_root(root) / spec.folder}. To get it:\n{spec.how_to_get}")
        return None
    return dataset.source(found, protocol, seed)

"""Reading image and mask files, and refusing those that would quietly spoil a training run.

A dataset file turns a folder on disk into a `Source`: for each split a list of `Item`, each of which can load one image
and its mask. Nothing is decoded before it is asked for.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from patlib.datasets.decode import MASK_MODES, read_image, read_mask
from patlib.datasets.spec import DataError, DatasetSpec

Pair = tuple[Image.Image, Image.Image]
"""An RGB image and a mask of class ids (mode "L"), of the same size."""


SPLITS = ("train", "val", "test")
"""What every source has; it may have more."""


@dataclass(frozen=True)
class Item:
    """One image with its mask, not yet decoded."""

    name: str
    load: Callable[[], Pair]


@dataclass(frozen=True)
class Source:
    """A dataset as found on disk: what its splits hold, and every file that this depends on."""

    root: Path
    files: tuple[Path, ...]
    splits: Mapping[str, list[Item]]
    told: str = ""
    """Text that says what else the arrays depend on, such as the label map and the splits of a reader's own data."""
    draw: Callable[[bool], Mapping[str, list[Item]]] | None = None
    """Draws the splits, with a bar or not, where that takes long because masks are read; `splits` is then empty."""


def fingerprint(source: Source) -> str:
    """A digest of the name, byte size and modification time of every source file: no file is read.

    Raises:
        DataError: a file is no longer there.
    """
    digest = hashlib.sha256(source.told.encode())
    for path in sorted(source.files):
        try:
            facts = path.stat()
        except OSError as error:
            raise DataError(f"{path} is not there any more ({error.strerror}): copy it there again") from error
        digest.update(f"{path.relative_to(source.root).as_posix()}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def check_splits(spec: DatasetSpec, source: Source) -> None:
    """Refuse an empty split, and a name that occurs twice: in two splits it would be trained on and tested with.

    Raises:
        DataError: naming the split, or the name with its splits.
    """
    place: dict[str, str] = {}
    for split in dict.fromkeys([*SPLITS, *source.splits]):
        items = source.splits.get(split)
        if not items:
            message = f"{spec.name}: the {split} split is empty in {source.root}. Get it again:\n{spec.how_to_get}"
            raise DataError(message)
        for item in items:
            if item.name in place:
                raise DataError(
                    f"{spec.name}: {item.name!r} is listed twice in {source.root}: in {place[item.name]} and in {split}"
                )
            place[item.name] = split


@dataclass(frozen=True)
class Dataset:
    """A dataset that can be prepared: its facts, and how to find what its splits hold."""

    spec: DatasetSpec
    source: Callable[[Path, str, int], Source]
    """The source in a folder, by protocol and seed."""
    download: Callable[[Path, bool], None] | None = None
    """Downloads the dataset into a data root, with a bar or not; None where that is not possible."""
    key: str = ""
    """Part of the name of the prepared folder, which keeps apart two datasets of the same name."""


def data_root(root: str | os.PathLike[str] | None) -> Path:
    """The folder in which datasets lie: the one given, else PATLIB_DATA, else ./data."""
    return Path(root if root is not None else os.environ.get("PATLIB_DATA") or "data").expanduser()


def locate(spec: DatasetSpec, root: str | os.PathLike[str] | None = None) -> Path | None:
    """The folder of a dataset under the data root, or the root itself if that is the dataset; else None."""
    base = data_root(root)
    if (base / spec.folder).is_dir():
        return base / spec.folder
    if is_complete(spec, base):
        return base
    return None


def is_complete(spec: DatasetSpec, folder: Path) -> bool:
    """Whether a folder has every sub-folder that a copy of the dataset has."""
    return all((folder / part).is_dir() for part in spec.layout)


def paired_source(
    root: Path,
    pairs: Mapping[str, tuple[Path, Path]],
    splits: Mapping[str, Iterable[str]],
    labels: Mapping[int, int],
    spec: DatasetSpec,
    lists: Iterable[Path] = (),
) -> Source:
    """A source of image and mask files, each split in alphabetical order.

    Args:
        root: the folder of the dataset.
        pairs: image and mask file of each name.
        splits: the names in each split.
        labels: which class id each value on disk stands for.
        spec: the dataset.
        lists: further files that the splits depend on.

    Raises:
        DataError: an image or a mask is missing.
    """
    files = list(lists)
    for name, (image, mask) in pairs.items():
        require_pair(name, image, mask, spec)
        files += [image, mask]
    items = {
        split: [Item(name, partial(load_pair, *pairs[name], labels, spec.formats)) for name in sorted(names)]
        for split, names in splits.items()
    }
    return Source(root, tuple(files), items)


def known_files(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """The files in a folder, hidden ones left out; a suffix in capitals counts as in small letters.

    Raises:
        DataError: one has another suffix, or another's name. To pass over it could be to train on less than is there.
    """
    files = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    for path in files:
        if path.suffix.lower() not in suffixes:
            raise DataError(f"{path}: expected only files with {', '.join(suffixes)} here; take it out of {folder}")
    stems = {path.stem: path for path in files}
    for path in files:
        if (other := stems[path.stem]) != path:
            raise DataError(f"{path} and {other} have the same name {path.stem!r}; keep one of them")
    return files


def refuse_repeats(names: Iterable[str], listing: Path) -> None:
    """Refuse a name that is listed twice: in train and test, or a copied line.

    Raises:
        DataError: naming it and the list.
    """
    name, count = max(Counter(names).items(), key=lambda found: found[1], default=("", 0))
    if count > 1:
        raise DataError(
            f"{listing}: {name!r} is listed {count} times. Get it again from where the dataset is published."
        )


def require_pair(name: str, image: Path, mask: Path, spec: DatasetSpec) -> None:
    """Refuse an image without a mask, or a mask without an image.

    Raises:
        DataError: naming the file that is missing and the one that is there.
    """
    for missing, other in ((image, mask), (mask, image)):
        if not missing.is_file():
            raise DataError(
                f"{spec.name}: {missing} is missing ({name!r} needs an image and a mask; the other half is {other}). "
                f"Copy it there, or get the dataset again:\n{spec.how_to_get}"
            )


def load_pair(
    image_path: Path,
    mask_path: Path,
    labels: Mapping[int, int],
    formats: tuple[str, ...],
    modes: tuple[str, ...] = MASK_MODES,
) -> Pair:
    """Decode an image and its mask, and check that they belong together.

    The chapter ``notebooks/03_from_files_to_batches.md`` does this by hand.

    Args:
        image_path: a file that :func:`~patlib.datasets.decode.read_image` takes.
        mask_path: a single-channel file.
        labels: which class id each value on disk stands for.
        formats: Pillow's names of the formats that may be decoded.
        modes: Pillow's modes that the mask may have.

    Raises:
        DataError: a file is damaged, the mask holds a value outside `labels`, or the sizes differ.
    """
    image = read_image(image_path, formats)
    return matched(image, read_mask(mask_path, formats, modes), labels, image_path, mask_path)


def matched(
    image: Image.Image, values: np.ndarray, labels: Mapping[int, int], image_place: Path | str, mask_place: Path | str
) -> Pair:
    """A decoded image with the class ids of its mask's values; raises as `load_pair` does, naming the places."""
    height, width = values.shape
    if (width, height) != image.size:
        raise DataError(
            f"{mask_place}: mask is {width}x{height} (width x height) but its image {image_place} is "
            f"{image.width}x{image.height}. Use image and mask from the same copy of the dataset; a mask that was made "
            "smaller is brought to its image's size with nearest neighbour"
        )
    return image, Image.fromarray(to_classes(values, labels, mask_place))


def to_classes(values: np.ndarray, labels: Mapping[int, int], path: Path | str) -> np.ndarray:
    """The class ids (H, W) uint8 of the values that a mask has on disk.

    Raises:
        DataError: naming the file and the first value that is not in `labels`.
    """
    found = np.unique(values)
    wrong = [value for value in found.tolist() if value not in labels]
    if wrong:
        raise DataError(
            f"{path}: mask holds the value {wrong[0]}; allowed are {sorted(labels)}. A mask that was resized with "
            "interpolation, or saved as JPEG, has such values: use the original file. If your own classes have other "
            f"numbers, give label_map, such as {{{wrong[0]}: 1}}"
        )
    ids = np.array([labels[value] for value in found.tolist()], dtype=np.uint8)
    return ids[np.searchsorted(found, values)]

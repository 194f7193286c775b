"""Reading image and mask files, and refusing those that would quietly spoil a training run.

A dataset file turns a folder on disk into a `Source`: for each split a list of `Item`, each of which can load one image
and its mask. Nothing is decoded before it is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile

from patlib.datasets.spec import DataError, DatasetSpec

Pair = tuple[Image.Image, Image.Image]
"""An RGB image and a mask of class ids (mode "L"), of the same size."""


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
        split: [Item(name, partial(load_pair, *pairs[name], labels)) for name in sorted(names)]
        for split, names in splits.items()
    }
    return Source(root, tuple(files), items)


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


def load_pair(image_path: Path, mask_path: Path, labels: Mapping[int, int]) -> Pair:
    """Decode an image and its mask, and check that they belong together.

    Args:
        image_path: any file that Pillow reads; converted to RGB.
        mask_path: a single-channel 8-bit file.
        labels: which class id each value on disk stands for.

    Raises:
        DataError: a file is damaged, the mask holds a value outside `labels`, or the sizes differ.
    """
    image = _decode(image_path).convert("RGB")
    mask = _decode(mask_path)
    if mask.mode != "L":
        raise DataError(
            f"{mask_path}: expected a label mask (8-bit, one channel, Pillow mode 'L'), got mode {mask.mode!r}. Its "
            f"pixels are colours, not class ids: use the dataset's label files, or map colours to ids and save as 'L'."
        )
    if mask.size != image.size:
        raise DataError(
            f"{mask_path}: mask is {mask.width}x{mask.height} (width x height) but its image {image_path} is "
            f"{image.width}x{image.height}. Use image and mask from the same copy of the dataset."
        )
    table = np.zeros(256, dtype=np.uint8)
    table[list(labels)] = list(labels.values())
    values = np.asarray(mask)
    wrong = sorted(set(np.unique(values).tolist()) - set(labels))
    if wrong:
        raise DataError(
            f"{mask_path}: mask holds the value {wrong[0]}; allowed are {sorted(labels)}. A mask that was resized with "
            f"interpolation, or saved as JPEG, has such values: use the original file."
        )
    return image, Image.fromarray(table[values])


def _decode(path: Path) -> Image.Image:
    """Read every pixel of a file; opening alone would only read its header."""
    # Another library may have told Pillow to fill truncated files with grey: here that would become training data.
    tolerant, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except (OSError, SyntaxError, ValueError) as error:
        message = f"{path}: cannot be read as an image ({error}). Delete it and copy it from the dataset again."
        raise DataError(message) from error
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = tolerant

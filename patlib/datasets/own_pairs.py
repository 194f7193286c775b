"""Which image and mask of two folders belong together, and in which split each of them is.

An image and a mask belong together when their paths below the two folders are the same but for what comes after the
last dot, and but for endings that are stated, such as ``_mask``. That path is the pair's name, in which each accent is
one character with its letter (NFC). A file that fits nowhere is an error: nothing is left out without a word.
"""

from __future__ import annotations

import os
import unicodedata
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from patlib.datasets.decode import ARRAY, read_text
from patlib.datasets.spec import DataError

IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ARRAY)
MASKS = (".png", ".tif", ".tiff", ARRAY)

Splits = Mapping[str, Sequence[str] | str | os.PathLike[str]]
"""For each split its names, or a text file with one name on each line."""


def find_pairs(
    images_folder: Path, masks_folder: Path, image_suffix: str, mask_suffix: str
) -> dict[str, tuple[Path, Path]]:
    """The files of image and mask of every pair by its name, sorted; the suffixes are the endings that are stated.

    Raises:
        DataError: a folder is missing, or a file has no partner, no known suffix or another's name.
    """
    images = _files(images_folder, IMAGES, image_suffix)
    masks = _files(masks_folder, MASKS, mask_suffix)
    for here, there, folder, kind in ((images, masks, masks_folder, "mask"), (masks, images, images_folder, "image")):
        for name in sorted(here.keys() - there.keys()):
            suffix = mask_suffix if kind == "mask" else image_suffix
            raise DataError(
                f"{here[name]} has no {kind}: expected {folder / name}{suffix} with one of the suffixes "
                f"{', '.join(MASKS if kind == 'mask' else IMAGES)}"
            )
    return {name: (images[name], masks[name]) for name in sorted(images)}


def _files(folder: Path, suffixes: tuple[str, ...], ending: str) -> dict[str, Path]:
    """The files of one kind by name; hidden ones are not looked at."""
    if not folder.is_dir():
        raise DataError(f"the folder {folder} is missing")
    files: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if any(part.startswith(".") for part in inside.parts):
            continue
        if path.is_dir():
            if path.is_symlink():
                raise DataError(f"{path} is a link to a folder, which is not followed: move the folder there")
            continue
        try:
            str(path).encode()
        except UnicodeEncodeError as error:
            raise DataError(f"{str(path)!a}: its name is not in UTF-8, and no record can hold it; rename it") from error
        if path.suffix.lower() not in suffixes:
            raise DataError(f"{path}: expected only files with {', '.join(suffixes)} here; take it out of {folder}")
        if not path.is_file():
            raise DataError(f"{path} is a link to nothing, or no file but a pipe or a device; take it out of {folder}")
        name = _composed(inside.with_suffix("").as_posix())
        if not name.endswith(_composed(ending)):
            raise DataError(f"{path}: its name does not end in {ending!r} as was told; take it out of {folder}")
        name = name.removesuffix(_composed(ending))
        if name in files:
            raise DataError(f"{path} and {files[name]} have the same name {name!r}; keep one of them")
        files[name] = path
    return files


def splits_as_told(told: Splits | str, names: list[str], images: Path, title: str) -> dict[str, list[str]]:
    """The names of each split: "folders" if the first folder of each name is its split, or as they are listed.

    Args:
        told: see `from_folder`.
        names: those of all pairs.
        images: the folder of images, for messages.
        title: what the dataset is called, for messages.

    Raises:
        DataError: a list cannot be read, or holds a name twice or one that there is not; a name has no folder.
    """
    if isinstance(told, str):
        splits: dict[str, list[str]] = {"train": [], "val": [], "test": []}
        for name in names:
            split, inside, _ = name.partition("/")
            if not inside:
                raise DataError(f"{name!r} lies in no folder of a split, such as {images / 'train'}")
            splits.setdefault(split, []).append(name)
        return splits
    splits = {split: _listed(split, names_of_one) for split, names_of_one in told.items()}
    place: dict[str, str] = {}
    for split, listed in splits.items():
        for name in listed:
            if name in place:
                raise DataError(f"{name!r} is listed twice: in {place[name]} and in {split}")
            place[name] = split
            if name not in names:
                raise DataError(f"the {split} split lists {name!r}, but {images} has no such image")
    if left := [name for name in names if name not in place]:
        warnings.warn(f"{title}: {len(left)} images are in no split, {left[0]!r} the first", stacklevel=2)
    return splits


def _listed(split: str, names: Sequence[str] | str | os.PathLike[str]) -> list[str]:
    """The names of a split: those given, or those in the file whose path is given; DataError if it cannot be read."""
    if isinstance(names, (str, os.PathLike)):
        names = [line.strip() for line in read_text(Path(names), f"the list of the {split} split").splitlines()]
    elif not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise DataError(f"the {split} split is a list of names, or the path of a file with one a line; got {names!r}")
    return [_composed(name) for name in names if name]


def _composed(name: str) -> str:
    """A name with one spelling of each letter: macOS may write an accent as a character of its own."""
    return unicodedata.normalize("NFC", name)

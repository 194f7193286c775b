"""A reader's own images as the ``patlib.toml`` of their folder describes them."""

from __future__ import annotations

import dataclasses
import os
import tomllib

from patlib.datasets.decode import read_text
from patlib.datasets.own import OwnData, absolute
from patlib.datasets.sources import Dataset
from patlib.datasets.spec import DataError

FILE = "patlib.toml"


def is_folder(name: str) -> bool:
    """Whether the name of a dataset is a path: it holds a separator, or such a folder has a ``patlib.toml``."""
    # os.path's answer is no for a name that no file system can have; Path raises what the system says.
    return "/" in name or os.sep in name or name in (".", "..", "~") or os.path.isfile(os.path.join(name, FILE))


def read_folder(path: str | os.PathLike[str]) -> Dataset:
    """The dataset that the ``patlib.toml`` of a folder describes.

    Its keys are arguments of :func:`~patlib.datasets.from_folder`. ``images`` and ``masks`` are relative to the folder;
    without them the folders ``images`` and ``masks`` are used. ``seed`` and ``name`` are not among the keys: the
    dataset has the name of the folder.

    Raises:
        DataError: there is no such file, or something in it is missing, unknown or wrong.
    """
    folder = absolute(path)
    file = folder / FILE
    if not os.path.lexists(file):
        raise DataError(
            f"{file} is missing; a dataset of your own is a folder with that file, in which at least stand\n"
            '  classes = ["background", "cell"]\n  size = [256, 256]  # height, width'
        )
    try:
        told = tomllib.loads(read_text(file, "the description of a dataset"))
    except (ValueError, RecursionError) as error:  # tomllib's errors are ValueErrors
        raise DataError(f"{file}: cannot be read ({error})") from error
    known = {field.name for field in dataclasses.fields(OwnData)} - {"name"}
    if unknown := sorted(told.keys() - known):
        raise DataError(f"{file}: {unknown[0]!r} is not one of its keys, which are {', '.join(sorted(known))}")
    if missing := sorted({"classes", "size"} - told.keys()):
        raise DataError(f"{file}: {missing[0]!r} is missing")
    try:
        if "label_map" in told:
            # TOML's keys are texts.
            told["label_map"] = {int(value): class_id for value, class_id in told["label_map"].items()}
        if told.get("ignore") is False:  # TOML has no None
            told["ignore"] = None
        if isinstance(told.get("splits"), dict):
            lists = told["splits"].items()
            told["splits"] = {name: folder / value if isinstance(value, str) else value for name, value in lists}
        for key in ("images", "masks"):
            if not isinstance(place := told.get(key, key), str):
                raise ValueError(f"{key} is the path of a folder; got {place!r}")
            told[key] = absolute(folder / place)
        return OwnData(**told, name=folder.name).dataset()
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{file}: {error}") from error

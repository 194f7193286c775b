"""The manifest of a prepared folder, and the arrays beside it, which are compared with it whenever they are opened."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from patlib.datasets.spec import DataError
from patlib.files import sha256

FORMAT = 1
"""Raise it when the arrays or the manifest change meaning: older folders are then prepared again."""


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a prepared folder; None if there is no folder, or if it has an earlier format.

    Raises:
        DataError: the folder is there but its manifest cannot be read, or was changed.
    """
    if not folder.exists():
        return None
    path = folder / "manifest.json"
    try:
        if path.exists() and not path.is_file():
            raise ValueError("it is no file")
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            return None
        stated = manifest.pop("sha256", None)  # which manifests had not at first
        if stated is not None and stated != manifest_digest(manifest):
            raise ValueError("its content does not have the SHA-256 that it states")
        return manifest
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read ({error!r}). {mend(folder)}") from error


def manifest_digest(manifest: dict[str, Any]) -> str:
    """The SHA-256 that a manifest with this content states."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def open_arrays(folder: Path, manifest: dict[str, Any]) -> dict[str, np.ndarray]:
    """Compare every array with the manifest, then map it read-only into memory.

    Sizes and SHA-256 sums are compared each time; the sums read all bytes once, at about 1 GB/s.

    Returns:
        Arrays by file name without its suffix, such as `train_images`.

    Raises:
        DataError: naming the first array that is missing or differs.
    """
    arrays = {}
    expected_of = {f"{split}_{kind}.npy" for split in manifest["splits"] for kind in ("images", "masks")}
    if manifest["arrays"].keys() != expected_of:
        raise DataError(f"{folder / 'manifest.json'}: its arrays are not those of its splits. {mend(folder)}")
    for name, expected in manifest["arrays"].items():
        path = folder / name
        actual = path.stat().st_size if path.is_file() else None
        if actual != expected["bytes"]:
            raise DataError(f"{path}: expected {expected['bytes']} bytes, found {actual}. {mend(folder)}")
        if sha256(path) != expected["sha256"]:
            raise DataError(f"{path}: its content has changed since it was prepared (SHA-256 differs). {mend(folder)}")
        arrays[path.stem] = np.load(path, mmap_mode="r")
    return arrays


def mend(folder: Path) -> str:
    """How a prepared folder that is damaged is mended, as a part of a message."""
    return f"Delete the folder {folder} and prepare again."

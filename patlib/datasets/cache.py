"""The arrays of a prepared dataset on disk: written atomically, checked whenever they are opened.

One folder a dataset, size, protocol and seed:

    <cache>/camvid-90x120/
        manifest.json         names, counts, checksums, a fingerprint of the source files
        train_images.npy      (M, H, W, 3) uint8
        train_masks.npy       (M, H, W) uint8, class ids and 255 for void
        val_..., test_...     and those of further splits, where the protocol has any

Shapes use M images in a split, H rows, W columns.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from patlib.datasets.sources import SPLITS, Item, Source
from patlib.datasets.spec import IGNORE_INDEX, DataError, DatasetSpec

FORMAT = 1
"""Raise it when the arrays or the manifest change meaning: older folders are then prepared again."""


def fingerprint(source: Source) -> str:
    """A digest of the name, byte size and modification time of every source file: no file is read."""
    digest = hashlib.sha256(source.told.encode())
    for path in sorted(source.files):
        facts = path.stat()
        digest.update(f"{path.relative_to(source.root).as_posix()}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def write_arrays(folder: Path, spec: DatasetSpec, size: tuple[int, int], source: Source, progress: bool) -> None:
    """Prepare into a temporary sibling, then rename: a crash leaves no half `folder`, and two writers never mix.

    Raises:
        DataError: a source file is missing or damaged, or a split is missing or empty.
    """
    for split in dict.fromkeys([*SPLITS, *source.splits]):
        if not source.splits.get(split):
            message = f"{spec.name}: the {split} split is empty in {source.root}. Get it again:\n{spec.how_to_get}"
            raise DataError(message)
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "dataset": spec.name,
        "size": list(size),
        "source": fingerprint(source),
        "splits": {},
        "arrays": {},
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        total = sum(len(items) for items in source.splits.values())
        quiet = {} if progress else {"disable": True}  # not disable=False, which would overrule TQDM_DISABLE
        with tqdm(total=total, desc=f"preparing {folder.name}", unit="image", **quiet) as bar:
            for split, items in source.splits.items():
                manifest["splits"][split] = _write_split(work, split, items, spec, size, bar)
        for path in sorted(work.iterdir()):
            manifest["arrays"][path.name] = {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        (work / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        work.chmod(0o755)
        _publish(work, folder, manifest["source"])
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write_split(
    work: Path, split: str, items: list[Item], spec: DatasetSpec, size: tuple[int, int], bar: tqdm
) -> dict[str, Any]:
    """Write the two arrays of one split; returns its part of the manifest."""
    height, width = size
    shape = (len(items), height, width)
    images = np.lib.format.open_memmap(work / f"{split}_images.npy", mode="w+", dtype=np.uint8, shape=(*shape, 3))
    masks = np.lib.format.open_memmap(work / f"{split}_masks.npy", mode="w+", dtype=np.uint8, shape=shape)
    counts = np.zeros(256, dtype=np.int64)
    for i, item in enumerate(items):
        image, mask = item.load()
        # Pillow's BILINEAR widens with the scale, so shrinking averages instead of skipping pixels.
        images[i] = image.resize((width, height), Image.Resampling.BILINEAR)
        # Class ids are names, not quantities: between road (3) and car (8) there is no 5.5. Interpolation would invent
        # thin rims of classes that are not in the image, and a loss that weights by 1/size would heed those most.
        masks[i] = mask.resize((width, height), Image.Resampling.NEAREST)
        counts += np.bincount(masks[i].ravel(), minlength=256)
        bar.update()
    images.flush()
    masks.flush()
    return {
        "names": [item.name for item in items],
        "class_pixels": counts[: spec.num_classes].tolist(),
        "void_pixels": int(counts[IGNORE_INDEX]),
    }


def _publish(work: Path, folder: Path, source: str) -> None:
    """Rename the finished folder into place, unless another process has just put the same one there."""
    for attempt in range(3):
        try:
            os.rename(work, folder)
            return
        except OSError:
            if attempt == 2:
                raise
            there = read_manifest(folder)
            if there is not None and there["source"] == source:
                return
            # What is there is older. Move it away in one step; whoever has its arrays open keeps them.
            stale = work.with_name(f"{work.name}-old")
            with contextlib.suppress(FileNotFoundError):
                os.rename(folder, stale)
            shutil.rmtree(stale, ignore_errors=True)


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a prepared folder; None if there is no folder, or if an earlier format wrote it.

    Raises:
        DataError: the folder is there but its manifest cannot be read.
    """
    if not folder.exists():
        return None
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        return manifest if manifest["format"] == FORMAT else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: cannot be read ({error!r}). {_mend(folder)}") from error


def open_arrays(folder: Path, manifest: dict[str, Any]) -> dict[str, np.ndarray]:
    """Compare every array with the manifest, then map it read-only into memory.

    Sizes and SHA-256 sums are compared each time; the sums read all bytes once, at about 1 GB/s.

    Returns:
        Arrays by file name without its suffix, such as `train_images`.

    Raises:
        DataError: naming the first array that is missing or differs.
    """
    arrays = {}
    for name, expected in manifest["arrays"].items():
        path = folder / name
        actual = path.stat().st_size if path.is_file() else None
        if actual != expected["bytes"]:
            raise DataError(f"{path}: expected {expected['bytes']} bytes, found {actual}. {_mend(folder)}")
        if _sha256(path) != expected["sha256"]:
            raise DataError(f"{path}: its content has changed since it was prepared (SHA-256 differs). {_mend(folder)}")
        arrays[path.stem] = np.load(path, mmap_mode="r")
    return arrays


def _mend(folder: Path) -> str:
    return f"Delete the folder {folder} and prepare again."


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

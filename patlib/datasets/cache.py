"""The arrays of a prepared dataset on disk: written atomically, checked whenever they are opened.

Each combination of dataset, size, protocol and seed has a folder:

    <cache>/camvid-90x120/
        manifest.json         names, counts, checksums, a fingerprint of the source files
        train_images.npy      (M, H, W, 3) uint8
        train_masks.npy       (M, H, W) uint8, class ids and 255 for void
        val_..., test_...     and those of further splits, where the protocol has any

Shapes use M images in a split, H rows, W columns.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import io
import json
import math
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from PIL import Image
from tqdm import tqdm

from patlib.datasets.manifest import FORMAT, manifest_digest, read_manifest
from patlib.datasets.sources import Item, Source, check_splits, fingerprint
from patlib.datasets.spec import IGNORE_INDEX, DataError, DatasetSpec
from patlib.files import lock_holder, reserve, sha256, to_disk


def write_arrays(folder: Path, spec: DatasetSpec, size: tuple[int, int], source: Source, progress: bool) -> None:
    """Write the arrays of every split into a temporary folder beside `folder`, and rename that when it is complete.

    A crash therefore leaves no incomplete `folder`. If two processes want the same folder, one prepares it, and the
    other waits and then finds it. What a killed process left behind is removed by the next one.

    Raises:
        DataError: a source file is missing, damaged or changed meanwhile, a split is missing or empty, a name is in two
            splits, or the disk of the cache is full.
    """
    height, width = size
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _only_writer(folder):
            there = read_manifest(folder)
            if there is not None and there["source"] == fingerprint(source):
                return
            if source.draw is not None:
                source = dataclasses.replace(source, splits=source.draw(progress))
            check_splits(spec, source)
            _write(folder, spec, size, source, progress)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        free = shutil.disk_usage(folder.parent).free
        needed = sum(len(items) for items in source.splits.values()) * height * width * 4
        raise DataError(
            f"the disk of {folder.parent} is full: {spec.name} at {height}x{width} needs {needed / 1e6:.1f} MB there, "
            f"and {free / 1e6:.1f} MB are free. Make room, or set PATLIB_CACHE to a folder on another disk"
        ) from error


def clear_up(folder: Path) -> None:
    """Remove what a preparation left that was killed when its folder was there already; nothing if one is going on."""
    lock = _lock_of(folder)
    if os.path.exists(lock.lock_file):
        # What cannot be locked or removed (another user's cache, no flock) harms nobody: the folder is whole.
        with contextlib.suppress(OSError, NotImplementedError), lock.acquire(blocking=False):
            _sweep(folder)
            Path(lock.lock_file).unlink(missing_ok=True)


def _lock_of(folder: Path) -> FileLock:
    return FileLock(folder.with_name(f".{folder.name}.lock"))


@contextlib.contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    """Hold the lock of a prepared folder while others wait, and remove what killed processes left behind."""
    lock = _lock_of(folder)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        # Always said: one that hangs would else keep a whole grid waiting without a word.
        holder = lock_holder(Path(lock.lock_file))
        tqdm.write(f"{folder} is being prepared by another process{holder}; waiting for it", file=sys.stderr)
        lock.acquire()
    try:
        _sweep(folder)
        yield
    finally:
        # Safe because whoever waits for this file, or makes a new one, looks for the manifest next.
        with contextlib.suppress(PermissionError):  # Windows removes no open file
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _sweep(folder: Path) -> None:
    """Remove the work folders of killed processes: of ``folder``, whose lock is held, and of those not in work."""
    for left in folder.parent.glob(".*-work-*"):
        name = left.name[1:].rpartition("-work-")[0]
        if name == folder.name:
            shutil.rmtree(left, ignore_errors=True)
            continue
        # It is left where it is if it is being prepared, and where its lock is another user's or no lock at all.
        lock = _lock_of(left.with_name(name))
        with contextlib.suppress(OSError), lock.acquire(blocking=False):
            shutil.rmtree(left, ignore_errors=True)
            Path(lock.lock_file).unlink(missing_ok=True)


def _write(folder: Path, spec: DatasetSpec, size: tuple[int, int], source: Source, progress: bool) -> None:
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "dataset": spec.name,
        "size": list(size),
        "source": fingerprint(source),
        "splits": {},
        "arrays": {},
    }
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-work-", dir=folder.parent))
    try:
        shapes: dict[str, tuple[int, ...]] = {}
        shapes |= {f"{split}_masks": (len(items), *size) for split, items in source.splits.items()}
        shapes |= {f"{split}_images": (len(items), *size, 3) for split, items in source.splits.items()}
        reserve({work / f"{name}.npy": len(_head(shape)) + math.prod(shape) for name, shape in shapes.items()})
        total = sum(len(items) for items in source.splits.values())
        quiet = {} if progress else {"disable": True}  # not disable=False, which would overrule TQDM_DISABLE
        with tqdm(total=total, desc=f"preparing {folder.name}", unit="image", **quiet) as bar:
            for split, items in source.splits.items():
                manifest["splits"][split] = _write_split(work, split, items, spec, size, bar)
        if fingerprint(source) != manifest["source"]:
            raise DataError(
                f"{source.root}: files of {spec.name} were changed while they were prepared. Prepare again when nobody "
                "writes there"
            )
        for path in sorted(work.iterdir()):
            manifest["arrays"][path.name] = {"bytes": path.stat().st_size, "sha256": sha256(path)}
        stated = {**manifest, "sha256": manifest_digest(manifest)}
        (work / "manifest.json").write_text(json.dumps(stated, indent=1), encoding="utf-8")
        work.chmod(0o755)
        for path in (*work.iterdir(), work):
            to_disk(path)  # before it is renamed, or a power cut could leave the name without the content
        _publish(work, folder)
        to_disk(folder.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _head(shape: tuple[int, ...]) -> bytes:
    """What an .npy file of uint8 begins with."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.getvalue()


def _write_split(
    work: Path, split: str, items: list[Item], spec: DatasetSpec, size: tuple[int, int], bar: tqdm
) -> dict[str, Any]:
    """Write the two arrays of one split; returns its part of the manifest."""
    height, width = size
    counts = np.zeros(256, dtype=np.int64)
    # Written in turn and not through a memory map: where no space is reserved, a map kills the process on a full disk.
    with (work / f"{split}_images.npy").open("r+b") as images, (work / f"{split}_masks.npy").open("r+b") as masks:
        for file, whole in ((images, (len(items), height, width, 3)), (masks, (len(items), height, width))):
            file.write(_head(whole))
        for item in items:
            image, mask = item.load()
            # Pillow's BILINEAR widens with the scale, so shrinking averages instead of skipping pixels.
            images.write(image.resize((width, height), Image.Resampling.BILINEAR).tobytes())
            # Class ids are names, not quantities: between road (3) and car (8) there is no 5.5. Interpolation would
            # invent thin rims of classes that are not in the image, and a loss that weights by 1/size would heed those
            # most.
            labels = mask.resize((width, height), Image.Resampling.NEAREST).tobytes()
            masks.write(labels)
            counts += np.bincount(np.frombuffer(labels, dtype=np.uint8), minlength=256)
            bar.update()
    return {
        "names": [item.name for item in items],
        "class_pixels": counts[: spec.num_classes].tolist(),
        "void_pixels": int(counts[IGNORE_INDEX]),
    }


def _publish(work: Path, folder: Path) -> None:
    """Rename the finished folder to its place; an older one is removed, but whoever has its arrays open keeps them."""
    stale = work.with_name(f"{work.name}-old")
    with contextlib.suppress(FileNotFoundError):
        os.rename(folder, stale)
    os.rename(work, folder)
    shutil.rmtree(stale, ignore_errors=True)

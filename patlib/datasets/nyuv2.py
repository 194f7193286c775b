"""NYUv2: rooms seen by a depth camera, of which the colour images are used, with 13 classes.

Two forms are read. If both are there, the first is:

- `nyu_depth_v2_labeled.mat`, 1,449 images of 640x480 with 894 names, as published. Beside it lie `classMapping40.mat`,
  whose `mapClass` gives each name one of 40 classes, and `splits.mat`, whose `trainNdxs` and `testNdxs` number the
  images from 1. `TO_13` takes the 40 classes to 13. Needs h5py. The borders without labels are not cut off.
- `train/image/<i>.npy` and `train/label/<i>.npy`, 795 of each, and 654 under `val`, which is the published test: the
  copy at 384x288 that Liu, Johns and Davison share. Images (H, W, 3) are uint8 or floats in [0, 1]; labels (H, W) hold
  the classes 0..12, and -1 for void.

Two protocols; the same seed draws other images in the other form:

- "paper": all 1,449 images pooled, then split 0.8 / 0.1 / 0.1 by seed (1,159 / 145 / 145), as section 5 of the PAT
  paper states. Many images show the same room, so the pool puts one room into train and test.
- "official": `test` is the published test of 654 images; a tenth of the published train, drawn by seed, becomes `val`.
"""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from patlib.datasets.sources import Item, Pair, Source, load_pair, require_pair
from patlib.datasets.spec import IGNORE_INDEX, DataError, DatasetSpec
from patlib.datasets.splits import pooled, val_from_train

# No two are alike under any common kind of colour blindness.
CLASSES = {
    "Bed": (173, 3, 255),
    "Books": (219, 121, 0),
    "Ceiling": (177, 154, 253),
    "Chair": (85, 79, 58),
    "Floor": (177, 120, 79),
    "Furniture": (33, 36, 18),
    "Objects": (174, 217, 255),
    "Picture": (129, 63, 193),
    "Sofa": (108, 255, 161),
    "Table": (240, 208, 83),
    "TV": (92, 26, 70),
    "Wall": (68, 133, 158),
    "Window": (81, 0, 131),
}

LABELED = "nyu_depth_v2_labeled.mat"

SPEC = DatasetSpec(
    name="nyuv2",
    title="NYUv2, 13 classes",
    classes=tuple(CLASSES),
    palette=tuple(CLASSES.values()),
    paper_size=(256, 340),
    default_size=(72, 96),
    licence="none stated; the authors ask to be cited",
    citation=(
        "N. Silberman, D. Hoiem, P. Kohli, R. Fergus. Indoor segmentation and support inference from RGBD images. ECCV "
        "2012. 40 classes: S. Gupta, P. Arbelaez, J. Malik. CVPR 2013. 13 classes: C. Couprie, C. Farabet, L. Najman, "
        "Y. LeCun. ICLR 2013."
    ),
    how_to_get=(
        "  export PATLIB_DATA=/where/your/data/lie\n"
        '  mkdir -p "$PATLIB_DATA/nyuv2" && cd "$PATLIB_DATA/nyuv2"\n'
        "  curl -LO http://horatio.cs.nyu.edu/mit/silberman/nyu_depth_v2/nyu_depth_v2_labeled.mat  # 2.8 GB\n"
        "  curl -LO http://horatio.cs.nyu.edu/mit/silberman/indoor_seg_sup/splits.mat\n"
        "  curl -LO https://github.com/ankurhanda/nyuv2-meta-data/raw/master/classMapping40.mat\n"
        "  pip install h5py\n"
        "so that $PATLIB_DATA/nyuv2 has these three files; or unpack there the 13-class copy that\n"
        "https://github.com/lorenmt/mtan links to, so that it has {train,val}/{image,label}/<number>.npy."
    ),
    folder="nyuv2",
    layout=("train/image", "train/label", "val/image", "val/label"),
    protocols=("paper", "official"),
    seeded=True,
)

# Which of the 13 each of the 40 classes (wall, floor, cabinet, bed, ... other prop) is, both counted from 1.
TO_13 = (
    12, 5, 6, 1, 4, 9, 10, 12, 13, 6, 8, 6, 13, 10, 6, 13, 6, 7, 7, 5, 7, 3, 2, 6, 11, 7, 7, 7, 7, 7, 7, 6, 7, 7, 7, 7,
    7, 7, 6, 7,
)  # fmt: skip

LABELS = {-1: IGNORE_INDEX, **{value: value for value in range(len(CLASSES))}}
"""The labels of the arrays."""


def source(root: Path, protocol: str, seed: int) -> Source:
    """The splits of the copy in `root`, whichever form it has.

    Raises:
        DataError: a file is missing, or h5py is needed and not installed.
    """
    train, test, files = _in_mat(root) if (root / LABELED).is_file() else _in_tree(root)
    every = train | test
    splits = pooled(every, seed) if protocol == "paper" else val_from_train(train, test, seed)
    items = {split: [every[name] for name in sorted(names)] for split, names in splits.items()}
    return Source(root, tuple(files), items)


Found = tuple[dict[str, Item], dict[str, Item], list[Path]]
"""The published train and test by name, and the files that hold them."""


def _in_tree(root: Path) -> Found:
    items: dict[str, dict[str, Item]] = {}
    files: list[Path] = []
    for split in ("train", "val"):
        images, labels = root / split / "image", root / split / "label"
        for folder in (images, labels):
            if not folder.is_dir():
                raise DataError(
                    f"nyuv2: neither {root / LABELED} nor the folder {folder} is there. To get it:\n{SPEC.how_to_get}"
                )
        items[split] = {}
        for stem in sorted({path.stem for folder in (images, labels) for path in folder.glob("*.npy")}):
            name = f"{split}_{stem.zfill(4)}"
            image, label = images / f"{stem}.npy", labels / f"{stem}.npy"
            require_pair(name, image, label, SPEC)
            items[split][name] = Item(name, partial(load_pair, image, label, LABELS, ()))
            files += [image, label]
    return items["train"], items["val"], files


def _in_mat(root: Path) -> Found:
    labeled, mapping, split = files = [root / LABELED, root / "classMapping40.mat", root / "splits.mat"]
    to_40 = _variable(mapping, "mapClass")
    if not np.isin(to_40, np.arange(1, 41)).all():
        raise DataError(f"{mapping}: mapClass holds values outside 1..40. Get it again:\n{SPEC.how_to_get}")
    # By name: 0 is unlabelled. Classes are counted from 0 here.
    table = np.array([IGNORE_INDEX, *(np.array(TO_13)[to_40 - 1] - 1)], dtype=np.uint8)
    items: dict[str, dict[str, Item]] = {}
    for key in ("trainNdxs", "testNdxs"):
        rows = {f"{number:04d}": number - 1 for number in _variable(split, key)}
        items[key] = {name: Item(name, partial(_load_from_mat, labeled, row, table)) for name, row in rows.items()}
    return items["trainNdxs"], items["testNdxs"], files


def _variable(path: Path, name: str) -> np.ndarray:
    """A variable of a MATLAB file before version 7.3, as a row of int64."""
    from scipy.io import loadmat  # takes a moment, and only this form of this dataset needs it

    if not path.is_file():
        raise DataError(f"nyuv2: {path} is missing. To get it:\n{SPEC.how_to_get}")
    try:
        return loadmat(path)[name].ravel().astype(np.int64)
    except (OSError, ValueError, NotImplementedError, KeyError) as error:
        message = f"{path}: expected a MATLAB file with the variable {name} ({error!r}). Get it again:\n"
        raise DataError(message + SPEC.how_to_get) from error


def _load_from_mat(path: Path, index: int, table: np.ndarray) -> Pair:
    """Image and labels of one row of the published file, which stores columns first: (N, 3, W, H) and (N, W, H)."""
    try:
        with _h5py().File(path, "r") as file:
            image, label = file["images"][index].transpose(2, 1, 0), file["labels"][index].T
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise DataError(f"{path}: image {index + 1} cannot be read ({error}). Get the file again.") from error
    if label.max() >= len(table):
        raise DataError(
            f"{path}: image {index + 1} has the label {label.max()}, but classMapping40.mat knows {len(table) - 1} "
            f"names. Get both again:\n{SPEC.how_to_get}"
        )
    return Image.fromarray(np.ascontiguousarray(image)), Image.fromarray(table[label])


def _h5py() -> Any:
    """The reader of MATLAB's later files, which only this form of this dataset needs."""
    try:
        return importlib.import_module("h5py")
    except ImportError as error:
        raise DataError(f"nyuv2: reading {LABELED} needs h5py: pip install h5py") from error

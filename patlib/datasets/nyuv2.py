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

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from patlib.datasets.decode import ARRAY
from patlib.datasets.download import Remote, fetch
from patlib.datasets.matlab import read_numbers, read_rows
from patlib.datasets.sources import Item, Pair, Source, known_files, load_pair, refuse_repeats, require_pair
from patlib.datasets.spec import IGNORE_INDEX, DataError, DatasetSpec
from patlib.datasets.splits import pooled, val_from_train
from patlib.install import require_extra

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
        "  pip install 'patlib[nyuv2]'\n"
        '  patlib data prepare nyuv2 --download     (3 GB into "$PATLIB_DATA/nyuv2")\n'
        "or, by hand,\n"
        '  mkdir -p "$PATLIB_DATA/nyuv2" && cd "$PATLIB_DATA/nyuv2"\n'
        "  curl -LO https://horatio.cs.nyu.edu/mit/silberman/nyu_depth_v2/nyu_depth_v2_labeled.mat\n"
        "  curl -LO https://horatio.cs.nyu.edu/mit/silberman/indoor_seg_sup/splits.mat\n"
        "  curl -LO https://github.com/ankurhanda/nyuv2-meta-data/raw/master/classMapping40.mat\n"
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

FILES = {
    "classMapping40.mat": Remote("https://github.com/ankurhanda/nyuv2-meta-data/raw/master/classMapping40.mat"),
    "splits.mat": Remote(
        "https://horatio.cs.nyu.edu/mit/silberman/indoor_seg_sup/splits.mat",
        "6e081404491a8bfba2f066beaa9713ef6046f9007aa5f799f2a350506a580cee",
    ),
    LABELED: Remote(
        "https://horatio.cs.nyu.edu/mit/silberman/nyu_depth_v2/nyu_depth_v2_labeled.mat",
        "2d724b0c0ab358aa1ce5df855e5bd14a2279ab7202efe22f32a30d612dcb86aa",
    ),
}
"""The checksums are those that several public projects state; of the mapping, for which none is known, the content is
checked."""
NAMES = 894
"""What the mapping gives a class each."""

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


def download(root: Path, progress: bool = True) -> None:
    """Fetch the published file, its splits and the mapping to 40 classes into `root/nyuv2`; the small ones first.

    Raises:
        DataError: the network failed, or a file is not the one that was published.
        MissingExtraError: h5py is not installed, without which the 3 GB could not be read.
    """
    require_extra("nyuv2", "h5py")
    for name, remote in FILES.items():
        path = root / SPEC.folder / name
        if path.is_file():  # somebody's own, perhaps: neither replaced nor removed
            continue
        fetch(remote, path, progress)
        if not remote.sha256:
            classes = _numbers(path, "mapClass")
            if classes.size != NAMES or set(classes.tolist()) != set(range(1, 41)):
                path.unlink()
                raise DataError(f"{remote.url}: mapClass does not take {NAMES} names to the classes 1..40; removed it")


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
        for stem in sorted({path.stem for folder in (images, labels) for path in known_files(folder, (ARRAY,))}):
            name = f"{split}_{stem.zfill(4)}"
            image, label = images / f"{stem}.npy", labels / f"{stem}.npy"
            require_pair(name, image, label, SPEC)
            items[split][name] = Item(name, partial(load_pair, image, label, LABELS, ()))
            files += [image, label]
    return items["train"], items["val"], files


def _in_mat(root: Path) -> Found:
    labeled, mapping, split = files = [root / LABELED, root / "classMapping40.mat", root / "splits.mat"]
    to_40 = _numbers(mapping, "mapClass")
    if not np.isin(to_40, np.arange(1, 41)).all():
        raise DataError(f"{mapping}: mapClass holds values outside 1..40. Get it again:\n{SPEC.how_to_get}")
    # By name: 0 is unlabelled. Classes are counted from 0 here.
    table = np.array([IGNORE_INDEX, *(np.array(TO_13)[to_40 - 1] - 1)], dtype=np.uint8)
    items: dict[str, dict[str, Item]] = {}
    listed: list[str] = []
    for key in ("trainNdxs", "testNdxs"):
        numbers = _numbers(split, key)
        if not (numbers > 0).all():
            raise DataError(f"{split}: {key} holds numbers below 1. Get it again:\n{SPEC.how_to_get}")
        rows = {f"{number:04d}": int(number) - 1 for number in numbers}
        items[key] = {name: Item(name, partial(_load_from_mat, labeled, row, table)) for name, row in rows.items()}
        listed += [f"{number:04d}" for number in numbers]
    refuse_repeats(listed, split)
    return items["trainNdxs"], items["testNdxs"], files


def _numbers(path: Path, name: str) -> np.ndarray:
    if not path.is_file():
        raise DataError(f"nyuv2: {path} is missing. To get it:\n{SPEC.how_to_get}")
    return read_numbers(path, name)


def _load_from_mat(path: Path, index: int, table: np.ndarray) -> Pair:
    """Image and labels of one row of the published file, which stores columns first: (N, 3, W, H) and (N, W, H)."""
    image, label = (row.T for row in read_rows(path, index, "images", "labels"))
    if image.dtype != np.uint8 or label.dtype.kind != "u" or image.shape != (*label.shape, 3):
        raise DataError(
            f"{path}: image {index + 1} is {image.dtype} of shape {image.shape} and its labels {label.dtype} of shape "
            f"{label.shape}; expected uint8 (H, W, 3) and unsigned integers (H, W). Get the file again."
        )
    if label.max() >= len(table):
        raise DataError(
            f"{path}: image {index + 1} has the label {label.max()}, but classMapping40.mat knows {len(table) - 1} "
            f"names. Get both again:\n{SPEC.how_to_get}"
        )
    return Image.fromarray(np.ascontiguousarray(image)), Image.fromarray(table[label])

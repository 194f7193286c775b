"""Cityscapes: streets of 50 cities in and around Germany, 2048x1024, with the 19 classes of its benchmark.

Expected layout, that of the two archives: `leftImg8bit/<split>/<city>/<city>_<seq>_<frame>_leftImg8bit.png` and
`gtFine/<split>/<city>/<city>_<seq>_<frame>_gtFine_labelIds.png`, for the splits train (2,975 images) and val (500). Of
the 34 raw label ids 19 are classes; the other 15 are void here, as in the benchmark. The published `test` is not used:
its label files are dummies, because the benchmark's server keeps the true ones.

Two protocols; what they call test is therefore never the benchmark's:

- "paper": the 3,475 labelled images of train and val pooled, then split 0.8 / 0.1 / 0.1 by seed, as section 5 of the
  PAT paper states (2,780 / 347 / 348). The paper speaks of roughly 1,500 images and does not say which.
- "official": `test` is the published val; a tenth of the published train, drawn by seed, becomes `val`
  (2,678 / 297 / 500). No city of `test` is in train.
"""

from __future__ import annotations

from pathlib import Path

from patlib.datasets.sources import Source, paired_source, refuse_repeats
from patlib.datasets.spec import IGNORE_INDEX, DataError, DatasetSpec
from patlib.datasets.splits import pooled, val_from_train

# The colours of the benchmark, which readers know by heart; not all can be told apart without red or green cones.
CLASSES = {
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "car": (0, 0, 142),
    "truck": (0, 0, 70),
    "bus": (0, 60, 100),
    "train": (0, 80, 100),
    "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
}

SPEC = DatasetSpec(
    name="cityscapes",
    title="Cityscapes",
    classes=tuple(CLASSES),
    palette=tuple(CLASSES.values()),
    paper_size=(256, 512),
    default_size=(64, 128),
    licence="its own: registration, not commercial, no redistribution",
    citation=(
        "M. Cordts, M. Omran, S. Ramos, T. Rehfeld, M. Enzweiler, R. Benenson, U. Franke, S. Roth, B. Schiele. The "
        "Cityscapes dataset for semantic urban scene understanding. CVPR 2016."
    ),
    how_to_get=(
        "  register at https://www.cityscapes-dataset.com/register/ (free for research), then\n"
        "  export PATLIB_DATA=/where/your/data/lie\n"
        '  mkdir -p "$PATLIB_DATA/cityscapes" && cd "$PATLIB_DATA/cityscapes"\n'
        "  pip install cityscapesscripts && csDownload gtFine_trainvaltest.zip leftImg8bit_trainvaltest.zip\n"
        "  unzip -n gtFine_trainvaltest.zip && unzip -n leftImg8bit_trainvaltest.zip\n"
        "or get the two archives (0.25 and 11 GB) by hand from https://www.cityscapes-dataset.com/downloads/, so that\n"
        "$PATLIB_DATA/cityscapes has leftImg8bit/{train,val} and gtFine/{train,val}, each with a folder for each city."
    ),
    folder="cityscapes",
    layout=("leftImg8bit/train", "leftImg8bit/val", "gtFine/train", "gtFine/val"),
    protocols=("paper", "official"),
    seeded=True,
    formats=("PNG",),
)

# From raw label ids to classes, in the order of the classes; every other id of the 34 is void.
CLASS_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
LABELS = {**dict.fromkeys(range(34), IGNORE_INDEX), **{raw: index for index, raw in enumerate(CLASS_IDS)}}
IMAGE, MASK = "_leftImg8bit.png", "_gtFine_labelIds.png"


def source(root: Path, protocol: str, seed: int) -> Source:
    """The splits of the copy in `root`; the same for the same names and seed, in whatever order the files come.

    Raises:
        DataError: a folder, an image or a label file is missing.
    """
    train, val = (_pairs(root, split) for split in ("train", "val"))
    splits = pooled([*train, *val], seed) if protocol == "paper" else val_from_train(train, val, seed)
    return paired_source(root, train | val, splits, LABELS, SPEC)


def _pairs(root: Path, split: str) -> dict[str, tuple[Path, Path]]:
    """Image and label file of each `<city>_<seq>_<frame>` that has either."""
    images, masks = (_tree(root, kind) / split for kind in ("leftImg8bit", "gtFine"))
    for folder in (images, masks):
        if not folder.is_dir():
            raise DataError(f"cityscapes: the folder {folder} is missing. To get the dataset:\n{SPEC.how_to_get}")
    for path in [*images.glob("*/[!.]*"), *(path for path in images.glob("[!.]*") if not path.is_dir())]:
        if path.parent == images or not path.name.endswith(IMAGE):
            raise DataError(
                f"{path}: expected only files that end with {IMAGE}, in a folder for each city; take it out of "
                f"{path.parent}"
            )
    found = [path.relative_to(images).as_posix().removesuffix(IMAGE) for path in images.glob(f"*/*{IMAGE}")]
    found += [path.relative_to(masks).as_posix().removesuffix(MASK) for path in masks.glob(f"*/*{MASK}")]
    refuse_repeats([Path(stem).name for stem in dict.fromkeys(found)], images)
    return {Path(stem).name: (images / f"{stem}{IMAGE}", masks / f"{stem}{MASK}") for stem in found}


def _tree(root: Path, kind: str) -> Path:
    """The folder of images or labels, be it inside one that is named like its archive."""
    unpacked = root / f"{kind}_trainvaltest" / kind
    return unpacked if unpacked.is_dir() else root / kind

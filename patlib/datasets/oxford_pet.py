"""Oxford-IIIT Pet: cats and dogs, each pixel pet, background or the border between them.

Expected layout, that of torchvision's `OxfordIIITPet`: `oxford-iiit-pet/images/*.jpg`, `annotations/trimaps/*.png` and
the lists `annotations/trainval.txt` and `annotations/test.txt`. Trimap values: 1 pet, 2 background, 3 border.

Two protocols:

- "paper": every listed image pooled, then split 0.8 / 0.1 / 0.1 by seed, as section 5 of the PAT paper states (seed 0).
- "official": the lists as published; a tenth of `trainval`, drawn by seed, becomes `val` because the lists have none.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

from patlib.datasets.decode import read_text
from patlib.datasets.sources import Source, paired_source, refuse_repeats
from patlib.datasets.spec import DataError, DatasetSpec
from patlib.datasets.splits import pooled, val_from_train

CLASSES = {
    "pet": (214, 94, 0),
    "background": (40, 60, 110),
    "border": (250, 225, 110),
}

SPEC = DatasetSpec(
    name="oxford_pet",
    title="Oxford-IIIT Pet",
    classes=tuple(CLASSES),
    palette=tuple(CLASSES.values()),
    paper_size=(256, 256),
    default_size=(64, 64),
    licence="CC BY-SA 4.0; the photographs belong to their owners",
    citation="O. M. Parkhi, A. Vedaldi, A. Zisserman, C. V. Jawahar. Cats and dogs. CVPR 2012.",
    how_to_get=(
        "  export PATLIB_DATA=/where/your/data/lie\n"
        '  patlib data prepare oxford_pet --download     (0.8 GB into "$PATLIB_DATA/oxford-iiit-pet")\n'
        "or, by hand, unpack images.tar.gz and annotations.tar.gz of https://www.robots.ox.ac.uk/~vgg/data/pets/ into\n"
        "$PATLIB_DATA/oxford-iiit-pet, so that it has images, annotations/trimaps, annotations/{trainval,test}.txt.\n"
        "After a broken download delete that folder first: half of it passes for the whole."
    ),
    folder="oxford-iiit-pet",
    layout=("images", "annotations"),
    protocols=("paper", "official"),
    seeded=True,
    formats=("JPEG", "PNG", "GIF"),  # a few of its .jpg files are of the other two formats
)

LABELS = {1: 0, 2: 1, 3: 2}


def source(root: Path, protocol: str, seed: int) -> Source:
    """The splits of the copy in `root`; the same for the same names and seed, in whatever order the files come.

    Raises:
        DataError: a list, an image or a trimap is missing.
    """
    lists = [root / "annotations" / "trainval.txt", root / "annotations" / "test.txt"]
    trainval, test = (_names(path) for path in lists)
    refuse_repeats([*trainval, *test], lists[1])
    splits = pooled([*trainval, *test], seed) if protocol == "paper" else val_from_train(trainval, test, seed)
    trimaps = root / "annotations" / "trimaps"
    pairs = {name: (root / "images" / f"{name}.jpg", trimaps / f"{name}.png") for name in sorted([*trainval, *test])}
    return paired_source(root, pairs, splits, LABELS, SPEC, lists)


def download(root: Path, progress: bool = True) -> None:
    """Fetch the dataset into `root/oxford-iiit-pet` with torchvision, which shows its own bar.

    Raises:
        DataError: the network or the archive failed; says how to get the dataset by hand.
    """
    # Importing torchvision takes seconds, and only this function needs it.
    from torchvision.datasets import OxfordIIITPet

    try:
        OxfordIIITPet(root, download=True)
    except (OSError, RuntimeError, tarfile.TarError) as error:
        message = f"oxford_pet: the download into {root} failed ({error}). To get it:\n{SPEC.how_to_get}"
        raise DataError(message) from error


def _names(listing: Path) -> list[str]:
    """The image names in a list file, whose lines are `name class species breed` and whose comments start with #."""
    if not listing.is_file():
        raise DataError(f"oxford_pet: the list {listing} is missing. Get the dataset again:\n{SPEC.how_to_get}")
    lines = (line.split() for line in read_text(listing).splitlines())
    names = [words[0] for words in lines if words and not words[0].startswith("#")]
    refuse_repeats(names, listing)
    return names

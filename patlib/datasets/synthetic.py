"""Synthetic street scenes: a small long-tailed dataset that needs no download.

A seed gives 160 train, 40 val and 40 test images. As in CamVid, road covers more than a hundred times as many pixels as
the rarest class, and the rare classes are absent from about half of the images. There are two kinds of scene, each a
protocol: "drawn" (`street.py`) is hard, and "near" (`street_near.py`) is learnt in half a minute.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from patlib.datasets import street, street_canvas, street_colours, street_near
from patlib.datasets.sources import Item, Pair, Source
from patlib.datasets.spec import DatasetSpec

# The hues of Cityscapes, moved apart until no two are alike under red-green colour blindness.
CLASSES = {
    "Sky": (102, 149, 252),
    "Building": (86, 75, 85),
    "Road": (153, 78, 154),
    "Sidewalk": (242, 151, 224),
    "Vegetation": (72, 160, 61),
    "Car": (12, 0, 171),
    "Pole": (139, 139, 143),
    "Sign": (234, 195, 13),
    "Person": (245, 14, 25),
    "Bicyclist": (116, 6, 3),
}

SPEC = DatasetSpec(
    name="synthetic",
    title="Synthetic street scenes",
    classes=tuple(CLASSES),
    palette=tuple(CLASSES.values()),
    paper_size=(64, 96),
    default_size=(64, 96),
    licence="MIT, as this library",
    citation="Drawn by patlib; not used by the paper.",
    how_to_get="  nothing to get: it is drawn when it is prepared.",
    folder="",
    layout=(),
    protocols=("drawn", "near"),
    seeded=True,
)

COUNTS = {"train": 160, "val": 40, "test": 40}


def source(root: Path, protocol: str, seed: int) -> Source:
    """The scenes of a seed and of one kind, which need no folder; each is drawn from its own random stream.

    Changing a count would therefore not change other scenes.
    """
    splits = {
        split: [Item(f"{split}_{i:03d}", partial(_draw, protocol, seed, number, i)) for i in range(count)]
        for number, (split, count) in enumerate(COUNTS.items())
    }
    # The drawing code is the source: when it changes, what was prepared from it is out of date.
    modules = (street, street_canvas, street_colours, street_near)
    code = (Path(__file__), *(Path(str(module.__file__)) for module in modules))
    return Source(Path(__file__).parent, code, splits)


def _draw(protocol: str, seed: int, split: int, index: int) -> Pair:
    scene = street_near.NearScene if protocol == "near" else street.Scene
    image, mask = scene(np.random.default_rng([seed, split, index])).drawn()
    return Image.fromarray(image), Image.fromarray(mask)

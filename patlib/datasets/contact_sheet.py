"""A contact sheet: images beside their masks, with a legend of the classes."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from patlib.datasets.prepared import PreparedDataset
from patlib.datasets.spec import VOID_COLOUR, colourise

PAIRS_PER_ROW = 3


def contact_sheet(dataset: PreparedDataset, split: str, count: int) -> Figure:
    """Draw `count` images of a split, each with its coloured mask to its right.

    As far as they suffice every class is among them, from the rarest on; the others are spread evenly over the split.
    A bare `Figure` is used, not pyplot: it needs no display and leaves the caller's plotting state alone.

    Raises:
        ValueError: there is no such split.
    """
    if split not in dataset.splits:
        raise ValueError(f"no split is called {split!r}; there are {', '.join(dataset.splits)}")
    chosen = dataset.splits[split]
    count = min(count, len(chosen))
    rows = -(-count // PAIRS_PER_ROW)
    height, width = dataset.size
    figure = Figure(figsize=(12, 12 * rows / PAIRS_PER_ROW * height / (2 * width) + 1.1), dpi=150, layout="constrained")
    axes = figure.subplots(rows, PAIRS_PER_ROW, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, index in zip(axes.flat, images_to_show(chosen.masks, dataset.spec.num_classes, count), strict=False):
        mask = colourise(chosen.masks[index], dataset.spec)
        axis.imshow(np.concatenate([chosen.images[index], mask], axis=1), interpolation="nearest")
    colours = dict(zip(dataset.spec.classes, dataset.spec.palette, strict=True)) | {"void": VOID_COLOUR}
    patches = [
        Patch(facecolor=(red / 255, green / 255, blue / 255), edgecolor="0.4", linewidth=0.5, label=name)
        for name, (red, green, blue) in colours.items()
    ]
    figure.legend(handles=patches, loc="outside lower center", ncols=6, frameon=False)
    figure.suptitle(f"{dataset.spec.title}: {split}, {height}x{width}")
    return figure


def images_to_show(masks: np.ndarray, num_classes: int, count: int) -> list[int]:
    """Which images of a split to draw, in their order: where a class is in few of them, even steps would miss it."""
    pixels = np.stack([np.bincount(mask.ravel(), minlength=256)[:num_classes] for mask in masks])
    chosen: list[int] = []
    for label in pixels.sum(0).argsort():
        if len(chosen) < count and pixels[:, label].any() and not pixels[chosen, label].any():
            chosen.append(int(pixels[:, label].argmax()))
    others = np.setdiff1d(np.arange(len(masks)), chosen)
    even = np.linspace(0, len(others) - 1, count - len(chosen)).astype(int)
    return sorted([*chosen, *others[even].tolist()])

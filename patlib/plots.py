"""Figures shared by the notebooks: one style, one colour a method, images beside masks with their classes named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from patlib.data import DatasetSpec, colourise
from patlib.losses import LOSSES

_PALETTE = sns.color_palette("colorblind")
METHOD_COLOURS = {name: _PALETTE[place] for name, place in zip(LOSSES, (7, 0, 2, 9, 4, 5, 6, 3), strict=True)}
"""One colour-blind-safe colour a method, the same on every page: grey for cross-entropy, vermilion for PAT."""


def use_style() -> None:
    """The look of every figure in the book; call it once, in a notebook's first cell."""
    sns.set_theme(context="notebook", style="ticks", palette="colorblind")
    plt.rcParams.update({
        "figure.dpi": 100, "figure.constrained_layout.use": True, "axes.spines.top": False, "axes.spines.right": False,
        "axes.titlesize": "medium", "legend.frameon": False,
    })  # fmt: skip


def image_rows(rows: Mapping[str, Sequence[np.ndarray]], spec: DatasetSpec, width: float = 9.0) -> Figure:
    """A grid of pictures, one row a name: (H,W,3) uint8 arrays as they are, (H,W) label masks in the dataset's colours.

    Below stands a legend of the classes that the masks hold.
    """
    columns = max(len(pictures) for pictures in rows.values())
    height, breadth = next(iter(rows.values()))[0].shape[:2]
    cell = width / columns
    figure, axes = plt.subplots(
        len(rows), columns, figsize=(width, len(rows) * cell * height / breadth + 0.7), squeeze=False
    )
    for line, (name, pictures) in zip(axes, rows.items(), strict=True):
        for axis, picture in zip(line, pictures, strict=False):
            axis.imshow(picture if picture.ndim == 3 else colourise(picture, spec), interpolation="nearest")
        for axis in line:
            axis.set(xticks=[], yticks=[])
            sns.despine(ax=axis, left=True, bottom=True)
        line[0].set_ylabel(name)
    masks = [picture for pictures in rows.values() for picture in pictures if picture.ndim == 2]
    if masks:
        class_legend(figure, spec, np.unique(np.concatenate([mask.ravel() for mask in masks])))
    return figure


def class_legend(figure: Figure, spec: DatasetSpec, present: Sequence[int] | np.ndarray) -> None:
    """Name the colours of the given class ids below a figure."""
    handles = [
        Patch(facecolor=_hex(spec.palette[label]), edgecolor="0.4", linewidth=0.5, label=spec.classes[label])
        for label in present
        if label < spec.num_classes
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 6), fontsize="small")


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)

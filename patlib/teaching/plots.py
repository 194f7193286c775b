"""Figures shared by the notebooks: one style, one colour a method, images beside masks with their classes named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from IPython.core.getipython import get_ipython
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib_inline.backend_inline import set_matplotlib_formats

from patlib.datasets import IGNORE_INDEX, DatasetSpec, colourise
from patlib.losses import LOSSES


class _OfEachLoss(Mapping[str, str]):
    """An attribute of every loss by the loss's name, read when it is asked for: one added since has its own."""

    def __init__(self, attribute: str) -> None:
        self._attribute = attribute

    def __getitem__(self, name: str) -> str:
        value: str = getattr(LOSSES[name], self._attribute)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(LOSSES)

    def __len__(self) -> int:
        return len(LOSSES)


METHOD_COLOURS = _OfEachLoss("colour")
"""One colour a method, the same on every page: grey for cross-entropy, vermilion for PAT."""

METHOD_LABELS = _OfEachLoss("label")
"""The methods' names as the paper writes them."""

ERROR_COLOUR = (213, 94, 0)
UNKNOWN_COLOUR = (150, 150, 150)


def use_style() -> None:
    """The look of every figure in the book; call it once, in a notebook's first cell."""
    sns.set_theme(context="notebook", style="ticks", palette="colorblind")
    plt.rcParams.update({
        "figure.dpi": 100, "figure.constrained_layout.use": True, "axes.spines.top": False, "axes.spines.right": False,
        "axes.titlesize": "medium", "legend.frameon": False,
    })  # fmt: skip
    if get_ipython() is not None:
        set_matplotlib_formats("retina")  # 200 dots an inch, shown at the size of 100


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


def prediction_figure(
    images: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    predictions: Mapping[str, Sequence[np.ndarray]],
    spec: DatasetSpec,
    width: float = 9.0,
    columns: int = 4,
) -> Figure:
    """What every method makes of each image, as in the paper's Fig. 4 and 5, and below it where it is wrong.

    ``images`` are (H,W,3) uint8, ``truths`` (H,W) labels, ``predictions`` one (H,W) label mask an image by the name of
    the method. Each image fills blocks of two rows, ``columns`` methods in each; the image and its truth open every
    block. Error maps are those of :func:`error_map`, with the wrong share of the valid pixels as their titles.
    """
    names = list(predictions)
    groups = [names[start : start + columns] for start in range(0, len(names), columns)]
    blocks = [(place, group) for place in range(len(images)) for group in groups]
    cell = width / (1 + columns)
    tall = cell * truths[0].shape[0] / truths[0].shape[1] + 0.22
    figure, axes = plt.subplots(
        2 * len(blocks), 1 + columns, figsize=(width, 2 * len(blocks) * tall + 0.8), squeeze=False
    )
    for axis in axes.flat:
        axis.axis("off")
    for (place, group), (upper, lower) in zip(blocks, axes.reshape(-1, 2, 1 + columns), strict=True):
        image, truth = images[place], truths[place]
        _show(upper[0], image, "image")
        _show(lower[0], colourise(truth, spec), "truth")
        for name, above, below in zip(group, upper[1:], lower[1:], strict=False):
            predicted = predictions[name][place]
            wrong = (predicted != truth)[truth != IGNORE_INDEX].mean()
            _show(above, colourise(predicted, spec), name)
            _show(below, error_map(image, truth, predicted), f"{100 * wrong:.0f} % wrong")
    shown = [*truths, *(mask for masks in predictions.values() for mask in masks)]
    class_legend(figure, spec, np.unique(np.concatenate([mask.ravel() for mask in shown])))
    return figure


def seed_dots(axis: Axes, values: Mapping[str, Sequence[float]], colours: Mapping[str, str], label: str) -> None:
    """Every seed of each method as a dot and their mean as a line, so that n and the spread are seen, not stated.

    ``values`` holds the scores of a method, one a seed, in the order in which the methods stand from the top; a seed
    has the same place in each row that has as many. Beside its name each row says how many there are.
    """
    for row, (name, scores) in enumerate(values.items()):
        places = row + np.linspace(-0.2, 0.2, len(scores)) * (len(scores) > 1)
        axis.plot(scores, places, "o", color=colours[name], markersize=5)
        if len(scores):
            axis.plot([np.mean(scores)] * 2, [row - 0.35, row + 0.35], color=colours[name], linewidth=2)
    axis.set_yticks(range(len(values)), [f"{name}  (n = {len(scores)})" for name, scores in values.items()])
    axis.set(xlabel=label, ylim=(len(values) - 0.5, -0.5))
    axis.grid(axis="x", color="0.92")


def error_map(image: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """(H,W,3) uint8: wrong pixels in one colour over the faded image (H,W,3), pixels without a true label in grey."""
    picture = np.repeat(255 - (255 - image.mean(axis=2, keepdims=True)) * 0.25, 3, axis=2).astype(np.uint8)
    picture[predicted != truth] = ERROR_COLOUR
    picture[truth == IGNORE_INDEX] = UNKNOWN_COLOUR
    return picture


def _show(axis: Axes, picture: np.ndarray, title: str) -> None:
    axis.imshow(picture, interpolation="nearest")
    axis.set_title(title, fontsize="small", pad=2)


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

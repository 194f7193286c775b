"""Pictures of scores: each returns its figure and axes, and is drawn on the Matplotlib axes that it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor


def draw_confusion(confusion: Tensor, names: Sequence[Any], ax: Any = None) -> tuple[Any, Any]:
    """The matrix (L,L), each row as shares of its true pixels; the row of a class without a pixel is empty."""
    figure, ax = _axes(ax)
    image = ax.imshow((confusion / confusion.sum(1, keepdim=True)).numpy(), cmap="Blues", vmin=0, vmax=1)
    places = range(len(names))
    ax.set_xticks(places, names, rotation=90)
    ax.set_yticks(places, names)
    ax.set(xlabel="predicted class", ylabel="true class")
    figure.colorbar(image, ax=ax, label="share of the true class's pixels")
    return figure, ax


def draw_bars(scores: Tensor, names: Sequence[Any], ax: Any = None) -> tuple[Any, Any]:
    """Scores (L,) in [0, 1] as a bar for each class, the first class at the top; no bar where a score is undefined."""
    figure, ax = _axes(ax)
    ax.barh(range(len(names)), scores.numpy(), tick_label=list(names))
    ax.invert_yaxis()
    ax.set(xlim=(0, 1), xlabel="score")
    return figure, ax


def draw_reliability(confidence: Tensor, accuracy: Tensor, ax: Any = None) -> tuple[Any, Any]:
    """Accuracy (B,) against mean confidence (B,) of each bin, beside the diagonal on which the two are equal."""
    figure, ax = _axes(ax)
    ax.plot([0, 1], [0, 1], color="0.7", linewidth=1, zorder=0)
    filled = ~confidence.isnan()
    ax.plot(confidence[filled].numpy(), accuracy[filled].numpy(), "o-")
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="confidence", ylabel="accuracy")
    return figure, ax


def _axes(ax: Any) -> tuple[Any, Any]:
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained") if ax is None else (ax.figure, ax)

"""The explorer for a running kernel: ipywidgets over one matplotlib figure."""

from __future__ import annotations

import io
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from patlib.datasets import DatasetSpec
from patlib.losses.checks import ClassPixels
from patlib.teaching.controls import Choice, widgets
from patlib.teaching.pixel_explorer.view import (
    EXPLORED_METHODS,
    LARGEST_SHARE,
    RELATIVE,
    SLIDERS,
    TICK_COLOUR,
    VOID_BACKGROUND,
    WEIGHT_RANGE,
    PixelView,
    classes_by_size,
    pixel_view,
)


class PixelFigure:
    """The picture of one image's :class:`PixelView`, built once; :meth:`show` moves what a control can move.

    Laying a figure out takes several times as long as drawing it, and a slider should not wait for that.
    """

    def __init__(self, image: np.ndarray, view: PixelView, spec: DatasetSpec) -> None:
        self.order, colours = classes_by_size(view.sizes)
        self.figure = Figure(figsize=(9, 5.4), dpi=90, layout="constrained")
        self.canvas = FigureCanvasAgg(self.figure)
        ((scene, chart), (weights, shares)) = self.figure.subplots(2, 2, width_ratios=(1, 1.1))
        scene.imshow(image)
        scene.set_title("the image")
        self.map = weights.imshow(
            view.weight, cmap="PuOr_r", vmin=min(RELATIVE), vmax=max(RELATIVE), interpolation="nearest"
        )
        weights.set(title="weight of each pixel, relative to the mean", facecolor=VOID_BACKGROUND)
        scale = self.figure.colorbar(self.map, ax=weights, shrink=0.85, ticks=list(RELATIVE))
        scale.ax.set_yticklabels(RELATIVE.values())
        for axis in (scene, weights):
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)

        self.lines = [chart.plot(view.curve_p, view.curve_p, color=colour, linewidth=2)[0] for colour in colours]
        chart.set(xlabel="probability of the true class, p", title="weight of a pixel of each class")
        chart.set(ylabel="weight", yscale="log", xlim=(0, 1), ylim=WEIGHT_RANGE)
        rows = np.arange(len(self.order))
        self.bars = shares.barh(rows, 1, color=colours)
        own = view.sizes[self.order] / view.sizes.sum()
        shares.plot(own, rows, "|", color=TICK_COLOUR, markersize=10, markeredgewidth=2)
        shares.set(xlabel="share of each class", xlim=(0, LARGEST_SHARE))
        shares.set_title("gradient (bars) and pixels (ticks)")
        shares.set_yticks(rows, [spec.classes[label] for label in self.order], fontsize="small")
        shares.invert_yaxis()
        shares.xaxis.set_major_formatter(PercentFormatter(1))

    def show(self, view: PixelView) -> bytes:
        """The picture of another view of the same image, as a PNG file."""
        with np.errstate(divide="ignore"):  # focal weighs a pixel at p = 1 with 0
            self.map.set_data(np.log10(view.weight / np.nanmean(view.weight)))
        for line, bar, label in zip(self.lines, self.bars, self.order, strict=True):
            line.set_ydata(view.curve[label])
            bar.set_width(view.share[label])
        file = io.BytesIO()
        self.canvas.print_png(file, pil_kwargs={"compress_level": 1})
        self.figure.set_layout_engine("none")
        return file.getvalue()


def pixel_explorer(
    image: np.ndarray, logits: np.ndarray, target: np.ndarray, class_pixels: ClassPixels, spec: DatasetSpec
) -> ipywidgets.Widget:
    """A method, T, eps and gamma over the picture of :func:`pixel_view`; needs a running kernel.

    ``image`` (H,W,3) uint8, ``logits`` (L,H,W) of a trained network, ``target`` (H,W), ``class_pixels`` (L,).
    """
    figure = PixelFigure(image, pixel_view(logits, target, class_pixels), spec)
    picture = ipywidgets.Image(format="png", layout={"max_width": "100%", "object_fit": "contain"})
    controls = widgets((Choice("method", "PAT", tuple(EXPLORED_METHODS)), *SLIDERS))

    def redraw(*_: Any) -> None:
        values = {name: control.value for name, control in controls.items()}
        picture.value = figure.show(pixel_view(logits, target, class_pixels, **values))

    for control in controls.values():
        control.observe(redraw, "value")
    redraw()
    return ipywidgets.VBox([*controls.values(), picture])

r"""The explorer for a page without a kernel: a Vega-Lite chart that computes weights and gradients in the browser.

It needs no logits. With :math:`p` the probability of a pixel's true class :math:`y`, the gradient of its cross-entropy
with respect to the logits has the L1 norm :math:`\sum_k|p_k-[k=y]|=2(1-p)`, and a weight without gradient scales it.
"""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import altair as alt
import numpy as np
from PIL import Image

from patlib.datasets import DatasetSpec
from patlib.teaching.controls import Choice, parameters
from patlib.teaching.pixel_explorer.view import (
    LARGEST_SHARE,
    RELATIVE,
    SLIDERS,
    TEMPERATURE,
    TICK_COLOUR,
    VOID_BACKGROUND,
    WEIGHT_RANGE,
    PixelView,
    classes_by_size,
)
from patlib.teaching.weight_curve import VEGA_FORMULA as BETA

FOCAL = "pow(1 - datum.p, gamma)"
WEIGHTS = {
    "PAT": f"{BETA} / datum.S",
    "PAT, beta only": BETA,
    "PAT, 1/S only": "1 / datum.S",
    "cross-entropy": "1",
    "focal": FOCAL,
}
"""The weight of a pixel in the browser's language: those of :data:`EXPLORED_METHODS` that need p and S alone."""

VEGA_WEIGHT = "{" + ", ".join(f"'{name}': {formula}" for name, formula in WEIGHTS.items()) + "}[method]"

VEGA_GRADIENT = (
    "2 * (1 - datum.p) * (datum.weight + (method == 'focal')"
    " * gamma * pow(1 - datum.p, gamma - 1) * datum.p * -log(datum.p))"
)
r"""The L1 norm of a pixel's gradient. Focal's weight adds :math:`\gamma(1-p)^{\gamma-1}p(-\log p)`."""

PANEL_WIDTH = 288
"""How wide the image and the map may be, in screen pixels: with the class names beside them they fit a telephone."""

P_STEPS = 10_000  # p is stored in such steps, and never as 0 or 1, where focal's gradient is 0 times infinity


def pixel_chart(image: np.ndarray, view: PixelView, target: np.ndarray, spec: DatasetSpec) -> alt.ConcatChart:
    """The picture of :func:`pixel_view` as a chart, for an image (H,W,3) uint8 and labels (H,W).

    ``view`` is of a method that leaves the logits alone, such as cross-entropy or PAT: its p is the network's own.
    """
    order, colours = classes_by_size(view.sizes)
    names = [spec.classes[label] for label in order]
    facts = [{"label": name, "S": int(view.sizes[label])} for name, label in zip(names, order, strict=True)]
    by_class = alt.Color("label:N", scale=alt.Scale(domain=names, range=colours), legend=None)
    pixels = (
        alt.Chart()
        .transform_calculate(p="split(datum.p, ' ')", k="split(datum.k, ' ')")
        .transform_flatten(["p", "k"])
        .transform_window(place="row_number()")
        .transform_calculate(p=f"toNumber(datum.p) / {P_STEPS}", label=f"{json.dumps(names)}[toNumber(datum.k)]")
        .transform_filter("isValid(datum.label)")
        .transform_joinaggregate(S="count()", groupby=["label"])
        .transform_calculate(weight=VEGA_WEIGHT)
    )
    panels = (
        _scene(image),
        _curves(alt.Chart(alt.Data(values=facts)), by_class),
        _weights(pixels, *target.shape),
        _shares(pixels, alt.Chart(alt.Data(values=facts)), names, by_class),
    )
    chart: alt.ConcatChart = (
        alt.concat(*panels, columns=2, data=alt.Data(values=[_pixel_columns(view, target, order)]))
        .resolve_scale(color="independent")
        .add_params(*parameters((Choice("method", "PAT", tuple(WEIGHTS)), *SLIDERS)))
        .properties(
            title=TEMPERATURE.title(),
            description="An image, the weights of its pixels, and each class's share of the gradient",
        )
    )
    return chart


def _scene(image: np.ndarray) -> alt.Chart:
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG", optimize=True)
    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    size = _panel(*image.shape[:2])
    chart: alt.Chart = (
        alt.Chart(alt.Data(values=[{"url": url}]), title="The image", **size)
        .mark_image(x=size["width"] / 2, y=size["height"] / 2, smooth=False, **size)
        .encode(url="url:N")
    )
    return chart


def _curves(classes: alt.Chart, by_class: alt.Color) -> alt.Chart:
    curves: alt.Chart = (
        classes.transform_calculate(p="sequence(0, 1.001, 0.02)")
        .transform_flatten(["p"])
        .transform_calculate(weight=VEGA_WEIGHT)
        .transform_filter("datum.weight > 0")  # a logarithmic axis lacks focal's last point
        .mark_line(strokeWidth=2, clip=True)
        .encode(
            x=alt.X("p:Q", title="probability of the true class, p", scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("weight:Q", title=None, scale=alt.Scale(type="log", domain=list(WEIGHT_RANGE))).axis(
                values=[1e-5, 1e-3, 1e-1, 10, 1000], format="~g"
            ),
            color=by_class,
        )
        .properties(title="Weight of a pixel of each class", width=240, height=190)
    )
    return curves


def _weights(pixels: alt.Chart, height: int, width: int) -> alt.Chart:
    labels = "".join(f"datum.value == {power} ? '{text}' : " for power, text in RELATIVE.items()) + "''"
    weights: alt.Chart = (
        pixels.transform_joinaggregate(mean="mean(weight)")
        .transform_calculate(
            x=f"(datum.place - 1) % {width}",
            y=f"floor((datum.place - 1) / {width})",
            x2="datum.x + 1",
            y2="datum.y + 1",
            level="log(datum.weight / datum.mean) / LN10",
        )
        .mark_rect()
        .encode(
            x=alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, width], nice=False)),
            y=alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[0, height], nice=False, reverse=True)),
            x2="x2:Q",
            y2="y2:Q",
            color=alt.Color(
                "level:Q",
                scale=alt.Scale(scheme="purpleorange", domain=[min(RELATIVE), max(RELATIVE)], clamp=True),
                legend=alt.Legend(title=None, values=list(RELATIVE), labelExpr=labels, orient="bottom"),
            ),
        )
        .properties(title="Weight of each pixel, relative to the mean", view=alt.ViewConfig(fill=VOID_BACKGROUND))
        .properties(**_panel(height, width))
    )
    return weights


def _shares(pixels: alt.Chart, classes: alt.Chart, names: list[str], by_class: alt.Color) -> alt.LayerChart:
    x = alt.X("share:Q", title="share of each class", scale=alt.Scale(domain=[0, LARGEST_SHARE]))
    y = alt.Y("label:N", title=None, sort=names)
    of_gradient = (
        pixels.transform_calculate(gradient=VEGA_GRADIENT)
        .transform_joinaggregate(total="sum(gradient)")
        .transform_calculate(part="datum.gradient / datum.total")
        .transform_aggregate(share="sum(part)", groupby=["label"])
        .mark_bar(clip=True)
        .encode(x=x.axis(format="%", tickCount=5), y=y, color=by_class)
    )
    of_pixels = (
        classes.transform_joinaggregate(total="sum(S)")
        .transform_calculate(share="datum.S / datum.total")
        .mark_tick(thickness=3, opacity=1, color=TICK_COLOUR)
        .encode(x=x, y=y)
    )
    shares: alt.LayerChart = (of_gradient + of_pixels).properties(
        title="Gradient (bars) and pixels (ticks)", width=230, height=190
    )
    return shares


def _panel(height: int, width: int) -> dict[str, Any]:
    cell = max(1, PANEL_WIDTH // width)  # whole screen pixels: no seams between the map's cells
    return {"width": cell * width, "height": cell * height}


def _pixel_columns(view: PixelView, target: np.ndarray, order: np.ndarray) -> dict[str, str]:
    """The p and class of every pixel, row by row, as two long strings: a stored notebook breaks lists into lines."""
    p = np.clip(np.rint(np.nan_to_num(view.p) * P_STEPS), 1, P_STEPS - 1).astype(int)
    place = {int(label): str(index) for index, label in enumerate(order)}
    return {
        "p": " ".join(map(str, p.ravel())),
        "k": " ".join(place.get(int(label), "-") for label in target.ravel()),
    }

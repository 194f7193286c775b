r"""The PAT weight under the reader's hand: a slider with a kernel (ipywidgets) and the same without one (Vega-Lite).

Both draw Eq. 5 of the PAT paper, :math:`\beta(p)=\exp((1-p-\epsilon)/T)`: :func:`pat_weight` in Python, and
:data:`VEGA_FORMULA`, the same expression in the language that the browser evaluates.
"""

from __future__ import annotations

from typing import Any

import altair as alt
import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_hex

from patlib.teaching.controls import DoublingSlider, Slider, parameters, widgets
from patlib.teaching.plots import METHOD_COLOURS

VEGA_FORMULA = "exp((1 - datum.p - eps) / T)"
PAT_COLOUR, FOCAL_COLOUR = (to_hex(METHOD_COLOURS[name]) for name in ("pat", "focal"))
MARK_COLOUR = "#888888"
MIME = "application/vnd.vegalite.v5+json"

PAPER_T = 20.0
PAPER_LABEL = f"PAT at the paper's T = {PAPER_T:g}"
EPS, GAMMA = Slider("eps", 0, 0, 1, 0.05), Slider("gamma", 2, 0, 5, 0.5)
TEMPERATURE = DoublingSlider("T", PAPER_T, -4, 2, 0.25)  # 1.25 to 80, around the paper's 5 to 50
CONTROLS = (TEMPERATURE, EPS, GAMMA)
WEIGHT_LIMITS = (0, 2.5)  # above exp(1/1.25), the largest weight that the sliders reach


def pat_weight(p: np.ndarray | float, T: float, eps: float = 0.0) -> np.ndarray:
    """Eq. 5: the weight of a pixel whose true class has probability ``p``, at temperature ``T`` > 0."""
    return np.exp((1 - np.asarray(p, dtype=float) - eps) / T)


def focal_weight(p: np.ndarray | float, gamma: float) -> np.ndarray:
    r"""The focal loss's modulating factor :math:`(1-p)^\gamma` (Lin et al. 2017)."""
    return (1 - np.asarray(p, dtype=float)) ** gamma


def weight_curve(T: float = PAPER_T, eps: float = 0.0, gamma: float = 2.0) -> None:
    """Draw the PAT weight beside the focal factor over p, and the PAT weight of the paper's T = 20 as a mark."""
    p = np.linspace(0, 1, 201)
    _, axis = plt.subplots(figsize=(6.5, 3.8))
    axis.plot(p, pat_weight(p, T, eps), color=PAT_COLOUR, label=f"PAT, T = {T:.3g}, eps = {eps:g}", linewidth=2)
    axis.plot(p, focal_weight(p, gamma), "--", color=FOCAL_COLOUR, label=f"focal, gamma = {gamma:g}", linewidth=2)
    axis.plot(p, pat_weight(p, PAPER_T), ":", color=MARK_COLOUR, label=PAPER_LABEL, linewidth=2)
    axis.set(xlabel="probability of the true class, p", ylabel="weight of the pixel", xlim=(0, 1), ylim=WEIGHT_LIMITS)
    axis.legend()
    plt.show()


def weight_slider() -> ipywidgets.Widget:
    """Sliders for T, eps and gamma over :func:`weight_curve`; needs a running kernel."""
    return ipywidgets.interactive(weight_curve, **widgets(CONTROLS))


def weight_chart() -> alt.LayerChart:
    """The same curves as a Vega-Lite chart with its own sliders: it moves in the book, without kernel and network."""
    colours = alt.Scale(domain=["PAT", "focal", PAPER_LABEL], range=[PAT_COLOUR, FOCAL_COLOUR, MARK_COLOUR])
    base = alt.Chart(alt.sequence(0, 1.0001, 0.01, as_="p")).encode(
        x=alt.X("p:Q", title="probability of the true class, p", scale=alt.Scale(domain=[0, 1])),
        y=alt.Y("weight:Q", title="weight of the pixel", scale=alt.Scale(domain=WEIGHT_LIMITS)),
        color=alt.Color("curve:N", title=None, scale=colours),
    )
    pat = base.transform_calculate(weight=VEGA_FORMULA, curve="'PAT'").mark_line(strokeWidth=3)
    focal = base.transform_calculate(weight="pow(1 - datum.p, gamma)", curve="'focal'")
    mark = base.transform_calculate(weight=f"exp((1 - datum.p) / {PAPER_T:g})", curve=f'"{PAPER_LABEL}"')
    layers = pat + focal.mark_line(strokeWidth=3, strokeDash=[6, 4]) + mark.mark_line(strokeWidth=2, strokeDash=[2, 3])
    chart: alt.LayerChart = layers.add_params(*parameters(CONTROLS)).properties(
        width=480, height=280, title=TEMPERATURE.title(),
        description="Weight of a pixel against the probability of its true class: PAT and focal",
    )  # fmt: skip
    return chart


def enable_charts() -> None:
    """Show Altair charts so that both JupyterLab and the static book draw them; call once a notebook.

    JupyterLab has renderers for Vega-Lite up to version 5 only, and the book's own script draws any version; so the
    chart is sent as version 5, with nothing that version lacks, and with no HTML, which Lab would prefer and not run.
    It names no schema, as a program of any other version would warn of the one named.
    """
    alt.renderers.register("patlib", _render)
    alt.renderers.enable("patlib")


def _render(spec: dict[str, Any], **_: Any) -> dict[str, Any]:
    spec = {key: value for key, value in spec.items() if key != "$schema"}
    return {MIME: spec, "text/plain": "<Vega-Lite chart: open it in JupyterLab or in the book>"}

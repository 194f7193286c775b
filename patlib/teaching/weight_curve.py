"""The PAT weight under the reader's hand: a slider with a kernel (ipywidgets) and the same without one (Vega-Lite).

Both draw Eq. 5 of the PAT paper, :math:`\\beta(p)=\\exp((1-p-\\epsilon)/T)`: :func:`pat_weight` in Python, and
:data:`VEGA_FORMULA`, the same expression in the language that the browser evaluates.
"""

from __future__ import annotations

from typing import Any

import altair as alt
import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_hex

from patlib.teaching.plots import METHOD_COLOURS

VEGA_FORMULA = "exp((1 - datum.p - eps) / T)"
PAT_COLOUR, FOCAL_COLOUR = (to_hex(METHOD_COLOURS[name]) for name in ("pat", "focal"))
MIME = "application/vnd.vegalite.v5+json"


def pat_weight(p: np.ndarray | float, T: float, eps: float = 0.0) -> np.ndarray:
    """Eq. 5: the weight of a pixel whose true class has probability ``p``, at temperature ``T`` > 0."""
    return np.exp((1 - np.asarray(p, dtype=float) - eps) / T)


def focal_weight(p: np.ndarray | float, gamma: float) -> np.ndarray:
    """The focal loss's modulating factor :math:`(1-p)^\\gamma` (Lin et al. 2017)."""
    return (1 - np.asarray(p, dtype=float)) ** gamma


def weight_curve(T: float = 20.0, eps: float = 0.0, gamma: float = 2.0) -> None:
    """Draw the PAT weight beside the focal factor over p."""
    p = np.linspace(0, 1, 201)
    _, axis = plt.subplots(figsize=(6.5, 3.8))
    axis.plot(p, pat_weight(p, T, eps), color=PAT_COLOUR, label=f"PAT, T = {T:g}, eps = {eps:g}", linewidth=2)
    axis.plot(p, focal_weight(p, gamma), "--", color=FOCAL_COLOUR, label=f"focal, gamma = {gamma:g}", linewidth=2)
    axis.set(xlabel="probability of the true class, p", ylabel="weight of the pixel", xlim=(0, 1), ylim=(0, None))
    axis.legend()
    plt.show()


def weight_slider() -> ipywidgets.Widget:
    """Sliders for T, eps and gamma over :func:`weight_curve`; needs a running kernel."""
    return ipywidgets.interactive(
        weight_curve,
        T=ipywidgets.FloatLogSlider(20, base=10, min=-1, max=2, step=0.05, description="T", continuous_update=False),
        eps=ipywidgets.FloatSlider(0, min=0, max=1, step=0.05, description="eps", continuous_update=False),
        gamma=ipywidgets.FloatSlider(2, min=0, max=5, step=0.5, description="gamma", continuous_update=False),
    )


def weight_chart() -> alt.LayerChart:
    """The same curve as a Vega-Lite chart with its own sliders: it moves in the book, with no kernel and no network."""
    T = alt.param(name="T", value=20, bind=alt.binding_range(min=0.2, max=50, step=0.2, name="T "))
    eps = alt.param(name="eps", value=0, bind=alt.binding_range(min=0, max=1, step=0.05, name="eps "))
    gamma = alt.param(name="gamma", value=2, bind=alt.binding_range(min=0, max=5, step=0.5, name="gamma "))
    base = alt.Chart(alt.sequence(0, 1.0001, 0.01, as_="p")).encode(
        x=alt.X("p:Q", title="probability of the true class, p", scale=alt.Scale(domain=[0, 1])),
        y=alt.Y("weight:Q", title="weight of the pixel", scale=alt.Scale(zero=True)),
        color=alt.Color("curve:N", title=None, scale=alt.Scale(range=[PAT_COLOUR, FOCAL_COLOUR])),
    )
    pat = base.transform_calculate(weight=VEGA_FORMULA, curve="'PAT'").mark_line(strokeWidth=3)
    focal = base.transform_calculate(weight="pow(1 - datum.p, gamma)", curve="'focal'")
    return (pat + focal.mark_line(strokeWidth=3, strokeDash=[6, 4])).add_params(T, eps, gamma).properties(
        width=480, height=280, description="Weight of a pixel against the probability of its true class: PAT and focal"
    )  # fmt: skip


def enable_charts() -> None:
    """Show Altair charts so that both JupyterLab and the static book draw them; call once a notebook.

    JupyterLab has renderers for Vega-Lite up to version 5 only, and the book's own script draws any version; so the
    chart is sent as version 5, with nothing that version lacks, and with no HTML, which Lab would prefer and not run.
    """
    alt.renderers.register("patlib", _render)
    alt.renderers.enable("patlib")


def _render(spec: dict[str, Any], **_: Any) -> dict[str, Any]:
    spec = {**spec, "$schema": "https://vega.github.io/schema/vega-lite/v5.json"}
    return {MIME: spec, "text/plain": "<Vega-Lite chart: open it in JupyterLab or in the book>"}

"""What a reader can move in a picture, declared once and shown twice.

A control is a widget where a kernel runs (ipywidgets) and parameters of a chart where none does (Vega-Lite). Both have
the same name, range and step, and begin at the same value. :func:`widgets` and :func:`parameters` show a list of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import altair as alt
import ipywidgets


@dataclass(frozen=True)
class Slider:
    """A number from ``low`` to ``high``."""

    name: str
    value: float
    low: float
    high: float
    step: float

    def widget(self) -> ipywidgets.Widget:
        """A slider whose picture is drawn anew where it comes to rest, and not on its way."""
        bounds = {"min": self.low, "max": self.high, "step": self.step}
        return ipywidgets.FloatSlider(self.value, **bounds, description=self.name, continuous_update=False)

    def parameters(self) -> list[alt.Parameter]:
        """One parameter, which is bound to a slider of the browser."""
        bound = alt.binding_range(min=self.low, max=self.high, step=self.step, name=f"{self.name} ")
        return [alt.param(name=self.name, value=self.value, bind=bound)]


@dataclass(frozen=True)
class DoublingSlider:
    """A positive number on a logarithmic slider: ``value`` times 2 to the power of ``low`` to ``high``.

    A slider of the browser is linear. So the reader of a chart moves the power, and :meth:`title` says the number.
    """

    name: str
    value: float
    low: float
    high: float
    step: float

    def widget(self) -> ipywidgets.Widget:
        """A logarithmic slider, which shows the number itself."""
        low, high = (math.log2(self.value) + power for power in (self.low, self.high))
        return ipywidgets.FloatLogSlider(
            self.value, base=2, min=low, max=high, step=self.step, description=self.name, continuous_update=False
        )

    def parameters(self) -> list[alt.Parameter]:
        """The power, ``doublings``, which is bound to a slider of the browser, and the number that follows from it."""
        label = f"doublings of {self.name} from {self.value:g} "
        bound = alt.binding_range(min=self.low, max=self.high, step=self.step, name=label)
        number = alt.param(name=self.name, expr=f"{self.value:g} * pow(2, doublings)")
        return [alt.param(name="doublings", value=0, bind=bound), number]

    def title(self) -> alt.Title:
        """A chart's title that says the number, such as "T = 20"."""
        return alt.Title(alt.expr(f"'{self.name} = ' + format({self.name}, '.3')"))


@dataclass(frozen=True)
class Choice:
    """One of several names."""

    name: str
    value: str
    options: tuple[str, ...]

    def widget(self) -> ipywidgets.Widget:
        """A menu that drops down."""
        return ipywidgets.Dropdown(options=self.options, value=self.value, description=self.name)

    def parameters(self) -> list[alt.Parameter]:
        """One parameter, which is bound to a menu of the browser."""
        bound = alt.binding_select(options=list(self.options), name=f"{self.name} ")
        return [alt.param(name=self.name, value=self.value, bind=bound)]


Control = Slider | DoublingSlider | Choice


def widgets(controls: Iterable[Control]) -> dict[str, ipywidgets.Widget]:
    """The controls of a picture that is drawn by a kernel, by their names."""
    return {control.name: control.widget() for control in controls}


def parameters(controls: Iterable[Control]) -> list[alt.Parameter]:
    """The controls of a chart that moves without a kernel, for its ``add_params``."""
    return [parameter for control in controls for parameter in control.parameters()]

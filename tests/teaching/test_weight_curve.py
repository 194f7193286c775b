import math

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import vl_convert
from hypothesis import given
from hypothesis import strategies as st

from patlib.losses import build_loss
from patlib.teaching import weight_curve

matplotlib.use("Agg")


@given(p=st.floats(0.01, 1), T=st.floats(0.2, 50), eps=st.floats(0, 1))
def test_the_browsers_formula_is_the_python_formula(p, T, eps):
    expression = weight_curve.VEGA_FORMULA.replace("datum.p", "p")
    value = eval(expression, {"exp": math.exp, "p": p, "T": T, "eps": eps})
    assert value == pytest.approx(float(weight_curve.pat_weight(p, T, eps)), rel=1e-12)


def test_the_curve_is_the_weight_that_the_loss_applies():
    logits = torch.randn(1, 4, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    target = torch.zeros(1, 3, 5, dtype=torch.long)
    nll, weight = build_loss("pat", 4, T=2.0, eps=0.1, size_weight=False).per_pixel(logits, target)
    assert np.allclose(weight.numpy(), weight_curve.pat_weight(torch.exp(-nll).numpy(), 2.0, 0.1), rtol=1e-12)
    nll, weight = build_loss("focal", 4, gamma=1.5).per_pixel(logits, target)
    assert np.allclose(weight.numpy(), weight_curve.focal_weight(torch.exp(-nll).numpy(), 1.5), rtol=1e-12)


def test_the_slider_redraws_the_curve_for_its_values(monkeypatch):
    drawn = []
    monkeypatch.setattr(plt, "show", lambda: drawn.append(plt.gca().get_lines()[0].get_ydata()[0]))
    slider = weight_curve.weight_slider()
    slider.children[0].value = 2.0
    slider.update()
    plt.close("all")
    assert drawn[-1] == pytest.approx(math.exp(1 / 2.0))


def test_the_slider_and_the_chart_offer_the_same_controls():
    *controls, _ = weight_curve.weight_slider().children
    assert [control.description for control in controls] == ["T", "eps", "gamma"]
    assert controls[0].value == weight_curve.PAPER_T == 20
    offered = {parameter["name"] for parameter in weight_curve.weight_chart().to_dict()["params"]}
    assert offered == {"doublings", "T", "eps", "gamma"}


def test_the_axis_stays_and_holds_every_weight(monkeypatch):
    limits = []
    monkeypatch.setattr(plt, "show", lambda: limits.append(plt.gca().get_ylim()))
    temperature = weight_curve.TEMPERATURE
    for doublings in (temperature.low, temperature.high):
        weight_curve.weight_curve(T=20 * 2.0**doublings)
    plt.close("all")
    assert limits == [weight_curve.WEIGHT_LIMITS] * 2
    assert weight_curve.pat_weight(0, 20 * 2.0**temperature.low) <= weight_curve.WEIGHT_LIMITS[1]
    layer = weight_curve.weight_chart().to_dict()["layer"][0]
    assert layer["encoding"]["y"]["scale"]["domain"] == list(weight_curve.WEIGHT_LIMITS)


def test_the_curve_of_the_papers_temperature_stays_as_a_mark(monkeypatch):
    marks = []
    monkeypatch.setattr(plt, "show", lambda: marks.append(plt.gca().get_lines()[2]))
    weight_curve.weight_curve(T=2.0, eps=0.5)
    plt.close("all")
    assert marks[0].get_label() == weight_curve.PAPER_LABEL
    assert marks[0].get_ydata()[0] == pytest.approx(math.exp(1 / 20))


@pytest.fixture
def spec() -> dict:
    """The chart as it is sent to a page."""
    weight_curve.enable_charts()
    bundle = weight_curve.weight_chart()._repr_mimebundle_()
    return bundle[weight_curve.MIME] if isinstance(bundle, dict) else bundle[0][weight_curve.MIME]


def test_the_chart_is_sent_as_a_version_that_lab_can_draw(spec):
    assert weight_curve.MIME == "application/vnd.vegalite.v5+json"
    assert {parameter["name"] for parameter in spec["params"]} == {"doublings", "T", "eps", "gamma"}
    assert weight_curve.VEGA_FORMULA in str(spec)


def test_the_chart_names_no_schema_that_a_page_could_warn_of(spec):
    assert "$schema" not in spec


@pytest.mark.parametrize(("doublings", "title"), [(0, "T = 20"), (-4, "T = 1.25"), (-1, "T = 10"), (2, "T = 80")])
def test_the_drawn_chart_says_its_temperature_and_marks_the_papers(spec, doublings, title):
    assert spec["params"][0]["name"] == "doublings"
    moved = {**spec, "params": [{**spec["params"][0], "value": doublings}, *spec["params"][1:]]}
    svg = vl_convert.vegalite_to_svg(moved, vl_version="5.21")
    assert f">{title}</text>" in svg
    assert ">PAT at the paper" in svg

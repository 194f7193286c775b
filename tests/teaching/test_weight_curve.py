import math

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
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


def test_the_chart_is_sent_as_a_version_that_lab_can_draw():
    weight_curve.enable_charts()
    bundle = weight_curve.weight_chart()._repr_mimebundle_()
    spec = bundle[weight_curve.MIME] if isinstance(bundle, dict) else bundle[0][weight_curve.MIME]
    assert spec["$schema"].endswith("/v5.json")
    assert {parameter["name"] for parameter in spec["params"]} == {"T", "eps", "gamma"}
    assert weight_curve.VEGA_FORMULA in str(spec)

import json
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import vl_convert
from hypothesis import given
from hypothesis import strategies as st

from patlib.losses import build_loss
from patlib.teaching.pixel_explorer import EXPLORED_METHODS, pixel_chart, pixel_view
from patlib.teaching.pixel_explorer.chart import PANEL_WIDTH, VEGA_GRADIENT, VEGA_WEIGHT, WEIGHTS

LAB = "5.21"  # the newest Vega-Lite of the major version that JupyterLab draws
FUNCTIONS = {"exp": math.exp, "log": math.log, "pow": math.pow}


def browser(method, p, S, T, eps, gamma):
    """Weight and gradient of a pixel by the chart's expressions, which happen to be Python too."""
    datum = SimpleNamespace(p=p, S=S)
    names = {**FUNCTIONS, "datum": datum, "method": method, "T": T, "eps": eps, "gamma": gamma}
    datum.weight = eval(VEGA_WEIGHT, names)
    return datum.weight, eval(VEGA_GRADIENT, names)


@pytest.mark.parametrize("method", WEIGHTS)
@given(
    p=st.floats(1e-4, 1 - 1e-4), others=st.lists(st.floats(0.01, 1), min_size=2, max_size=5),
    S=st.integers(1, 9), T=st.floats(0.2, 50), eps=st.floats(0, 1), gamma=st.floats(0, 5),
)  # fmt: skip
def test_the_browsers_formulas_are_the_library_s_weight_and_gradient(method, p, others, S, T, eps, gamma):
    """2(1-p) times the weight, plus what focal's weight adds, is the L1 norm that autograd finds for any logits."""
    rest = (1 - p) * np.array(others) / sum(others)
    logits = torch.from_numpy(np.log([p, *rest])).view(1, -1, 1, 1).repeat(1, 1, 1, S).requires_grad_()
    name, fixed = EXPLORED_METHODS[method]
    own = {"pat": {"T": T, "eps": eps}, "focal": {"gamma": gamma}}.get(name, {})
    loss = build_loss(name, logits.shape[1], **fixed, **own)
    target = torch.zeros(1, 1, S, dtype=torch.long)
    (gradient,) = torch.autograd.grad(loss(logits, target), logits)
    weight, size = browser(method, p, S, T, eps, gamma)
    _, weights = loss.per_pixel(logits.detach(), target)
    assert weight == pytest.approx(float(weights[0, 0, 0]), rel=1e-9)
    normaliser = 1 if name == "pat" else S
    assert size / normaliser == pytest.approx(float(gradient[0, :, 0, 0].abs().sum()), rel=1e-6)


@pytest.fixture(scope="module")
def chart(prediction, image, spec):
    return pixel_chart(image, pixel_view(*prediction, "cross-entropy"), prediction.target, spec).to_dict()


def drawn(chart, **values):
    """The chart as SVG, with its controls at the given values."""
    if "T" in values:
        values["doublings"] = math.log2(values.pop("T") / 20)
    moved = json.loads(json.dumps(chart))
    for parameter in moved["params"]:
        if parameter["name"] in values:
            parameter["value"] = values.pop(parameter["name"])
    assert not values
    moved["$schema"] = "https://vega.github.io/schema/vega-lite/v5.json"
    return vl_convert.vegalite_to_svg(moved, vl_version=LAB)


def bars(svg):
    """The gradient's share of each class, read from the descriptions of the bars."""
    found = re.findall(r'"share of each class: ([\d.e-]+)%; label: (\w+)"[^>]*"bar"', svg)
    return {name: float(share) / 100 for share, name in found}


def test_the_chart_says_its_temperature(chart):
    assert ">T = 2.5</text>" in drawn(chart, T=2.5)


@pytest.mark.parametrize("method", WEIGHTS)
@pytest.mark.parametrize("T", [0.2, 20.0])
def test_the_drawn_bars_are_the_library_s_shares(chart, prediction, spec, method, T):
    """As Vega itself evaluates them, from p rounded to four digits and mask sizes that it counts."""
    view = pixel_view(*prediction, method, T=T, eps=0.5, gamma=3.0)
    expected = {spec.classes[label]: share for label, share in enumerate(view.share) if view.sizes[label]}
    assert bars(drawn(chart, method=method, T=T, eps=0.5, gamma=3.0)) == pytest.approx(expected, abs=5e-4)


def test_every_pixel_but_void_is_drawn_in_its_place_in_whole_screen_pixels(chart, prediction):
    side = PANEL_WIDTH // prediction.target.shape[1]
    cells = re.findall(rf'"rect mark" d="M(\d+),(\d+)h{side}v{side}h-{side}Z"', drawn(chart))
    rows, columns = np.nonzero(prediction.target != 255)
    assert sorted((int(x), int(y)) for x, y in cells) == sorted(zip(side * columns, side * rows, strict=True))


def test_pixels_that_are_sure_or_lost_are_finite(prediction, image, spec):
    logits = prediction.logits.copy()
    logits[0] = 1000.0  # p is 1 for sky and 0 for all else
    view = pixel_view(logits, prediction.target, prediction.class_pixels, "cross-entropy")
    chart = pixel_chart(image, view, prediction.target, spec).to_dict()
    for gamma in (0.0, 0.5, 5.0):
        assert sum(bars(drawn(chart, method="focal", gamma=gamma)).values()) == pytest.approx(1)


def test_a_chart_of_the_default_size_is_small(spec):
    """Two columns of text hold the pixels once; a page stays below 150 kB and a notebook's lines few."""
    generator = np.random.default_rng(0)
    target = generator.integers(0, 10, (64, 96)).astype(np.uint8)
    view = pixel_view(generator.standard_normal((10, 64, 96)), target, np.ones(10), "cross-entropy")
    image = generator.integers(0, 256, (64, 96, 3)).astype(np.uint8)
    text = json.dumps(pixel_chart(image, view, target, spec).to_dict(), indent=1)
    assert len(text) < 100_000 and text.count("\n") < 1_000

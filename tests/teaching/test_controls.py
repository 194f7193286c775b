import altair as alt
import pytest

from patlib.teaching import weight_curve
from patlib.teaching.controls import Choice, DoublingSlider, Slider, parameters, widgets
from patlib.teaching.pixel_explorer import view

CONTROLS = (Choice("method", "b", ("a", "b")), DoublingSlider("T", 20.0, -4, 2, 0.25), Slider("eps", 0.1, 0, 1, 0.05))


@pytest.fixture
def bound():
    """What the browser binds to a control: its value and its bind, by the name of the parameter."""
    chart = alt.Chart().mark_point().add_params(*parameters(CONTROLS)).to_dict(validate=False)
    return {parameter["name"]: parameter for parameter in chart["params"]}


def test_a_slider_is_the_same_with_a_kernel_and_without(bound):
    widget, parameter = widgets(CONTROLS)["eps"], bound["eps"]
    bind = parameter["bind"]
    assert (widget.value, widget.min, widget.max, widget.step) == (0.1, 0, 1, 0.05)
    assert (parameter["value"], bind["min"], bind["max"], bind["step"]) == (0.1, 0, 1, 0.05)
    assert widget.description == bind["name"].strip() == "eps"


def test_a_doubling_slider_reaches_the_same_numbers_with_a_kernel_and_without(bound):
    widget, parameter = widgets(CONTROLS)["T"], bound["doublings"]
    bind = parameter["bind"]
    assert widget.value == 20 and parameter["value"] == 0
    reached = [widget.base**widget.min, widget.base**widget.max]
    assert reached == pytest.approx([1.25, 80])
    assert [20 * 2.0 ** bind["min"], 20 * 2.0 ** bind["max"]] == [1.25, 80]
    assert widget.step == bind["step"] == 0.25
    assert bound["T"]["expr"] == "20 * pow(2, doublings)"


def test_a_choice_offers_the_same_names_with_a_kernel_and_without(bound):
    widget, parameter = widgets(CONTROLS)["method"], bound["method"]
    assert widget.value == parameter["value"] == "b"
    assert list(widget.options) == parameter["bind"]["options"] == ["a", "b"]


def test_a_picture_is_not_drawn_while_a_slider_moves():
    assert not any(widgets(CONTROLS)[name].continuous_update for name in ("T", "eps"))


def test_a_reader_can_come_back_to_where_each_slider_began():
    for slider in (weight_curve.TEMPERATURE, view.TEMPERATURE):
        assert (-slider.low / slider.step).is_integer(), "the paper's T lies between two steps"

import pytest

from patlib.losses import LOSSES
from patlib.trainer.parameters import FrozenMap, all_parameters, check_names, parameter_type, typed_parameters


def test_a_frozen_map_is_a_key_and_equals_a_dict_of_the_same():
    one, two = FrozenMap({"gamma": 2.0, "beta": 0.9}), FrozenMap({"beta": 0.9, "gamma": 2.0})
    assert one == two == {"gamma": 2.0, "beta": 0.9} and {one: "found"}[two] == "found"
    with pytest.raises(TypeError):
        one["gamma"] = 3.0


def test_a_frozen_map_does_not_follow_the_dict_it_was_made_from():
    values = {"gamma": 2.0}
    frozen = FrozenMap(values)
    values["gamma"] = 3.0
    assert frozen == {"gamma": 2.0}


def test_every_parameter_names_the_losses_that_take_it():
    takers = all_parameters()
    assert takers["gamma"] == ["focal", "cbfocal"] and takers["T"] == ["pat"]
    assert {loss for losses in takers.values() for loss in losses} == LOSSES.keys() - {"ce", "bms"}


def test_a_whole_number_becomes_a_float_where_the_loss_has_one():
    typed = typed_parameters("pat", {"T": 5, "adaptive": False, "eps": None})
    assert typed == {"T": 5.0, "adaptive": False}
    assert type(typed["T"]) is float and type(typed["adaptive"]) is bool


@pytest.mark.parametrize(("name", "value"), [("T", "5"), ("T", True), ("adaptive", 1), ("unknown", [1])])
def test_a_value_of_another_type_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"{name} of loss 'pat'"):
        typed_parameters("pat", {name: value})


def test_a_name_that_the_loss_lacks_is_left_to_the_loss():
    assert typed_parameters("focal", {"T": 5}) == {"T": 5}


def test_a_parameter_without_a_stated_type_has_that_of_its_default(monkeypatch):
    class Untyped(LOSSES["ce"]):
        def __init__(self, num_classes, *, ignore_index=255, reduction="mean", sharpness=1.5):
            super().__init__(num_classes, ignore_index=ignore_index, reduction=reduction)

    monkeypatch.setitem(LOSSES, "untyped", Untyped)
    assert parameter_type("untyped", "sharpness") is float


def test_a_parameter_may_not_have_the_name_of_a_setting():
    check_names("pat", {"epochs", "seed"})
    with pytest.raises(ValueError, match="'T', which is a setting of every run"):
        check_names("pat", {"epochs", "T"})

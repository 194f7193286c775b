"""Wrong use raises ValueError that names what was given and what is allowed."""

import re
import warnings

import pytest
import torch
from loss_batches import CLASS_PIXELS, NUM_CLASSES

from patlib.losses import PixelLoss, build_loss, loss_parameters


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("focal", {"gamma": -1}, ["gamma", "-1", "at least 0"]),
        ("focal", {"gamma": float("nan")}, ["gamma", "nan"]),
        ("focal", {"gamma": "2"}, ["gamma", "'2'"]),
        ("focal", {"gamma": 1e300}, ["gamma", "1e+300", "at most 1e6"]),
        ("focal", {"gamma": 10**400}, ["gamma", "at most 1e6"]),
        ("ldam", {"scale": 1e300}, ["scale", "1e+300", "at most 1e6"]),
        ("ldam", {"max_margin": 1e300}, ["max_margin", "1e+300"]),
        ("blv", {"sigma": 1e300}, ["sigma", "1e+300"]),
        ("cb", {"beta": 1.0}, ["beta", "1.0", "[0, 1)"]),
        ("cb", {"beta": -0.1}, ["beta", "-0.1"]),
        ("cbfocal", {"beta": 0.9, "gamma": -2}, ["gamma", "-2"]),
        ("ldam", {"scale": 0}, ["scale", "0", "above 0"]),
        ("ldam", {"max_margin": -0.5}, ["max_margin", "-0.5"]),
        ("blv", {"sigma": -1}, ["sigma", "-1"]),
        ("blv", {"law": "cauchy"}, ["law", "'cauchy'", "gaussian", "uniform", "xavier"]),
        ("pat", {"T": 0}, ["T", "0", "above 0"]),
        ("pat", {"T": -20}, ["T", "-20", "above 0"]),
        ("pat", {"T": float("inf")}, ["T", "inf"]),
        ("pat", {"T": True}, ["T", "True"]),
        ("pat", {"eps": float("nan")}, ["eps", "nan"]),
        ("pat", {"detach": "no"}, ["detach", "'no'"]),
        ("pat", {"size_weight": 1}, ["size_weight", "1"]),
        ("pat", {"alpha": 1.1}, ["alpha", "1.1", "[0, 1]"]),
        ("pat", {"alpha": -0.1}, ["alpha", "-0.1"]),
        ("pat", {"alpha": "1"}, ["alpha", "'1'"]),
        ("pat", {"alpha": 0.5, "size_weight": False}, ["alpha=0.5", "size_weight=False"]),
        ("cb", {"power": 1.5}, ["power", "1.5", "[0, 1]"]),
        ("cb", {"power": -0.5}, ["power", "-0.5"]),
        ("cb", {"power": 0.5, "beta": 0.9}, ["power=0.5", "beta=0.9"]),
        ("cbfocal", {"power": 0.5}, ["'cbfocal'", "'power'"]),
        ("pat", {"t": 20}, ["'pat'", "'t'", "T, eps, detach, size_weight, adaptive"]),
        ("ce", {"gamma": 2}, ["'ce'", "'gamma'"]),
        ("pta", {}, ["'pta'", "'pat'", "ce", "focal", "cbfocal", "bms", "ldam", "blv"]),
    ],
)
def test_wrong_parameters_are_named_with_the_rule(name: str, params: dict, words: list[str]) -> None:
    with pytest.raises(ValueError) as raised:
        build_loss(name, NUM_CLASSES, CLASS_PIXELS, **params)
    assert all(word in str(raised.value) for word in words), str(raised.value)


def test_unknown_names_have_no_parameters() -> None:
    with pytest.raises(ValueError, match=r"'dice'.*known: ce, focal"):
        loss_parameters("dice")


@pytest.mark.parametrize("num_classes", [1, 0, -3, 2.0, True, "4", None, 2**63])
def test_the_number_of_classes_is_checked(method: str, num_classes: object) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{num_classes!r}")):
        build_loss(method, num_classes, CLASS_PIXELS)


@pytest.mark.parametrize("ignore_index", [None, 255.0, "void", False, 2**63, -(2**70)])
def test_the_ignore_label_is_checked(method: str, ignore_index: object) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{ignore_index!r}")):
        build_loss(method, NUM_CLASSES, CLASS_PIXELS, ignore_index)


@pytest.mark.parametrize("name", ["cb", "cbfocal", "bms", "ldam", "blv"])
@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (None, ["class_pixels", "4 classes"]),
        ([1, 2, 3], ["class_pixels", "(4,)", "(3,)"]),
        ([[1, 2, 3, 4]], ["class_pixels", "(4,)", "(1, 4)"]),
        ([1, 2, -3, 4], ["class_pixels", "-3", "negative"]),
        ([1, 2, float("nan"), 4], ["class_pixels", "nan", "finite"]),
        ([1, 2, float("inf"), 4], ["class_pixels", "inf", "finite"]),
        ([0, 0, 0, 0], ["class_pixels", "0", "all zero"]),
        ([1, 2, 1e19, 4], ["class_pixels", "1e+19", "at most 1e18"]),
        ("1234", ["class_pixels", "'1234'", "4 numbers"]),
        ([1, 2, None, 4], ["class_pixels", "None", "4 numbers"]),
        ([1, 2, 10**400, 4], ["class_pixels", "4 numbers"]),
        (torch.ones(4).cfloat(), ["class_pixels", "4 numbers"]),
        (torch.ones(4, device="meta"), ["class_pixels", "meta device"]),
    ],
)
def test_class_pixels_are_checked(name: str, counts: object, words: list[str]) -> None:
    with pytest.raises(ValueError) as raised:
        build_loss(name, NUM_CLASSES, counts)
    assert all(word in str(raised.value) for word in words), str(raised.value)


def test_255_is_not_ignored_unasked_where_it_is_a_class(method: str) -> None:
    with pytest.raises(ValueError, match=r"ignore_index 255 is one of the 300 classes.*such as -1"):
        build_loss(method, 300, [1] * 300)
    assert build_loss(method, 300, [1] * 300, -1).ignore_index == -1


@pytest.mark.parametrize("ignored", [0, NUM_CLASSES - 1])
def test_a_class_cannot_be_the_ignored_label(method: str, ignored: int) -> None:
    said = (
        rf"ignore_index {ignored} is one of the {NUM_CLASSES} classes.*target\.masked_fill\(target == {ignored}, 255\)"
    )
    with pytest.raises(ValueError, match=said):
        build_loss(method, NUM_CLASSES, CLASS_PIXELS, ignored)


@pytest.mark.parametrize(
    ("normaliser", "error"),
    [
        *((wrong, ValueError) for wrong in (0, float("nan"), torch.tensor([1.0, 2.0]), torch.tensor(-1.0))),
        *((right, None) for right in (None, torch.tensor(2), 0.5)),
        ("2", TypeError),
    ],
)
def test_a_normaliser_is_one_positive_number(normaliser: object, error: type[Exception] | None) -> None:
    loss, batch = build_loss("ce", 2), (torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1).long())
    if error is None:
        assert loss(*batch, normaliser).isfinite()
    else:
        with pytest.raises(error, match="normaliser must be"):
            loss(*batch, normaliser)


@pytest.mark.parametrize("name", ["ce", "focal", "pat"])
def test_class_pixels_are_optional_where_unused(name: str) -> None:
    logits, target = torch.zeros(1, NUM_CLASSES, 2, 2), torch.zeros(1, 2, 2, dtype=torch.long)
    assert build_loss(name, NUM_CLASSES)(logits, target) == build_loss(name, NUM_CLASSES, CLASS_PIXELS)(logits, target)


@pytest.mark.parametrize(
    ("logits", "target", "words"),
    [
        (torch.zeros(2, 3, 4, 5), torch.zeros(2, 4, 5).long(), ["(N, 4, H, W)", "(2, 3, 4, 5)"]),
        (torch.zeros(2, 4), torch.zeros(2).long(), ["(N, 4, H, W)", "(N, 4, W)", "(2, 4)"]),
        (torch.zeros(2, 4, 1, 1, 1, 1), torch.zeros(2, 1, 1, 1, 1).long(), ["(N, 4, D, H, W)", "(2, 4, 1, 1, 1, 1)"]),
        (torch.zeros(2, 4, 4, 5).long(), torch.zeros(2, 4, 5).long(), ["floating point", "int64"]),
        (torch.zeros(2, 4, 4, 5), torch.zeros(2, 5, 4).long(), ["(2, 4, 5)", "(2, 5, 4)"]),
        (torch.zeros(2, 4, 4, 5), torch.zeros(1, 4, 5).long(), ["(2, 4, 5)", "(1, 4, 5)"]),
        (torch.zeros(2, 4, 4, 5), torch.zeros(2, 1, 4, 5).long(), ["(2, 4, 5)", "(2, 1, 4, 5)"]),
        (torch.zeros(2, 4, 4, 5), torch.zeros(2, 4, 4, 5).long(), ["(2, 4, 5)", "(2, 4, 4, 5)"]),
        (torch.zeros(2, 4, 4, 5), torch.zeros(2, 4, 5), ["integer", "float32"]),
        (torch.zeros(2, 4, 4, 5), torch.zeros(2, 4, 5).bool(), ["integer", "bool"]),
    ],
)
def test_shapes_and_types_are_checked(
    method: str, logits: torch.Tensor, target: torch.Tensor, words: list[str]
) -> None:
    with pytest.raises(ValueError) as raised:
        build_loss(method, NUM_CLASSES, CLASS_PIXELS)(logits, target)
    assert all(word in str(raised.value) for word in words), str(raised.value)


@pytest.mark.parametrize(("label", "ignore_index"), [(4, 255), (-1, 255), (-100, 255), (254, 255), (255, -100), (7, 6)])
def test_labels_outside_the_classes_are_named(method: str, label: int, ignore_index: int) -> None:
    target = torch.tensor([[[0, 3], [label, ignore_index]]])
    loss = build_loss(method, NUM_CLASSES, CLASS_PIXELS, ignore_index)
    with pytest.raises(ValueError, match=rf"{label} is neither a class \(0\.\.3\) nor the ignore label {ignore_index}"):
        loss(torch.zeros(1, NUM_CLASSES, 2, 2), target)


def test_labels_are_checked_on_every_call(method: str) -> None:
    loss = build_loss(method, NUM_CLASSES, CLASS_PIXELS)
    logits = torch.zeros(1, NUM_CLASSES, 1, 1)
    loss(logits, torch.zeros(1, 1, 1).long())
    with pytest.raises(ValueError, match="neither"):
        loss(logits, torch.full((1, 1, 1), 9))


def trapped(ignored: int, of: int, ignore_index: int = 255, num_classes: int = 2) -> tuple[PixelLoss, tuple]:
    target = torch.zeros(1, 1, of).long()
    target[..., :ignored] = ignore_index
    loss = build_loss("pat", num_classes, ignore_index=ignore_index)
    return loss, (torch.zeros(1, num_classes, 1, of), target)


@pytest.mark.parametrize("ignored", [5, 9])
def test_masks_of_0_and_255_are_warned_of_once(ignored: int) -> None:
    loss, batch = trapped(ignored, 10)
    with pytest.warns(UserWarning, match=rf"{ignored} of 10 are 255.*0 and 255.*\(target > 0\)\.long\(\)") as caught:
        loss(*batch)
    assert caught[0].filename == __file__, "the warning names the line that called the loss"
    loss(*batch)  # warnings are errors here: a second one would fail
    with pytest.warns(UserWarning):
        trapped(ignored, 10)[0](*batch)


@pytest.mark.parametrize(
    ("ignored", "ignore_index", "num_classes"), [(4, 255, 2), (10, 255, 2), (5, -100, 2), (5, 255, 3), (0, 255, 2)]
)
def test_other_batches_are_not_warned_of(ignored: int, ignore_index: int, num_classes: int) -> None:
    loss, batch = trapped(ignored, 10, ignore_index, num_classes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss(*batch)


def test_one_label_of_the_foreground_is_enough_not_to_be_warned_of() -> None:
    loss, (logits, target) = trapped(9, 10)
    target[..., -1] = 1
    loss(logits, target)

"""The calibration errors equal loops over pixels and torchmetrics, however a split is cut and spread."""

import math

import matplotlib as mpl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from segmentation_reference import NUM_CLASSES, random_split
from torch import Tensor
from torchmetrics.classification import MulticlassCalibrationError
from torchmetrics.utilities import dim_zero_sum

from patlib.metrics import CalibrationError
from patlib.metrics.calibration import UNIT

many = settings(derandomize=True, deadline=None, database=None, max_examples=10)
seeds = st.integers(0, 2**31)
STATES = ("pixels", "hits", "probability", "not_finite")


def filled(logits: Tensor, target: Tensor, **build: object) -> CalibrationError:
    metric = CalibrationError(NUM_CLASSES, **build)
    metric.update(logits, target)
    return metric


def expected_error(pixels: list[tuple[float, bool]], bins: int) -> float:
    """The definition: (probability, hit) of each pixel sorted into bins, in Python's floats."""
    error = 0.0
    for number in range(bins):
        inside = [(p, hit) for p, hit in pixels if min(int(p * bins), bins - 1) == number]
        if inside:
            accuracy = sum(hit for _, hit in inside) / len(inside)
            confidence = sum(p for p, _ in inside) / len(inside)
            error += len(inside) / len(pixels) * abs(accuracy - confidence)
    return error


def naive(logits: Tensor, target: Tensor, bins: int, ignore_index: int) -> tuple[float, list[float]]:
    """The error of the predicted class and of every class, pixel by pixel."""
    top: list[tuple[float, bool]] = []
    of_class: list[list[tuple[float, bool]]] = [[] for _ in range(NUM_CLASSES)]
    for n, h, w in torch.cartesian_prod(*(torch.arange(side) for side in target.shape)).tolist():
        label = int(target[n, h, w])
        if label == ignore_index:
            continue
        powers = [math.exp(value) for value in logits[n, :, h, w].double().tolist()]
        p = [power / sum(powers) for power in powers]
        top.append((max(p), p.index(max(p)) == label))
        for name in range(NUM_CLASSES):
            of_class[name].append((p[name], name == label))
    return expected_error(top, bins), [expected_error(pixels, bins) for pixels in of_class]


@many
@given(seeds, st.sampled_from([1, 4, 15]), st.sampled_from([255, -1, 7]))
def test_both_errors_equal_the_definition(seed: int, bins: int, ignore_index: int) -> None:
    logits, target = random_split(seed)
    target[target == 255] = ignore_index
    ece, of_class = naive(logits, target, bins, ignore_index)
    ours = filled(logits, target, bins=bins, ignore_index=ignore_index).compute()
    assert ours["ece"].item() == pytest.approx(ece, abs=1e-6)
    assert ours["ece_of_class"].tolist() == pytest.approx(of_class, abs=1e-6)
    assert ours["classwise_ece"].item() == pytest.approx(sum(of_class) / NUM_CLASSES, abs=1e-6)


@many
@given(seeds)
def test_the_error_of_the_predicted_class_is_that_of_torchmetrics(seed: int) -> None:
    logits, target = random_split(seed)
    theirs = MulticlassCalibrationError(NUM_CLASSES, n_bins=15, norm="l1", ignore_index=255)
    theirs.update(logits, target)
    assert filled(logits, target).compute()["ece"].item() == pytest.approx(theirs.compute().item(), abs=1e-6)


@many
@given(seeds, st.lists(st.integers(1, 3), min_size=2, max_size=4))
def test_parts_and_processes_add_up(seed: int, sizes: list[int]) -> None:
    logits, target = random_split(seed, sum(sizes))
    whole = filled(logits, target)
    parts = [filled(*part) for part in zip(logits.split(sizes), target.split(sizes), strict=True)]
    # The softmax of a part may differ from that of the whole in its last bit, which is 2^-24 at most.
    bounds = dict.fromkeys(STATES, 0) | {"probability": target.numel() * UNIT / 2**24}
    for state in STATES:
        difference = getattr(whole, state) - sum(getattr(part, state) for part in parts)
        assert difference.abs().max() <= bounds[state]
        assert whole._reductions[state] is dim_zero_sum


def test_what_is_kept_does_not_grow_with_the_pixels() -> None:
    small, large = filled(*random_split(0, 1)), filled(*random_split(0, 50))
    for state in STATES:
        assert getattr(small, state).shape == getattr(large, state).shape


def test_certain_and_right_is_calibrated_certain_and_wrong_is_not() -> None:
    _, target = random_split(0)
    right = 100 * torch.nn.functional.one_hot(target.clamp_max(4), NUM_CLASSES).movedim(-1, 1).float()
    assert filled(right, target).scalars() == {"ece": 0, "classwise_ece": 0}
    assert filled(right.roll(1, 1), target).scalars()["ece"] == 1


def test_points_and_volumes_are_images_of_other_dimensions() -> None:
    logits, target = random_split(0)
    assert torch.equal(filled(logits.flatten(2), target.flatten(1)).hits, filled(logits, target).hits)
    assert torch.equal(filled(logits.unsqueeze(2), target.unsqueeze(1)).hits, filled(logits, target).hits)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_logits_that_are_not_finite_make_the_errors_nan_unless_ignored(bad: float) -> None:
    logits, target = random_split(0)
    target[0, 0, 0], target[0, 0, 1] = 255, 1
    logits[0, 2, 0, 0] = bad
    metric = filled(logits, target)
    assert all(math.isfinite(value) for value in metric.scalars().values())
    logits[0, 2, 0, 1] = bad
    metric.update(logits, target)
    assert all(value.isnan().all() for value in metric.compute().values())


def test_nothing_seen_is_nan_and_reset_forgets() -> None:
    logits, target = random_split(0)
    metric = filled(logits, torch.full_like(target, 255))
    assert all(math.isnan(value) for value in metric.scalars().values())
    metric.update(logits, target)
    metric.reset()
    metric.update(logits, torch.full_like(target, 255))
    assert math.isnan(metric.scalars()["ece"])


def test_the_picture_shows_confidence_and_accuracy_of_the_bins_that_have_pixels() -> None:
    mpl.use("agg")
    import matplotlib.pyplot as plt

    p = torch.tensor([0.9, 0.9, 0.9, 0.6])
    metric = CalibrationError(2, bins=5)
    metric.update(torch.stack([p, 1 - p]).log().view(1, 2, 2, 2), torch.tensor([[[0, 0], [1, 0]]]))
    other, own = plt.subplots()
    assert metric.plot(ax=own) == (other, own)
    shown = own.lines[1]
    assert shown.get_xdata().tolist() == pytest.approx([0.6, 0.9]) and shown.get_ydata().tolist() == [1, 2 / 3]
    figure, _ = metric.plot()
    plt.close(figure), plt.close(other)


@pytest.mark.parametrize(
    ("logits", "target", "words"),
    [
        (torch.zeros(1, 2, 2).long(), torch.zeros(1, 2, 2).long(), ["expected logits (N, 5, H, W)", "int64 (1, 2, 2)"]),
        (torch.zeros(1, 4, 2, 2), torch.zeros(1, 2, 2).long(), ["(1, 4, 2, 2)"]),
        (torch.zeros(1, 5, 2, 2), torch.zeros(1, 2, 2), ["target must hold integer labels", "float32"]),
        (torch.zeros(1, 5, 2, 2), torch.full((1, 2, 2), 5), ["target label 5", "0..4"]),
    ],
)
def test_wrong_input_is_named_with_the_rule(logits: Tensor, target: Tensor, words: list[str]) -> None:
    with pytest.raises(ValueError) as raised:
        filled(logits, target)
    assert all(word in str(raised.value) for word in words), str(raised.value)


@pytest.mark.parametrize("build", [{"num_classes": 1}, {"num_classes": 300}, {"num_classes": 3, "bins": 0}])
def test_wrong_construction_is_named(build: dict) -> None:
    with pytest.raises(ValueError, match=r"num_classes must|one of the 300 classes|bins must"):
        CalibrationError(**build)

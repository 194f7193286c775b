"""What the metrics say of input that is none, and that every finite logit has a score."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from patlib.metrics import (
    CalibrationError,
    ReleasedMeanIoU,
    SegmentationMetrics,
    confusion_scores,
    frequency_groups,
    image_confusions,
)

LABELS = torch.zeros(1, 2, 2).long()


@pytest.mark.parametrize("broken", [None, [[[0]]], "labels", torch.zeros(1, 2, 2).long().numpy()])
def test_what_is_no_tensor_is_a_type_error(broken: object) -> None:
    for metrics in (SegmentationMetrics(5), ReleasedMeanIoU()):
        for name, pair in {"predictions": (broken, LABELS), "target": (LABELS, broken)}.items():
            with pytest.raises(TypeError, match=f"{name} must be a torch.Tensor, got "):
                metrics.update(*pair)


@pytest.mark.parametrize(
    "broken",
    [
        torch.zeros(1, 2, 2).long().to_sparse(),
        torch.zeros(1, 2, 2, device="meta").long(),
        torch.zeros(1, 5, 2, 2).to(torch.float8_e5m2),
        torch.zeros(()).long(),
    ],
)
def test_a_tensor_that_cannot_be_counted_is_a_value_error(broken: Tensor) -> None:
    for metrics in (SegmentationMetrics(5), ReleasedMeanIoU()):
        with pytest.raises(ValueError, match=r"sparse|meta device|16, 32 or 64 bits|expected logits"):
            metrics.update(broken, LABELS)


def test_a_target_with_an_axis_of_one_channel_is_told_to_lose_it() -> None:
    for shape in ((1, 5, 2, 2), (1, 5, 2, 2, 2)):
        logits = torch.zeros(shape)
        for metrics in (SegmentationMetrics(5), CalibrationError(5)):
            with pytest.raises(ValueError, match=r"use target\.squeeze\(1\)$"):
                metrics.update(logits, logits[:, :1].long())
            with pytest.raises(ValueError, match=r"with a target \(1, 5, 2.*\)$"):
                metrics.update(logits, logits.long())


@pytest.mark.parametrize(
    "count",
    [
        lambda ignored: SegmentationMetrics(5, ignored),
        lambda ignored: CalibrationError(5, ignored),
        lambda ignored: image_confusions(LABELS, LABELS, 5, ignored),
        lambda ignored: ReleasedMeanIoU(ignored).update(torch.zeros(1, 5, 2, 2), LABELS),
    ],
)
def test_a_class_cannot_be_the_ignored_label(count: Callable[[int], object]) -> None:
    for ignored in (0, 4):
        with pytest.raises(ValueError, match=f"ignore_index {ignored} is one of the . classes"):
            count(ignored)
    count(5)


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32, torch.uint64])
def test_labels_of_any_integer_type_are_counted(dtype: torch.dtype) -> None:
    labels = torch.tensor([[[0, 1], [2, 255]]])
    for metrics in (SegmentationMetrics(3), ReleasedMeanIoU()):
        metrics.update(labels.clamp_max(2).to(dtype), labels.to(dtype))
        scores = metrics.compute()
        assert float(scores["miou"] if isinstance(scores, dict) else scores) == 1


def test_finite_logits_have_a_score_however_far_apart_they_are() -> None:
    largest = torch.finfo(torch.float32).max
    metrics = SegmentationMetrics(2)
    metrics.update(torch.tensor([largest, -largest]).view(1, 2, 1, 1), torch.ones(1, 1, 1).long())
    assert metrics.compute()["cross_entropy"] == 1e7 and metrics.compute()["miou"] == 0
    metrics.update(torch.tensor([0.0, -torch.inf]).view(1, 2, 1, 1), torch.ones(1, 1, 1).long())
    assert metrics.compute()["miou"].isnan()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: image_confusions(LABELS, torch.zeros(1, 2, 1).long(), 3), ValueError, "one shape"),
        (lambda: image_confusions(torch.zeros(1, 2, 2).cfloat(), LABELS, 3), ValueError, "complex64"),
        (lambda: image_confusions(torch.full((1, 2, 2), 3), LABELS, 3), ValueError, "label 3 is"),
        (lambda: image_confusions(None, LABELS, 3), TypeError, "labels must be"),
        (lambda: confusion_scores(torch.tensor([[1, -1], [0, 2]])), ValueError, "not negative"),
        (lambda: confusion_scores(torch.tensor([[1.0, float("nan")], [0, 2]])), ValueError, "finite"),
        (lambda: confusion_scores(torch.zeros(2, 3)), ValueError, r"matrix \(L, L\)"),
        (lambda: confusion_scores([[1, 0], [0, 1]]), TypeError, "confusion must be"),
        (lambda: frequency_groups([1, -1, 2], 3), ValueError, "not negative"),
        (lambda: frequency_groups("abc", 3), ValueError, "3 numbers"),
    ],
)
def test_the_arithmetic_refuses_what_is_no_count(call: Callable, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()

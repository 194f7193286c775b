"""Beside torchmetrics, over the inputs that its own tests of multi-class metrics go through.

Labels and logits, images, points and volumes, an ignored label or none, classes that are absent, classes that are only
predicted, one update and several, empty batches. Where the two differ on purpose, a test says in what. (An ignored
label that is a class is theirs only: ours are refused in `test_metric_inputs.py`.)
"""

import math

import pytest
import torch
from torch import Tensor
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
    MulticlassJaccardIndex,
    MulticlassPrecision,
    MulticlassRecall,
)
from torchmetrics.segmentation import DiceScore, MeanIoU

from patlib.metrics import CalibrationError, SegmentationMetrics

L = 5
SHAPES = [(12,), (3, 4), (2, 3, 4)]
NOTHING = -100
"""A label that no pixel has: nothing is ignored."""


def split(shape: tuple[int, ...], ignore_index: int, classes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Logits of all classes, and labels of some; every fourth or so is ignored, unless nothing is."""
    generator = torch.Generator().manual_seed(len(shape))
    logits = 2 * torch.randn(4, L, *shape, generator=generator)
    target = torch.tensor(classes)[torch.randint(len(classes), (4, *shape), generator=generator)]
    if ignore_index != NOTHING:
        target[torch.rand(target.shape, generator=generator) < 0.25] = ignore_index
    return logits, target


CASES = [
    (shape, ignore_index, classes)
    for shape in SHAPES
    for ignore_index in (NOTHING, -1, 255)
    for classes in ((0, 1, 2, 3, 4), (0, 1, 3), (2, 3))
]


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> tuple[Tensor, Tensor, int]:
    shape, ignore_index, classes = request.param
    return *split(shape, ignore_index, classes), ignore_index


def ours(logits: Tensor, target: Tensor, ignore_index: int) -> SegmentationMetrics:
    metrics = SegmentationMetrics(L, ignore_index)
    metrics.update(logits, target)
    return metrics


def theirs(kind: type, logits: Tensor, target: Tensor, ignore_index: int, **told: object) -> Tensor:
    metric = kind(num_classes=L, ignore_index=ignore_index, **told)
    metric.update(logits, target)
    return metric.compute().double()


def test_confusion_matrix(case: tuple[Tensor, Tensor, int]) -> None:
    assert torch.equal(ours(*case).confusion.double(), theirs(MulticlassConfusionMatrix, *case))


def test_scores_of_a_class_that_occurs(case: tuple[Tensor, Tensor, int]) -> None:
    """Where a fraction is 0/0 theirs is 0 and ours NaN, because a class that is not there has no score."""
    frame = ours(*case).per_class()
    kinds = {
        "IoU": MulticlassJaccardIndex,
        "Dice": MulticlassF1Score,
        "precision": MulticlassPrecision,
        "recall": MulticlassRecall,
    }
    for name, kind in kinds.items():
        column = torch.tensor(frame[name].to_numpy())
        torch.testing.assert_close(column.nan_to_num(0), theirs(kind, *case, average="none"), rtol=1e-6, atol=1e-7)


def test_means_over_classes_and_pixels(case: tuple[Tensor, Tensor, int]) -> None:
    logits, target, ignore_index = case
    scores = ours(*case).scalars()
    valid = target != ignore_index
    seen = torch.zeros(L, dtype=torch.bool)
    seen[logits.argmax(1)[valid]] = True
    seen[target[valid]] = True
    expected = {
        "pixel_acc": theirs(MulticlassAccuracy, *case, average="micro"),
        "mean_acc": theirs(MulticlassRecall, *case, average="none")[target[valid].unique()].mean(),
        "mean_dice": theirs(MulticlassF1Score, *case, average="none")[seen].mean(),
        "miou": theirs(MulticlassJaccardIndex, *case, average="none")[seen].mean(),
    }
    for name, value in expected.items():
        assert scores[name] == pytest.approx(value.item(), rel=1e-6), name
    assert scores["miou"] == pytest.approx(theirs(MulticlassJaccardIndex, *case, average="macro").item(), rel=1e-6)


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_error(case: tuple[Tensor, Tensor, int], bins: int) -> None:
    logits, target, ignore_index = case
    metric = CalibrationError(L, ignore_index, bins)
    metric.update(logits, target)
    expected = theirs(MulticlassCalibrationError, *case, n_bins=bins, norm="l1")
    assert metric.scalars()["ece"] == pytest.approx(expected.item(), abs=1e-6)


def test_several_updates_and_labels_in_place_of_logits(case: tuple[Tensor, Tensor, int]) -> None:
    logits, target, ignore_index = case
    metrics = SegmentationMetrics(L, ignore_index)
    for first in range(0, 4, 3):
        metrics.update(logits[first : first + 3].argmax(1), target[first : first + 3])
    assert torch.equal(metrics.confusion.double(), theirs(MulticlassConfusionMatrix, *case))


def test_the_room_for_segmentation_averages_over_images_and_the_metrics_here_over_a_split() -> None:
    """``torchmetrics.segmentation`` scores each image; on one image, where every class occurs, the two are equal."""
    logits, target = split((3, 4), NOTHING, (0, 1, 2, 3, 4))
    labels, target = logits.argmax(1).flatten(0, 1)[None], target.flatten(0, 1)[None]
    scores = ours(labels, target, 255).scalars()
    for name, kind in {"miou": MeanIoU, "mean_dice": DiceScore}.items():
        told = {"average": "macro"} if kind is DiceScore else {}
        metric = kind(num_classes=L, input_format="index", **told)
        metric.update(labels, target)
        assert scores[name] == pytest.approx(metric.compute().item(), rel=1e-6)


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 4), (2, 3, 4)])
def test_nothing_counted_is_no_score(shape: tuple[int, ...]) -> None:
    """An empty batch, which torchmetrics 1.9 breaks on, and one that is all ignored, whose accuracy there is 0."""
    logits, target = torch.zeros(shape[0], L, *shape[1:]), torch.full(shape, 255)
    metrics = ours(logits, target, 255)
    assert metrics.confusion.sum() == 0 and all(math.isnan(value) for value in metrics.scalars().values())
    if target.numel():
        assert theirs(MulticlassAccuracy, logits, target, 255, average="micro") == 0

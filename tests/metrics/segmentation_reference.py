"""The scores from their definitions, in loops over pixels, and random masks to compare them on."""

import math

import pytest
import torch
from torch import Tensor

from patlib.metrics import SegmentationMetrics

NUM_CLASSES = 5


def random_split(seed: int, images: int = 4) -> tuple[Tensor, Tensor]:
    """Logits and labels; class 4 never occurs in the labels, class 3 is rare, some pixels are ignored."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(images, NUM_CLASSES, 3, 4, generator=generator)
    target = torch.randint(0, 4, (images, 3, 4), generator=generator)
    target[torch.rand(target.shape, generator=generator) < 0.2] = 255
    return logits, target


def scores(predictions: Tensor, target: Tensor, num_classes: int = NUM_CLASSES, **build: object) -> dict[str, Tensor]:
    metrics = SegmentationMetrics(num_classes, **build)
    metrics.update(predictions, target)
    return metrics.compute()


def naive(logits: Tensor, target: Tensor, num_classes: int = NUM_CLASSES, ignore_index: int = 255) -> dict:
    """Sets of pixels, as the definitions have them."""
    predicted, nll, places = {}, [], {}
    for n, h, w in ((n, h, w) for n, rows in enumerate(target) for h, row in enumerate(rows) for w in range(len(row))):
        label = int(target[n, h, w])
        if label == ignore_index:
            continue
        values = logits[n, :, h, w].double().tolist()
        places[n, h, w] = label
        predicted[n, h, w] = values.index(max(values))
        nll.append(math.log(sum(math.exp(value) for value in values)) - values[label])
    iou, dice, accuracy = [], [], []
    for label in range(num_classes):
        true = {place for place, value in places.items() if value == label}
        guess = {place for place, value in predicted.items() if value == label}
        iou.append(len(true & guess) / len(true | guess) if true | guess else math.nan)
        dice.append(2 * len(true & guess) / (len(true) + len(guess)) if true | guess else math.nan)
        accuracy.append(len(true & guess) / len(true) if true else math.nan)
    mean_dice = mean(dice)
    return {
        "iou": iou,
        "miou": mean(iou),
        "mean_dice": mean_dice,
        "dice_err": 1 - mean_dice,
        "mean_acc": mean(accuracy),
        "pixel_acc": mean([float(places[place] == predicted[place]) for place in places]),
        "cross_entropy": mean(nll),
    }


def mean(values: list[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan


def assert_same(ours: dict, theirs: dict, tolerance: float = 1e-12) -> None:
    assert set(ours) == set(theirs)
    for key, value in theirs.items():
        # The cross-entropy is summed in float32.
        rel = 2e-6 if key == "cross_entropy" else tolerance
        expected = value.tolist() if isinstance(value, Tensor) else value
        assert ours[key].tolist() == pytest.approx(expected, rel=rel, abs=1e-12, nan_ok=True), key

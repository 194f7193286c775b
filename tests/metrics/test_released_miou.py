"""The released code's mean IoU equals sets of pixels, batch by batch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from patlib.metrics import ReleasedMeanIoU


@settings(derandomize=True, deadline=None, database=None, max_examples=15)
@given(st.integers(0, 2**31), st.lists(st.integers(1, 3), min_size=1, max_size=3), st.sampled_from([255, -1, 7]))
def test_the_released_mean_iou_equals_sets_of_pixels(seed: int, sizes: list[int], ignore_index: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(sum(sizes), 5, 3, 4, generator=generator)
    target = torch.randint(0, 5, (sum(sizes), 3, 4), generator=generator)
    target[torch.rand(target.shape, generator=generator) < 0.2] = 255
    metric, by_batch = ReleasedMeanIoU(ignore_index), []
    for scored, true in zip(logits.split(sizes), target.split(sizes), strict=True):
        metric.update(scored, true)
        places = [place for place, label in enumerate(true.flatten().tolist()) if label != ignore_index]
        labels, guesses = true.flatten().tolist(), scored.argmax(1).flatten().tolist()
        iou = []
        for label in (0, 1, 2):
            truth = {place for place in places if labels[place] == label}
            guess = {place for place in places if guesses[place] == label}
            if truth:
                iou.append(len(truth & guess) / len(truth | guess))
        by_batch += [sum(iou) / len(iou)] if iou else []
    assert metric.compute().item() == pytest.approx(sum(by_batch) / len(by_batch), rel=1e-6)


def test_the_released_mean_iou_sees_three_classes_and_weighs_batches_alike() -> None:
    metric = ReleasedMeanIoU()
    metric.update(torch.tensor([[[0, 0, 3, 9]]]), torch.tensor([[[0, 0, 0, 3]]]))  # IoU 2/3; class 3 is not scored
    metric.update(torch.tensor([[[1]]]), torch.tensor([[[1]]]))  # one pixel, as much as the batch before
    metric.update(torch.tensor([[[0]]]), torch.tensor([[[4]]]))  # none of the three: left out
    assert metric.compute().item() == pytest.approx((2 / 3 + 1) / 2)


@pytest.mark.parametrize(
    ("predictions", "target"),
    [
        (torch.zeros(2, 3, 4, 4), torch.zeros(1, 4, 4).long()),
        (torch.zeros(1, 3, 4, 1), torch.zeros(1, 4, 4).long()),
        (torch.zeros(1, 4, 4).long(), torch.zeros(2, 4, 4).long()),
        (torch.zeros(4).long(), torch.zeros(4).long()),
        (torch.zeros(1, 4, 4).bool(), torch.zeros(1, 4, 4).long()),
        (torch.zeros(1, 3, 4, 4).cfloat(), torch.zeros(1, 4, 4).long()),
        (torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 4)),
    ],
)
def test_what_does_not_fit_is_refused_rather_than_broadcast(predictions: torch.Tensor, target: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="integer labels"):
        ReleasedMeanIoU().update(predictions, target)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_make_the_released_mean_iou_nan(bad: float) -> None:
    metric, target = ReleasedMeanIoU(), torch.tensor([[[0, 255]]])
    logits = torch.zeros(1, 3, 1, 2)
    logits[0, 1, 0, 1] = bad  # at the pixel that is ignored
    metric.update(logits, target)
    assert metric.compute() == 1
    logits[0, 1, 0, 0] = bad
    metric.update(logits, target)
    assert metric.compute().isnan()

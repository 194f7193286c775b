"""The released code's formulas, written out pixel by pixel in float64."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from patlib.paper import released

L = 4


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    logits = 2 * torch.randn(2, L, 3, 4, dtype=torch.float64, generator=generator)
    target = torch.multinomial(torch.tensor([0.6, 0.3, 0.1, 0.0]), 24, replacement=True, generator=generator)
    return logits, target.view(2, 3, 4)  # class 3 is absent


def pixels(logits: Tensor, target: Tensor) -> list[tuple[list[float], int]]:
    return list(zip(logits.movedim(1, -1).reshape(-1, L).tolist(), target.flatten().tolist(), strict=True))


def softmax(scores: list[float]) -> list[float]:
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]


def counts(target: Tensor) -> list[int]:
    return [target.flatten().tolist().count(label) for label in range(L)]


def test_mean_iou_over_batches_counts_three_classes():
    guess = torch.tensor([[[0, 0, 3, 3]], [[1, 1, 1, 0]], [[2, 3, 3, 3]]])
    truth = torch.tensor([[[0, 0, 0, 3]], [[1, 1, 0, 0]], [[2, 2, 3, 3]]])
    one_by_one = released.released_miou(zip(guess.split(1), truth.split(1), strict=True))
    assert one_by_one == pytest.approx((2 / 3 + (1 / 2 + 2 / 3) / 2 + 1 / 2) / 3)
    two_and_one = released.released_miou(zip(guess.split(2), truth.split(2), strict=True))
    assert two_and_one == pytest.approx(((3 / 5 + 2 / 3) / 2 + 1 / 2) / 2)


def test_balanced_softmax_exponentiates_twice(batch):
    logits, target = batch
    m = counts(target)
    nll = []
    for x, y in pixels(logits, target):
        scores = [math.exp(score) * number for score, number in zip(x, m, strict=True)]
        nll.append(max(scores) + math.log(sum(math.exp(s - max(scores)) for s in scores)) - scores[y])
    expected = sum(nll) / len(nll)
    assert released.released_balanced_softmax(logits, target).item() == pytest.approx(expected, rel=1e-12)


def test_ldam_margins_follow_the_batch(batch):
    m = counts(batch[1])
    assert m[3] == 0
    rough = [(number + 1e-4) ** -0.25 for number in m]
    expected = [0.7 * value / max(rough) for value in rough]
    assert released.released_ldam_margins(batch[1], L, max_margin=0.7).tolist() == pytest.approx(expected, rel=1e-12)


def test_blv_variation_is_the_log_of_the_batch_count(batch):
    logs = [math.log(number + 1e-4) for number in counts(batch[1])]
    expected = [value / max(logs) for value in logs]
    assert released.released_blv_variation(batch[1], L).tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("tau", "exponent"), [(1.0, 1.0), (20.0, 1.0), (1.0, float(L)), (5.0, 2.0)])
def test_pat_weighs_by_its_tempered_probability(batch, tau, exponent):
    total = 0.0
    for x, y in pixels(*batch):
        q = softmax([score / tau for score in x])[y]
        total += -math.log(q) / (2 * math.exp(exponent * (q - 1)))
    assert released.released_pat(*batch, tau, exponent).item() == pytest.approx(total / (24 * L), rel=1e-12)


def test_what_is_not_given_is_as_in_the_loss_called_inap(batch):
    assert torch.equal(released.released_pat(*batch), released.released_pat(*batch, 1.0, 1.0))
    assert released.released_pat_weight(torch.tensor(0.5)).item() == pytest.approx(math.exp(0.5) / 2)
    assert torch.equal(released.released_focal(*batch), released.released_focal(*batch, 2.0))
    assert released.released_ldam_margins(batch[1], L).max().item() == pytest.approx(0.5)


def test_pat_lets_the_gradient_flow_through_its_weight(batch):
    logits, target = batch
    assert torch.autograd.gradcheck(lambda x: released.released_pat(x, target, 2.0), logits.requires_grad_())


def test_cb_weighs_by_the_batch_and_divides_by_its_pixels(batch):
    m, beta = counts(batch[1]), 23 / 24
    total = sum(-math.log(softmax(x)[y]) * (1 - beta) / (1 - beta ** m[y] + 1e-6) for x, y in pixels(*batch))
    assert released.released_cb(*batch).item() == pytest.approx(total / 24, rel=1e-12)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_focal_divides_by_pixels_and_classes(batch, gamma):
    total = sum((1 - softmax(x)[y]) ** gamma * -math.log(softmax(x)[y]) for x, y in pixels(*batch))
    assert released.released_focal(*batch, gamma).item() == pytest.approx(total / (24 * L), rel=1e-12)


def test_a_bilinear_mask_has_the_size_asked_for_and_ids_between_its_neighbours():
    mask = np.zeros((4, 8), dtype=np.uint8)
    mask[:, 3:] = 8
    small = released.bilinear_mask(mask, (2, 4))
    assert small.shape == (2, 4) and small.dtype == np.uint8
    # Halving weighs the four columns around a new pixel 1:3:3:1, and here 0, 0, 8, 8 lie around the second.
    assert small.tolist() == [[0, 4, 8, 8]] * 2


def test_void_becomes_the_last_class_or_the_first():
    target = torch.tensor([[[0, 255, 2]]])
    assert released.void_as_class(target, 3).tolist() == [[[0, 3, 2]]]
    assert released.void_as_class(target, 3, first=True).tolist() == [[[1, 0, 3]]]

"""BLV: its noise has the laws it names, and given the noise the loss is the paper's."""

import math

import pytest
import reference
import torch
from loss_batches import CLASS_PIXELS, NUM_CLASSES, random_batch
from torch import Tensor

from patlib.losses import build_loss


def variation(loss: torch.nn.Module, logits: Tensor, target: Tensor, seed: int = 0) -> Tensor:
    """The clipped noise (N, L, H, W), found from the logits the log-softmax is to see."""
    torch.manual_seed(seed)
    added = loss.adjust(logits, target.masked_fill(target == 255, 0)) - logits
    frequency = [math.log(sum(CLASS_PIXELS) / count) for count in CLASS_PIXELS]
    return added / torch.tensor([value / max(frequency) for value in frequency], dtype=logits.dtype)[:, None, None]


@pytest.mark.parametrize("law", ["gaussian", "uniform", "xavier"])
def test_value_and_gradient_equal_the_paper_given_the_noise(law: str, batch: tuple[Tensor, Tensor]) -> None:
    logits, target = batch
    loss = build_loss("blv", NUM_CLASSES, CLASS_PIXELS, sigma=1.0, law=law)
    noise = variation(loss, logits, target)
    assert noise.min() >= 0 and noise.max() <= 1 + 1e-12 and noise.std() > 0.05
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    torch.manual_seed(0)
    value = loss(ours, target)
    expected = reference.logit_variation(theirs, target, CLASS_PIXELS, noise)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
    value.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(
    ("sigma", "mean", "at_bound"),
    [(0.5, 0.3905, 0.0455), (1, 0.6313, 0.3173), (2, 0.8046, 0.6171), (4, 0.9008, 0.8026)],
)
def test_gaussian_noise_has_the_moments_of_a_clipped_normal(sigma: float, mean: float, at_bound: float) -> None:
    loss = build_loss("blv", NUM_CLASSES, CLASS_PIXELS, sigma=sigma)
    noise = variation(loss, torch.zeros(2, NUM_CLASSES, 160, 160, dtype=torch.float64), torch.zeros(2, 160, 160).long())
    for channel in noise.transpose(0, 1):
        assert channel.mean().item() == pytest.approx(mean, abs=0.006)
        assert (channel > 1 - 1e-9).double().mean().item() == pytest.approx(at_bound, abs=0.01)
    # Independent from pixel to pixel, class to class and image to image.
    flat = noise.transpose(0, 1).flatten(1)
    off_diagonal = torch.corrcoef(flat) - torch.eye(NUM_CLASSES)
    assert off_diagonal.abs().max() < 0.03
    assert torch.corrcoef(noise.flatten(1))[0, 1].abs() < 0.03
    assert torch.corrcoef(torch.stack([flat[0, 1:], flat[0, :-1]]))[0, 1].abs() < 0.03


def test_uniform_noise_has_standard_deviation_sigma() -> None:
    loss = build_loss("blv", NUM_CLASSES, CLASS_PIXELS, sigma=0.5, law="uniform")
    noise = variation(loss, torch.zeros(1, NUM_CLASSES, 160, 160, dtype=torch.float64), torch.zeros(1, 160, 160).long())
    assert noise.square().mean().sqrt().item() == pytest.approx(0.5, abs=0.005)
    assert noise.max().item() == pytest.approx(0.5 * math.sqrt(3), abs=0.001)
    assert noise.mean().item() == pytest.approx(0.25 * math.sqrt(3), abs=0.005)


def test_xavier_noise_shrinks_with_the_root_of_the_classes() -> None:
    loss = build_loss("blv", NUM_CLASSES, CLASS_PIXELS, sigma=0.5, law="xavier")
    noise = variation(loss, torch.zeros(1, NUM_CLASSES, 160, 160, dtype=torch.float64), torch.zeros(1, 160, 160).long())
    assert noise.square().mean().sqrt().item() == pytest.approx(0.5 / math.sqrt(NUM_CLASSES), abs=0.005)
    assert noise.mean().item() == pytest.approx(0.25 * math.sqrt(2 / math.pi), abs=0.005)


def test_noise_is_drawn_anew_in_training_and_absent_in_evaluation(batch: tuple[Tensor, Tensor]) -> None:
    loss = build_loss("blv", NUM_CLASSES, CLASS_PIXELS)
    assert loss(*batch) != loss(*batch)
    torch.testing.assert_close(loss.eval()(*batch), reference.cross_entropy(*batch), rtol=1e-12, atol=0)


def test_rare_classes_vary_most() -> None:
    logits, target = random_batch(0)
    loss = build_loss("blv", NUM_CLASSES, CLASS_PIXELS, sigma=50.0)  # nearly every draw is clipped to 1
    added = (loss.adjust(logits, target.masked_fill(target == 255, 0)) - logits).amax((0, 2, 3))
    assert added[3].item() == pytest.approx(1) and added.tolist() == sorted(added.tolist())


def test_logits_and_labels_are_left_as_they_were(batch: tuple[Tensor, Tensor]) -> None:
    logits, target = batch
    before = logits.clone(), target.clone()
    for name in ("blv", "ldam", "bms", "pat"):
        build_loss(name, NUM_CLASSES, CLASS_PIXELS)(logits, target)
    assert torch.equal(logits, before[0]) and torch.equal(target, before[1])

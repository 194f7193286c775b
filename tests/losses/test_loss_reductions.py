"""What "mean", "sum" and "none" mean for each method."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_batches import CLASS_PIXELS, NUM_CLASSES, SETTINGS, random_batch, setting_name
from torch import Tensor

from patlib.losses import PixelLoss, build_loss


def build(setting: tuple[str, dict], reduction: str) -> PixelLoss:
    return build_loss(setting[0], NUM_CLASSES, CLASS_PIXELS, reduction=reduction, **setting[1])


def gradient(value: Tensor, leaf: Tensor) -> Tensor:
    return torch.autograd.grad(value, leaf)[0]


@pytest.mark.parametrize("chosen", SETTINGS, ids=setting_name)
@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000), st.integers(1, 3))
def test_the_three_are_one_loss(chosen: tuple[str, dict], seed: int, images: int) -> None:
    logits, target = random_batch(seed, images)
    leaf = logits.requires_grad_()
    divisor = images if chosen[0] == "pat" else (target != 255).sum().clamp_min(1)
    mean, total, each = (build(chosen, reduction)(leaf, target) for reduction in ("mean", "sum", "none"))
    assert mean.shape == total.shape == () and each.shape == target.shape
    torch.testing.assert_close(each.sum(), total, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(mean * divisor, total, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(gradient(each.sum(), leaf), gradient(total, leaf), rtol=1e-12, atol=1e-14)


def test_unreduced_is_the_weighted_loss_of_each_pixel_and_zero_where_ignored(setting: tuple[str, dict]) -> None:
    logits, target = random_batch(1)
    nll, weight = build(setting, "mean").per_pixel(logits, target)
    each = build(setting, "none")(logits, target)
    assert torch.equal(each, nll * weight)
    assert (target == 255).any() and each[target == 255].count_nonzero() == 0
    assert (each[target != 255] > 0).all()


def test_a_pixel_of_unreduced_pat_is_beta_over_its_mask_size() -> None:
    logits = torch.zeros(1, 2, 1, 4, dtype=torch.float64)
    each = build_loss("pat", 2, reduction="none", T=0.5, eps=0.25)(logits, torch.tensor([[[0, 0, 1, 255]]]))
    beta_nll = torch.tensor(2.0).double().log() * torch.tensor((1 - 0.5 - 0.25) / 0.5).double().exp()
    torch.testing.assert_close(each, beta_nll * torch.tensor([[[0.5, 0.5, 1, 0]]]).double())


@pytest.mark.slow
@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_compiled_reductions_pull_ignored_pixels_nowhere(reduction: str) -> None:
    torch.compiler.reset()
    logits, target = random_batch(0)
    loss = build(("pat", {}), reduction)
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    values = []
    for function in (loss, compiled):
        leaf = logits.clone().requires_grad_()
        value = function(leaf, target)
        values.append((value.detach(), gradient(value.sum(), leaf)))
    torch.testing.assert_close(values[0], values[1], rtol=1e-12, atol=1e-14)
    assert values[1][1].movedim(1, -1)[target == 255].count_nonzero() == 0


@pytest.mark.parametrize("reduction", ["avg", None, "Mean", 1])
def test_an_unknown_reduction_is_named(method: str, reduction: object) -> None:
    with pytest.raises(ValueError, match=f"reduction must be one of mean, sum, none; got {reduction!r}"):
        build_loss(method, NUM_CLASSES, CLASS_PIXELS, reduction=reduction)


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_a_normaliser_is_refused_where_nothing_is_divided(reduction: str, batch: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(ValueError, match=f'normaliser belongs to reduction="mean".*"{reduction}"'):
        build(("ce", {}), reduction)(*batch, normaliser=torch.tensor(3))

"""Beside `torch.nn.functional`, over the inputs that PyTorch's own tests of its cross-entropy go through.

Reductions, ignored labels, none to three dimensions of space, empty batches, types, weights and memory layouts. Where
the two differ on purpose, a test says in what. (An ignored label that is a class is PyTorch's only: ours are refused
in `test_loss_errors.py`.)
"""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from patlib.losses import LOSSES, build_loss

L = 5
COUNTS = [900, 300, 90, 9, 1]
SHAPES = [(6,), (3, 2), (2, 3, 2)]
REDUCTIONS = ["mean", "sum", "none"]
PLAIN = {"ce": {}, "focal": {"gamma": 0}, "cb": {"beta": 0}, "cbfocal": {"beta": 0, "gamma": 0}, "blv": {"sigma": 0}}
"""Methods that are cross-entropy at these parameters, but for the reduction's last digits."""
TOLERANCE = {torch.float16: 1e-3, torch.bfloat16: 8e-3, torch.float32: 2e-6, torch.float64: 1e-13}


def batch(shape: tuple[int, ...], ignore_index: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Three images, of which the last is all ignored; every class but the last occurs."""
    generator = torch.Generator().manual_seed(len(shape))
    logits = 2 * torch.randn(3, L, *shape, generator=generator, dtype=torch.float64)
    target = torch.randint(L - 1, (3, *shape), generator=generator)
    target[torch.rand(target.shape, generator=generator) < 0.25] = ignore_index
    target[2] = ignore_index
    return logits.to(dtype).requires_grad_(), target


def outcome(value: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """A value and the gradient of a sum in which no two of its terms have one factor."""
    factors = torch.arange(1, value.numel() + 1, dtype=value.dtype).view_as(value)
    return value.detach(), torch.autograd.grad((value * factors).sum(), logits)[0]


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("ignore_index", [255, -100, -1])
def test_reductions_ignored_labels_and_dimensions(name: str, ignore_index: int) -> None:
    for shape, reduction in itertools.product(SHAPES, REDUCTIONS):
        logits, target = batch(shape, ignore_index)
        ours = build_loss(name, L, COUNTS, ignore_index, reduction=reduction, **PLAIN[name])(logits, target)
        theirs = F.cross_entropy(logits, target, ignore_index=ignore_index, reduction=reduction)
        assert ours.shape == theirs.shape
        torch.testing.assert_close(outcome(ours, logits), outcome(theirs, logits), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_types(dtype: torch.dtype, reduction: str) -> None:
    """Half precision is computed in float32 here and rounded there, and the gradient has the logits' type in both."""
    logits, target = batch((3, 2), 255, dtype)
    ours = outcome(build_loss("ce", L, reduction=reduction)(logits, target), logits)
    theirs = outcome(F.cross_entropy(logits, target, ignore_index=255, reduction=reduction), logits)
    assert ours[0].dtype == (torch.float64 if dtype == torch.float64 else torch.float32) and ours[1].dtype == dtype
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.double(), other.double(), rtol=TOLERANCE[dtype], atol=16 * TOLERANCE[dtype])
    exact = F.cross_entropy(logits.detach().double(), target, ignore_index=255, reduction=reduction)
    torch.testing.assert_close(ours[0].double(), exact, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["cb", "cbfocal"])
@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_class_weights_are_those_of_torch(name: str, reduction: str) -> None:
    """With "mean" PyTorch divides by the weights of the pixels, and the losses here by the number of pixels."""
    parameters = {"gamma": 0} if name == "cbfocal" else {}
    loss = build_loss(name, L, COUNTS, reduction=reduction, **parameters)
    for shape in SHAPES:
        logits, target = batch(shape, 255)
        theirs = F.cross_entropy(logits, target, loss.class_weights, ignore_index=255, reduction=reduction)
        torch.testing.assert_close(outcome(loss(logits, target), logits), outcome(theirs, logits))


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_shifted_logits_are_those_of_torch(reduction: str) -> None:
    """Balanced softmax and LDAM are PyTorch's cross-entropy of other logits, and inherit its reductions."""
    counts = torch.tensor(COUNTS, dtype=torch.float64)
    margins = 0.5 * counts**-0.25
    for shape in SHAPES:
        logits, target = batch(shape, 255)
        labels = target.where(target != 255, 0)
        ones = [1] * len(shape)
        shifted = {
            "bms": logits + (counts / counts.sum()).log().view(1, L, *ones),
            "ldam": 20 * (logits - (F.one_hot(labels, L) * margins).movedim(-1, 1)),
        }
        for name, other in shifted.items():
            ours = build_loss(name, L, COUNTS, reduction=reduction)(logits, target)
            theirs = F.cross_entropy(other, target, ignore_index=255, reduction=reduction)
            torch.testing.assert_close(outcome(ours, logits), outcome(theirs, logits), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("shape", [(0, L, 3, 2), (2, L, 0, 2), (2, L, 0), (0, L, 2, 3, 2)])
def test_an_empty_batch_costs_nothing_where_torchs_mean_is_no_number(name: str, shape: tuple[int, ...]) -> None:
    logits, target = torch.zeros(shape, requires_grad=True), torch.zeros(shape[:1] + shape[2:]).long()
    assert F.cross_entropy(logits, target).isnan()
    for reduction in REDUCTIONS:
        ours = build_loss(name, L, COUNTS, reduction=reduction)(logits, target)
        theirs = F.cross_entropy(logits, target, reduction=reduction).nan_to_num()
        torch.testing.assert_close(ours, theirs)
        assert torch.autograd.grad(ours.sum(), logits)[0].shape == shape


@pytest.mark.parametrize("ignore_index", [255, -100])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_batch_that_is_all_ignored_costs_nothing_where_torchs_mean_is_no_number(
    ignore_index: int, reduction: str
) -> None:
    for shape in SHAPES:
        logits, _ = batch(shape, 255)
        target = torch.full((3, *shape), ignore_index)
        theirs = F.cross_entropy(logits, target, ignore_index=ignore_index, reduction=reduction)
        assert theirs.isnan().all() == (reduction == "mean")
        for name in LOSSES:
            value, gradient = outcome(
                build_loss(name, L, COUNTS, ignore_index, reduction=reduction)(logits, target), logits
            )
            torch.testing.assert_close(value, theirs.detach().nan_to_num())
            assert gradient.count_nonzero() == 0, name


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64])
def test_labels_of_every_integer_type_where_torch_takes_two(dtype: torch.dtype) -> None:
    logits, target = batch((3, 2), 100)
    theirs = F.cross_entropy(logits, target, ignore_index=100)
    torch.testing.assert_close(build_loss("ce", L, ignore_index=100)(logits, target.to(dtype)), theirs)


@pytest.mark.parametrize("channels_last", [torch.channels_last, torch.channels_last_3d])
def test_memory_layouts_and_views(channels_last: torch.memory_format) -> None:
    shape = (3, 2) if channels_last is torch.channels_last else (2, 3, 2)
    logits, target = batch(shape, 255)
    layouts = [logits.contiguous(memory_format=channels_last), logits.transpose(-1, -2), logits.flip(0), logits[::2]]
    labels = [target, target.transpose(-1, -2), target.flip(0), target[::2]]
    for reduction, (view, label) in itertools.product(REDUCTIONS, zip(layouts, labels, strict=True)):
        ours = build_loss("ce", L, reduction=reduction)(view, label)
        theirs = F.cross_entropy(view, label, ignore_index=255, reduction=reduction)
        torch.testing.assert_close(outcome(ours, logits), outcome(theirs, logits), rtol=1e-12, atol=1e-14)


def test_more_channels_and_pixels_than_a_kernel_takes_at_once() -> None:
    generator = torch.Generator().manual_seed(0)
    for classes, pixels in ((1000, 33), (2, 70_001)):
        logits = torch.randn(1, classes, pixels, generator=generator, requires_grad=True)
        target = torch.randint(classes, (1, pixels), generator=generator)
        ours = build_loss("ce", classes, ignore_index=-100)(logits, target)
        torch.testing.assert_close(outcome(ours, logits), outcome(F.cross_entropy(logits, target), logits))

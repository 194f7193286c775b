"""Points (N,L,W) and volumes (N,L,D,H,W) cost what an image (N,L,H,W) of the same pixels costs."""

import pytest
import torch
from loss_batches import CLASS_PIXELS, NUM_CLASSES, random_batch
from torch import Tensor

from patlib.losses import build_loss, mask_sizes

SHAPES = [(24,), (3, 8), (2, 3, 4)]


def outcome(function: torch.nn.Module, logits: Tensor, target: Tensor) -> tuple[Tensor, ...]:
    leaf = logits.clone().requires_grad_()
    torch.manual_seed(0)
    value = function(leaf, target)
    value.sum().backward()
    return value.detach().flatten(1) if value.ndim else value.detach(), leaf.grad.flatten(2)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_only_the_pixels_matter(method: str, shape: tuple[int, ...], reduction: str) -> None:
    logits, target = random_batch(0, 2, 4, 6)
    loss = build_loss(method, NUM_CLASSES, CLASS_PIXELS, reduction=reduction)
    expected = outcome(loss, logits, target)
    value = outcome(loss, logits.view(2, NUM_CLASSES, *shape), target.view(2, *shape))
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["ce", "bms", "ldam", "blv", "pat"])
def test_compiled_as_well(name: str, shape: tuple[int, ...]) -> None:
    torch.compiler.reset()
    logits, target = random_batch(0, 2, 4, 6)
    logits, target = logits.view(2, NUM_CLASSES, *shape), target.view(2, *shape)
    loss = build_loss(name, NUM_CLASSES, CLASS_PIXELS)
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(outcome(compiled, logits, target), outcome(loss, logits, target), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_unreduced_losses_have_the_shape_of_the_labels(shape: tuple[int, ...]) -> None:
    logits, target = torch.zeros(2, 3, *shape), torch.zeros(2, *shape).long()
    assert build_loss("pat", 3, reduction="none")(logits, target).shape == target.shape


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_mask_sizes_of_points_and_volumes(shape: tuple[int, ...]) -> None:
    _, target = random_batch(0, 2, 4, 6)
    assert torch.equal(mask_sizes(target.view(2, *shape), NUM_CLASSES), mask_sizes(target, NUM_CLASSES))


def test_volumes_in_another_memory_layout_cost_the_same(method: str) -> None:
    logits, target = random_batch(0, 2, 4, 6)
    logits, target = logits.view(2, NUM_CLASSES, 2, 3, 4), target.view(2, 2, 3, 4)
    loss = build_loss(method, NUM_CLASSES, CLASS_PIXELS).eval()
    torch.testing.assert_close(
        outcome(loss, logits.to(memory_format=torch.channels_last_3d), target), outcome(loss, logits, target)
    )

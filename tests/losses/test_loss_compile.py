"""`torch.compile` of each loss is one graph and changes neither the value nor the gradient."""

from collections.abc import Iterator

import pytest
import torch
from loss_batches import CLASS_PIXELS, NUM_CLASSES, random_batch
from torch import Tensor

from patlib.losses import build_loss, mask_sizes

COMPILED = [
    ("ce", {}),
    ("focal", {"gamma": 0.5}),
    ("cb", {}),
    ("cb", {"power": 0.5}),
    ("cbfocal", {}),
    ("bms", {}),
    ("ldam", {}),
    ("blv", {}),
    ("pat", {}),
    ("pat", {"detach": False, "eps": 0.1}),
    ("pat", {"alpha": 0.5}),
]


@pytest.fixture(autouse=True)
def fresh_compiler() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def outcome(function: torch.nn.Module, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    leaf = logits.clone().requires_grad_()
    torch.manual_seed(0)
    value = function(leaf, target)
    value.backward()
    return value.detach(), leaf.grad


@pytest.mark.parametrize(("name", "params"), COMPILED)
def test_the_compiled_loss_is_one_graph_with_the_same_gradient(name: str, params: dict) -> None:
    logits, target = random_batch(0)
    loss = build_loss(name, NUM_CLASSES, CLASS_PIXELS, **params)
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(
        outcome(compiled, logits.float(), target), outcome(loss, logits.float(), target), rtol=1e-6, atol=1e-7
    )


def test_a_compiled_loss_handles_ignored_batches_and_other_sizes() -> None:
    loss = build_loss("pat", NUM_CLASSES)
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True, dynamic=True)
    for height, width in ((3, 4), (5, 6)):
        logits, target = random_batch(height, height=height, width=width)
        torch.testing.assert_close(outcome(compiled, logits, target), outcome(loss, logits, target))
    value, gradient = outcome(compiled, logits, torch.full_like(target, 255))
    assert value == 0 and gradient.count_nonzero() == 0


@pytest.mark.parametrize("name", ["ldam", "pat"])
def test_a_compiled_loss_computes_half_precision_in_float32_under_autocast(name: str) -> None:
    logits, target = random_batch(0)
    logits = logits.bfloat16()
    loss = build_loss(name, NUM_CLASSES, CLASS_PIXELS)
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value, gradient = outcome(compiled, logits, target)
    assert value.dtype == torch.float32 and gradient.dtype == torch.bfloat16
    torch.testing.assert_close((value, gradient), outcome(loss, logits, target), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("ignore_index", [255, -100, -1])
@pytest.mark.parametrize(("name", "params"), COMPILED)
def test_both_forms_agree_at_extreme_logits_and_any_ignored_label(name: str, params: dict, ignore_index: int) -> None:
    logits, target = random_batch(1)
    logits = logits.float() * 1e4
    target = target.masked_fill(target == 255, ignore_index)
    loss = build_loss(name, NUM_CLASSES, CLASS_PIXELS, ignore_index, **params)
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(outcome(compiled, logits, target), outcome(loss, logits, target), rtol=1e-6, atol=1e-7)


def test_both_ways_of_counting_agree() -> None:
    _, target = random_batch(0)
    compiled = torch.compile(mask_sizes, backend="aot_eager", fullgraph=True)
    assert torch.equal(compiled(target, NUM_CLASSES), mask_sizes(target, NUM_CLASSES))


@pytest.mark.parametrize("name", ["ce", "focal", "bms"])
def test_a_label_that_is_no_class_makes_the_compiled_loss_nan(name: str) -> None:
    logits, target = random_batch(0)
    target[0, 0, 0] = NUM_CLASSES
    compiled = torch.compile(build_loss(name, NUM_CLASSES, CLASS_PIXELS), backend="aot_eager", fullgraph=True)
    assert compiled(logits.float(), target).isnan()


def test_the_default_compiler_gives_pat_the_same_gradient() -> None:
    logits, target = random_batch(0)
    loss = build_loss("pat", NUM_CLASSES)
    torch.testing.assert_close(
        outcome(torch.compile(loss, fullgraph=True), logits.float(), target),
        outcome(loss, logits.float(), target), rtol=1e-5, atol=1e-6,
    )  # fmt: skip

"""No method builds the (N, L, H, W) weight tensor of the paper: tensors as large as the logits are counted."""

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from patlib.losses import build_loss

NUM_CLASSES = 16
COUNTS = list(range(1, 1 + NUM_CLASSES))
# One log-softmax; the methods that adjust logits hold the adjusted ones as well, until the log-softmax is there.
ALLOCATED = {"ce": 1, "focal": 1, "cb": 1, "cbfocal": 1, "pat": 1, "bms": 2, "ldam": 2, "blv": 2}
SETTINGS = [*((name, {}) for name in ALLOCATED), ("pat", {"detach": False})]


class LargeTensors(TorchDispatchMode):
    """Keeps every memory block with at least half as many elements as the logits that an operation returns."""

    def __init__(self, logits: Tensor, target: Tensor) -> None:
        super().__init__()
        self.size = logits.numel() // 2
        self.known = {block(logits), block(target)}
        self.kept: list[Tensor] = []  # alive, so that no block is used twice

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and elements(tensor) >= self.size and block(tensor) not in self.known:
                self.known.add(block(tensor))
                self.kept.append(tensor)
        return result


def block(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def elements(tensor: Tensor) -> int:
    return tensor.untyped_storage().nbytes() // tensor.element_size()


@pytest.fixture
def large_batch() -> tuple[Tensor, Tensor]:
    logits = torch.randn(2, NUM_CLASSES, 9, 11, generator=torch.Generator().manual_seed(0)).requires_grad_()
    target = torch.arange(2 * 9 * 11).remainder(NUM_CLASSES).view(2, 9, 11)
    target[0, 0] = 255
    return logits, target


@pytest.mark.parametrize(("name", "params"), SETTINGS)
def test_forward_allocates_one_log_softmax(name: str, params: dict, large_batch: tuple[Tensor, Tensor]) -> None:
    loss = build_loss(name, NUM_CLASSES, COUNTS, **params)
    with LargeTensors(*large_batch) as large:
        loss(*large_batch)
    assert len(large.kept) == ALLOCATED[name]


@pytest.mark.parametrize(("name", "params"), SETTINGS)
def test_backward_allocates_no_more_than_cross_entropy(
    name: str, params: dict, large_batch: tuple[Tensor, Tensor]
) -> None:
    logits, target = large_batch
    counts = []
    for function in (
        build_loss(name, NUM_CLASSES, COUNTS, **params),
        lambda x, y: torch.nn.functional.cross_entropy(x, y, ignore_index=255),
    ):
        value = function(logits, target)
        with LargeTensors(logits, target) as large:
            torch.autograd.grad(value, logits)
        counts.append(len(large.kept))
    extra = name == "ldam"  # the scale multiplies the gradient once more
    assert counts[0] <= counts[1] + extra


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize(("name", "params"), SETTINGS)
def test_one_large_tensor_is_saved_for_the_backward_pass(
    name: str, params: dict, large_batch: tuple[Tensor, Tensor], dtype: torch.dtype
) -> None:
    logits, target = large_batch
    logits = logits.detach().to(dtype).requires_grad_()
    saved: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        saved.append(tensor)
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        value = build_loss(name, NUM_CLASSES, COUNTS, **params)(logits, target)
    blocks = {block(tensor) for tensor in saved if elements(tensor) >= logits.numel() // 2}
    assert value.isfinite() and len(blocks - {block(logits)}) == 1


def test_the_count_sees_the_literal_formula(large_batch: tuple[Tensor, Tensor]) -> None:
    import reference

    with LargeTensors(*large_batch) as large:
        reference.pat(*large_batch, 20)
    assert len(large.kept) > 5

"""SegNet has the published shape and size, and equals a literal forward pass, with either head."""

import pytest
import torch
import torch.nn.functional as F
from model_cases import images, small
from torch import Tensor, nn

from patlib.models import build_model, count_parameters


def convolution(in_channels: int, out_channels: int) -> int:
    """Parameters of a 3x3 convolution without bias and of its batch norm."""
    return 9 * in_channels * out_channels + 2 * out_channels


def literal_forward(model: nn.Module, x: Tensor, training: bool) -> Tensor:
    """Convolutions in order, 2x2 pooling after the 2nd, 4th, 7th and 10th, its mirror image on the way up."""
    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.BatchNorm2d)]
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    norms = iter([layer for layer in layers if isinstance(layer, nn.BatchNorm2d)])
    remembered = []
    for number, layer in enumerate(convolutions, start=1):
        if number in (11, 14, 17, 19):
            indices, size = remembered.pop()
            unpooled = torch.zeros(*x.shape[:2], size[0] * size[1], dtype=x.dtype)
            x = unpooled.scatter(2, indices.flatten(2), x.flatten(2)).view(*x.shape[:2], *size)
        x = F.conv2d(x, layer.weight, layer.bias, padding=1)
        if norm := next(norms, None):
            statistics = (None, None) if training else (norm.running_mean, norm.running_var)
            x = F.batch_norm(x, *statistics, norm.weight, norm.bias, training=training).relu()
        if number in (2, 4, 7, 10):
            size = x.shape[-2:]
            x, indices = F.max_pool2d(x, 2, return_indices=True)
            remembered.append((indices, size))
    return x


@pytest.mark.parametrize("released_head", [False, True])
def test_parameters_are_the_literal_sum(released_head: bool) -> None:
    encoder = (
        convolution(3, 32)
        + convolution(32, 32)
        + convolution(32, 64)
        + convolution(64, 64)
        + convolution(64, 128)
        + 2 * convolution(128, 128)
        + convolution(128, 256)
        + 2 * convolution(256, 256)
    )
    decoder = (
        2 * convolution(256, 256)
        + convolution(256, 128)
        + 2 * convolution(128, 128)
        + convolution(128, 64)
        + convolution(64, 64)
        + convolution(64, 32)
        + convolution(32, 32)
    )
    head = convolution(32, 20) if released_head else 9 * 32 * 20 + 20
    model = build_model("segnet", 20, released_head=released_head)
    assert sum(parameter.numel() for parameter in model.parameters()) == encoder + decoder + head
    assert count_parameters(model) == encoder + decoder + head
    assert encoder + decoder + head == 3_826_952 - 20 * (not released_head)


@pytest.mark.parametrize("width", [2, 32])
def test_channels_double_over_stages_of_2_2_3_3_convolutions(width: int) -> None:
    model = build_model("segnet", 7, width=width)
    channels = [(m.in_channels, m.out_channels) for m in model.modules() if isinstance(m, nn.Conv2d)]
    a, b, c, d = (width * factor for factor in (1, 2, 4, 8))
    up = [(3, a), (a, a), (a, b), (b, b), (b, c), (c, c), (c, c), (c, d), (d, d), (d, d)]
    down = [(d, d), (d, d), (d, c), (c, c), (c, c), (c, b), (b, b), (b, a), (a, a), (a, 7)]
    assert channels == up + down


@pytest.mark.parametrize("released_head", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("size", [(32, 48), (45, 61)])
def test_the_forward_pass_is_the_literal_one(released_head: bool, training: bool, size: tuple[int, int]) -> None:
    model = small("segnet", released_head=released_head).double().train(training)
    x = images(*size).double()
    with torch.no_grad():
        expected = literal_forward(model, x, training)
        torch.testing.assert_close(model(x), expected, rtol=1e-10, atol=1e-12)


def test_only_the_released_head_cannot_go_below_zero() -> None:
    with torch.no_grad():
        released, linear = small("segnet", released_head=True)(images()), small("segnet")(images())
    assert released.min() == 0 and released.max() > 0
    assert 0.2 < (released == 0).double().mean() < 0.8
    assert linear.min() < 0 < linear.max()

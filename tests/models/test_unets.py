"""UNet, Attention UNet and UNet++ have the released sizes and equal forward passes written out in plain arithmetic."""

import pytest
import torch
import torch.nn.functional as F
from model_cases import images, small
from torch import Tensor, nn

from patlib.models import build_model, count_parameters

UNETS = ("unet", "attention_unet", "unetpp")


def block(in_channels: int, out_channels: int, bias: bool) -> int:
    """Parameters of a 3x3 convolution and of its batch norm."""
    return 9 * in_channels * out_channels + bias * out_channels + 2 * out_channels


def double(in_channels: int, out_channels: int, bias: bool) -> int:
    return block(in_channels, out_channels, bias) + block(out_channels, out_channels, bias)


def gate(channels: int, inner: int) -> int:
    """Two 1x1 convolutions to ``inner`` channels and one to a single one, each with bias and batch norm."""
    return 2 * (channels * inner + inner + 2 * inner) + (inner + 1 + 2)


def expected_parameters(name: str, a: int, num_classes: int) -> int:
    """The literal sum for the channels a, 2a, 4a, 8a, 16a."""
    b, c, d, e = 2 * a, 4 * a, 8 * a, 16 * a
    bias = name != "unet"
    encoder = double(3, a, bias) + double(a, b, bias) + double(b, c, bias) + double(c, d, bias) + double(d, e, bias)
    head = a * num_classes + num_classes
    if name == "unetpp":
        column_1 = double(a + b, a, 1) + double(b + c, b, 1) + double(c + d, c, 1) + double(d + e, d, 1)
        column_2 = double(2 * a + b, a, 1) + double(2 * b + c, b, 1) + double(2 * c + d, c, 1)
        column_3 = double(3 * a + b, a, 1) + double(3 * b + c, b, 1)
        column_4 = double(4 * a + b, a, 1)
        return encoder + column_1 + column_2 + column_3 + column_4 + head
    decoder = double(e, d, bias) + double(d, c, bias) + double(c, b, bias) + double(b, a, bias)
    if name == "unet":
        enlarge = (4 * e * d + d) + (4 * d * c + c) + (4 * c * b + b) + (4 * b * a + a)
        return encoder + enlarge + decoder + head
    enlarge = block(e, d, True) + block(d, c, True) + block(c, b, True) + block(b, a, True)
    gates = gate(d, c) + gate(c, b) + gate(b, a) + gate(a, a)
    return encoder + enlarge + gates + decoder + head


@pytest.mark.parametrize(
    ("name", "width", "total"),
    [
        ("unet", 32, 7_763_668),
        ("attention_unet", 32, 8_727_840),
        ("unetpp", 32, 9_163_956),
        ("unet", 4, None),
        ("attention_unet", 4, None),
        ("unetpp", 4, None),
        ("unet", 1, None),
        ("attention_unet", 1, None),
        ("unetpp", 1, None),
    ],
)
def test_parameters_are_the_literal_sum(name: str, width: int, total: int | None) -> None:
    model = build_model(name, 20, width=width)
    expected = expected_parameters(name, width, 20)
    assert sum(parameter.numel() for parameter in model.parameters()) == expected
    assert count_parameters(model) == expected == (total or expected)


class Literal:
    """The layers of a network one after the other, in the order of its parameters, applied without its modules."""

    def __init__(self, model: nn.Module, training: bool) -> None:
        kinds = nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d
        self.layers = iter([module for module in model.modules() if isinstance(module, kinds)])
        self.training = training

    def convolve(self, x: Tensor) -> Tensor:
        layer = next(self.layers)
        return F.conv2d(x, layer.weight, layer.bias, padding=layer.weight.shape[-1] // 2)

    def normalise(self, x: Tensor) -> Tensor:
        layer = next(self.layers)
        mean, variance = layer.running_mean, layer.running_var
        if self.training:
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        columns = [values.view(1, -1, 1, 1) for values in (mean, variance, layer.weight, layer.bias)]
        return (x - columns[0]) / (columns[1] + 1e-5).sqrt() * columns[2] + columns[3]

    def block(self, x: Tensor) -> Tensor:
        return self.normalise(self.convolve(x)).relu()

    def double(self, *parts: Tensor) -> Tensor:
        return self.block(self.block(torch.cat(parts, dim=1)))

    def transposed(self, x: Tensor) -> Tensor:
        layer = next(self.layers)
        n, _, h, w = x.shape
        blocks = torch.einsum("ncij,coab->noiajb", x, layer.weight)
        return blocks.reshape(n, -1, 2 * h, 2 * w) + layer.bias.view(1, -1, 1, 1)

    def gate(self, g: Tensor, x: Tensor) -> Tensor:
        both = self.normalise(self.convolve(g)) + self.normalise(self.convolve(x))
        return x / (1 + torch.exp(-self.normalise(self.convolve(both.relu()))))


def halved(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).amax((3, 5))


def repeated(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def bilinear(x: Tensor) -> Tensor:
    """Twice the size; the corners keep their values and the samples between them are evenly spaced."""
    for dim in (2, 3):
        size = x.shape[dim]
        place = torch.arange(2 * size, dtype=x.dtype) * (size - 1) / (2 * size - 1)
        weights = (1 - (place[:, None] - torch.arange(size, dtype=x.dtype)).abs()).clamp_min(0)
        x = torch.tensordot(weights, x, dims=([1], [dim])).movedim(0, dim)
    return x


def literal_forward(name: str, model: nn.Module, x: Tensor, training: bool) -> Tensor:
    literal = Literal(model, training)
    height, width = x.shape[-2:]
    while x.shape[2] % 16:
        x = torch.cat([x, x[:, :, -1:]], dim=2)
    while x.shape[3] % 16:
        x = torch.cat([x, x[:, :, :, -1:]], dim=3)
    at = {(0, 0): literal.double(x)}
    for level in (1, 2, 3, 4):
        at[level, 0] = literal.double(halved(at[level - 1, 0]))
    x = at[4, 0]
    if name == "unetpp":
        for column, levels in ((1, (0, 1, 2, 3)), (2, (0, 1, 2)), (3, (0, 1)), (4, (0,))):
            for level in levels:
                before = [at[level, earlier] for earlier in range(column)]
                at[level, column] = literal.double(*before, bilinear(at[level + 1, column - 1]))
        x = at[0, 4]
    for level in (3, 2, 1, 0):
        if name == "unet":
            x = literal.double(at[level, 0], literal.transposed(x))
        elif name == "attention_unet":
            x = literal.block(repeated(x))
            x = literal.double(literal.gate(x, at[level, 0]), x)
    logits = literal.convolve(x)
    assert next(literal.layers, None) is None
    return logits[:, :, :height, :width]


@pytest.mark.parametrize("name", UNETS)
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("size", [(32, 48), (45, 61)])
def test_the_forward_pass_is_the_literal_one(name: str, training: bool, size: tuple[int, int]) -> None:
    model = small(name).double().train(training)
    x = images(*size).double()
    with torch.no_grad():
        expected = literal_forward(name, model, x, training)
        torch.testing.assert_close(model(x), expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", UNETS)
def test_the_padding_is_felt_less_the_farther_away_it_is(name: str) -> None:
    model, whole = small(name).double().eval(), images(64, 64).double()
    with torch.no_grad():
        difference = (model(whole)[..., :61, :61] - model(whole[..., :61, :61])).abs()
    near = torch.cat([difference[..., -8:, :].flatten(), difference[..., :-8, -8:].flatten()])
    assert near.mean() > 0
    assert difference[..., :32, :32].mean() < 0.2 * near.mean()


@pytest.mark.parametrize("name", UNETS)
def test_logits_are_linear_in_the_head_and_of_both_signs(name: str) -> None:
    with torch.no_grad():
        logits = small(name)(images())
    assert logits.min() < 0 < logits.max()

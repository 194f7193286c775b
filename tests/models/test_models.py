"""What holds for all four networks: any image size, gradients, layouts, precisions, saved weights, named errors."""

import itertools
import re

import pytest
import torch
import torch.nn.functional as F
from model_cases import images, small
from torch import nn

from patlib.models import MODELS, SMALLEST_SIDE, build_model
from patlib.models.blocks import pad

every_model = pytest.mark.parametrize("name", MODELS)


def test_the_models_are_those_of_the_paper() -> None:
    assert list(MODELS) == ["segnet", "unet", "attention_unet", "unetpp"]
    assert all(type(build_model(name, 2, width=1)) is MODELS[name] for name in MODELS)


@every_model
@pytest.mark.parametrize(
    ("height", "width"), [(16, 16), (17, 31), (31, 17), (16, 20), (45, 61), (64, 48), (90, 120), (256, 340)]
)
def test_logits_have_the_size_of_the_image(name: str, height: int, width: int) -> None:
    with torch.no_grad():
        logits = small(name, width=2).eval()(images(height, width))
    assert logits.shape == (2, 4, height, width) and logits.dtype == torch.float32 and logits.isfinite().all()


def test_sides_that_are_multiples_of_16_are_not_padded() -> None:
    whole = images(32, 48)
    assert pad(whole) is whole


@pytest.mark.parametrize("size", [(45, 61), (45, 48), (32, 61)])
def test_other_sides_repeat_their_last_row_and_column(size: tuple[int, int]) -> None:
    rows, columns = torch.arange(48).clamp(max=size[0] - 1), torch.arange(64).clamp(max=size[1] - 1)
    padded = pad(images(*size))
    expected = images(*size)[:, :, rows][:, :, :, columns[: padded.shape[3]]]
    assert torch.equal(padded, expected[:, :, : padded.shape[2]])
    assert padded.shape[2:] == (-(-size[0] // 16) * 16, -(-size[1] // 16) * 16)


@pytest.mark.parametrize(("name", "released_head"), [*((name, False) for name in MODELS), ("segnet", True)])
def test_every_parameter_receives_a_gradient(name: str, released_head: bool) -> None:
    model = small(name, released_head=released_head).double()
    target = torch.arange(2 * 45 * 61).remainder(4).view(2, 45, 61)
    F.cross_entropy(model(images(45, 61).double()), target).backward()
    # Batch norm subtracts the mean, and with it the bias of the convolution before it.
    layers = list(model.named_modules())
    without_effect = {
        f"{before}.bias"
        for (before, layer), (_, following) in itertools.pairwise(layers)
        if isinstance(layer, nn.Conv2d) and isinstance(following, nn.BatchNorm2d)
    }
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), parameter_name
        if parameter_name in without_effect:
            assert parameter.grad.abs().max() < 1e-12, parameter_name
        else:
            assert parameter.grad.abs().max() > 1e-7, parameter_name


@every_model
def test_bfloat16_autocast_trains_and_stays_close(name: str) -> None:
    model = small(name)
    expected = model(images())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(images())
    assert logits.dtype == torch.bfloat16
    # Rounding moves some maxima to another place, so values agree on the whole rather than one by one.
    assert torch.corrcoef(torch.stack([logits.float().flatten(), expected.flatten()]))[0, 1] > 0.7
    logits.float().square().mean().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@every_model
@pytest.mark.parametrize("size", [(32, 48), (45, 61)])
def test_channels_last_gives_the_same_logits_and_gradients(name: str, size: tuple[int, int]) -> None:
    outcomes = []
    for layout in (torch.contiguous_format, torch.channels_last):
        model = small(name).double().to(memory_format=layout)
        logits = model(images(*size).double().to(memory_format=layout))
        logits.square().mean().backward()
        outcomes.append((logits.detach(), [parameter.grad for parameter in model.parameters()]))
    torch.testing.assert_close(outcomes[1], outcomes[0], rtol=1e-7, atol=1e-10)


@every_model
def test_weights_can_be_saved_and_loaded(name: str) -> None:
    model, other = small(name).eval(), build_model(name, 4, width=4).eval()
    assert not torch.equal(model(images()), other(images()))
    other.load_state_dict(model.state_dict())
    assert torch.equal(model(images()), other(images()))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("resnet", 4), ["'resnet'", "segnet, unet, attention_unet, unetpp"]),
        (("segnet", 1), ["num_classes", "1", "at least 2"]),
        (("unet", 4.0), ["num_classes", "4.0"]),
        (("unetpp", True), ["num_classes", "True"]),
        (("attention_unet", 4, 0), ["width", "0", "at least 1"]),
        (("segnet", 4, "32"), ["width", "'32'"]),
        (("unet", 4, 32, True), ["released_head", "'unet'", "SegNet", "leave released_head out"]),
        (("attention_unet", 4, 32, True), ["released_head", "'attention_unet'"]),
        (("unetpp", 4, 32, True), ["released_head", "'unetpp'"]),
    ],
)
def test_wrong_construction_is_named_with_the_rule(arguments: tuple, words: list[str]) -> None:
    with pytest.raises(ValueError) as raised:
        build_model(*arguments)
    assert all(word in str(raised.value) for word in words), str(raised.value)


@every_model
@pytest.mark.parametrize("size", [(15, 64), (64, 15), (1, 1)])
def test_images_too_small_for_four_halvings_are_named(name: str, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=re.escape(f"at least {SMALLEST_SIDE} pixels a side, got {(2, 3, *size)}")):
        small(name)(images(*size))

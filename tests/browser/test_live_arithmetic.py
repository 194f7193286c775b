"""The first page's live picture computes in JavaScript what patlib and PyTorch compute: losses, gradients, training."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from live_picture import LIVE
from playwright.sync_api import Browser, Page

from patlib.losses import PAT, BalancedSoftmax, ClassBalanced, CrossEntropy, Focal
from patlib.metrics import SegmentationMetrics

COUNTS = [9000.0, 7000.0, 5000.0, 900.0, 80.0, 7.0]
CLASSES, HEIGHT, WIDTH = len(COUNTS), 8, 11
CHOICES: dict[str, tuple[dict[str, Any], Any]] = {
    "ce": ({}, CrossEntropy(CLASSES)),
    "focal": ({}, Focal(CLASSES, gamma=2)),
    "cb": ({}, ClassBalanced(CLASSES, class_pixels=COUNTS)),
    "bms": ({}, BalancedSoftmax(CLASSES, class_pixels=COUNTS)),
    "pat": ({"T": 20, "alpha": 1}, PAT(CLASSES, T=20)),
    "pat, T 0.1 and alpha 0.3": ({"T": 0.1, "alpha": 0.3}, PAT(CLASSES, T=0.1, alpha=0.3)),
    "size": ({"alpha": 1}, PAT(CLASSES, adaptive=False)),
    "size, alpha 0": ({"alpha": 0}, PAT(CLASSES, adaptive=False, alpha=0)),
}


@pytest.fixture(scope="module")
def room(browser: Browser) -> Iterator[Page]:
    """An empty page with the functions of the worker."""
    page = browser.new_page()
    for name in ("network.js", "losses.js", "scenes.js", "trainer.js"):
        page.add_script_tag(path=LIVE / name)
    page.add_script_tag(content="const floats = lists => lists.map(list => Float32Array.from(list));")
    yield page
    page.close()


def case(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (2,L,H,W), some pixels sure and some wrong, and labels (2,H,W) of which one image lacks two classes."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, CLASSES, HEIGHT, WIDTH, generator=generator)
    labels = torch.multinomial(torch.tensor([9.0, 7, 5, 3, 2, 1]), 2 * HEIGHT * WIDTH, True, generator=generator)
    labels = labels.view(2, HEIGHT, WIDTH)
    labels[0][labels[0] > 3] = 0
    return logits, labels


@pytest.mark.parametrize("name", CHOICES)
def test_a_loss_and_its_gradient_are_those_of_patlib(room: Page, name: str) -> None:
    logits, labels = case(0)
    settings, loss = CHOICES[name]
    ours = room.evaluate(
        """([choice, logits, labels, counts]) => {
            const found = lossAndGradient(choice, Float32Array.from(logits), Uint8Array.from(labels), 2, counts);
            return [found.value, Array.from(found.gradient)];
        }""",
        [{"method": name.split(",")[0], **settings}, logits.flatten().tolist(), labels.flatten().tolist(), COUNTS],
    )

    logits = logits.double().requires_grad_()
    value = loss(logits, labels)
    value.backward()
    assert ours[0] == pytest.approx(value.item(), rel=1e-6)
    np.testing.assert_allclose(ours[1], logits.grad.flatten().numpy(), rtol=1e-5)


def layers_and_start(room: Page, seed: int) -> tuple[list[dict[str, int]], list[torch.Tensor]]:
    """The picture's own network, its first parameters in the shapes that PyTorch knows."""
    layers, start = room.evaluate(
        """([classes, seed]) => {
            const layers = architecture(classes);
            return [layers, initialParameters(layers, generator(seed)).map(array => Array.from(array))];
        }""",
        [CLASSES, seed],
    )
    shapes = [shape for it in layers for shape in ((it["to"], it["from"], 3, 3), (it["to"],))]
    return layers, [torch.tensor(values).double().view(shape) for values, shape in zip(start, shapes, strict=True)]


def network(layers: list[dict[str, int]], parameters: list[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    for k, layer in enumerate(layers):
        d = layer["dilation"]
        x = F.conv2d(x, parameters[2 * k], parameters[2 * k + 1], padding=d, dilation=d)
        x = x.relu() if k < len(layers) - 1 else x
    return x


def as_lists(tensors: list[torch.Tensor]) -> list[list[float]]:
    return [tensor.detach().flatten().tolist() for tensor in tensors]


def test_the_network_and_its_gradients_are_those_of_pytorch(room: Page) -> None:
    layers, parameters = layers_and_start(room, 1)
    for bias in parameters[1::2]:
        bias += torch.linspace(-0.3, 0.5, len(bias))  # so that a bias left out is seen
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(3, HEIGHT, WIDTH, generator=generator)
    upstream = torch.randn(CLASSES, HEIGHT, WIDTH, generator=generator)
    logits, gradients = room.evaluate(
        """([layers, lists, image, upstream, height, width]) => {
            const parameters = floats(lists), sums = zerosLike(parameters), [x, g] = floats([image, upstream]);
            const planes = forward(layers, parameters, x, height, width);
            backward(layers, parameters, planes, g, sums, height, width);
            return [Array.from(planes.at(-1)), sums.map(array => Array.from(array))];
        }""",
        [layers, as_lists(parameters), *as_lists([image, upstream]), HEIGHT, WIDTH],
    )

    parameters = [tensor.float().double().requires_grad_() for tensor in parameters]
    theirs = network(layers, parameters, image.double()[None])[0]
    theirs.backward(upstream.double())
    np.testing.assert_allclose(logits, theirs.detach().flatten(), atol=1e-5)
    for ours, tensor in zip(gradients, parameters, strict=True):
        np.testing.assert_allclose(ours, tensor.grad.flatten(), rtol=1e-4, atol=1e-5 * tensor.grad.abs().max())


@pytest.mark.parametrize("name", CHOICES)
def test_three_training_steps_end_where_pytorchs_adam_ends(room: Page, name: str) -> None:
    layers, parameters = layers_and_start(room, 2)
    settings, loss = CHOICES[name]
    images = torch.randn(3, 2, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(2))
    labels = torch.stack([case(seed)[1] for seed in range(3)])
    choice, scenes = (
        {"method": name.split(",")[0], **settings},
        [images.flatten(2).tolist(), labels.flatten(2).tolist()],
    )
    rate, ours = room.evaluate(
        """([layers, lists, choice, images, labels, counts, height, width]) => {
            const parameters = floats(lists), learner = { choice, parameters, adam: newAdam(parameters) };
            images.forEach((batch, step) => {
                const scenes = batch.map((image, k) => (
                    { image: Float32Array.from(image), labels: Uint8Array.from(labels[step][k]) }));
                trainingStep(layers, learner, scenes, counts, height, width);
            });
            return [LEARNING_RATE, parameters.map(array => Array.from(array))];
        }""",
        [layers, as_lists(parameters), choice, *scenes, COUNTS, HEIGHT, WIDTH],
    )

    parameters = [tensor.requires_grad_() for tensor in parameters]
    adam = torch.optim.Adam(parameters, lr=rate)
    for batch, target in zip(images.double(), labels, strict=True):
        adam.zero_grad()
        loss(network(layers, parameters, batch), target).backward()
        adam.step()
    for own, tensor in zip(ours, parameters, strict=True):
        np.testing.assert_allclose(own, tensor.detach().flatten(), rtol=0, atol=1e-4 * rate)


def test_the_scores_are_those_of_patlib(room: Page) -> None:
    logits, truth = case(3)
    predicted = logits.argmax(1)
    predicted[predicted == 5] = 0
    truth[truth == 4] = 0
    ours = room.evaluate(
        "([truths, predictions, classes]) => scores(truths, predictions, classes)",
        [truth.flatten(1).tolist(), predicted.flatten(1).tolist(), CLASSES],
    )
    metrics = SegmentationMetrics(CLASSES)
    metrics.update(predicted, truth)
    scores = metrics.compute()
    assert (ours["accuracy"], ours["miou"]) == pytest.approx((scores["pixel_acc"].item(), scores["miou"].item()))
    expected = [
        (predicted == truth)[truth == c].double().mean().item() if (truth == c).any() else None for c in range(6)
    ]
    assert ours["recall"] == pytest.approx(expected)


def test_a_seed_draws_its_scenes_again_and_they_have_a_long_tail(room: Page) -> None:
    draw = """seed => {
        const world = newWorld(seed, 1);
        const heldOut = world.heldOut.map(({ image, labels }) => [Array.from(image), Array.from(labels)]);
        return [Array.from(world.classPixels), heldOut, CLASSES];
    }"""
    counts, held_out, classes = room.evaluate(draw, 0)
    assert room.evaluate(draw, 0)[1] == held_out
    assert room.evaluate(draw, 1)[1] != held_out
    shares = dict(zip(classes, np.array(counts) / sum(counts), strict=True))
    assert all(shares[name] > 0.15 for name in ("Sky", "Building", "Road"))
    assert all(0.002 < shares[name] < 0.03 for name in ("Car", "Pole", "Pedestrian"))
    assert set(np.unique([labels for _, labels in held_out])) == set(range(len(classes)))


def test_methods_have_the_colours_of_the_books_figures() -> None:
    style = (LIVE / "live.css").read_text(encoding="utf-8")
    assert f"--live-left: {CrossEntropy.colour}; --live-right: {PAT.colour};" in style
    colours = dict(re.findall(r'data-method="(\w+)"\] \{ --live-right: (#\w+)', style))
    assert {name: colours[name] for name in ("cb", "bms", "focal")} == {
        loss.name: loss.colour for loss in (ClassBalanced, BalancedSoftmax, Focal)
    }

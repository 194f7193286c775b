from types import SimpleNamespace

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from patlib.datasets import Split
from patlib.losses import LOSSES, build_loss
from patlib.trainer import step
from patlib.trainer.batches import DeviceSplit
from patlib.trainer.step import train_epoch

CPU = torch.device("cpu")
ROWS = torch.tensor([7, 2, 9, 0, 4, 1, 8])
MIRRORED = torch.tensor([True, False, False, True, True, False, True])
RATE = 0.5


class Watched(nn.Conv2d):
    """A pixel-wise classifier that remembers what it was given, and its own state at the time."""

    def __init__(self):
        torch.manual_seed(0)
        super().__init__(3, 10, 1)
        self.seen, self.modes, self.gradients, self.weights = [], [], [], []

    def forward(self, images):
        self.seen.append(images)
        self.modes.append(self.training)
        self.gradients.append(self.weight.grad)
        self.weights.append({name: tensor.clone() for name, tensor in self.state_dict().items()})
        return super().forward(images)


@pytest.fixture
def split(tiny_dataset):
    return DeviceSplit(tiny_dataset.splits["train"], CPU)


def train(network, split, **options):
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE)
    fabric = Fabric(accelerator="cpu", devices=1)
    train_epoch(fabric, network, build_loss("ce", 10), optimizer, split, ROWS, MIRRORED, 3, **options)


def test_every_row_is_trained_on_in_the_order_given_and_mirrored_where_asked(split):
    network = Watched()
    train(network, split)
    assert [len(images) for images in network.seen] == [3, 3, 1]
    assert torch.equal(torch.cat(network.seen), split.batch(ROWS, MIRRORED)[0])


def test_an_epoch_after_an_evaluation_is_trained_in_training_mode_again(split):
    network = Watched().eval()
    train(network, split)
    assert network.modes == [True] * 3


def test_each_step_follows_the_gradient_of_its_own_batch_alone(split):
    network, losses = Watched(), []
    train(network, split, after_step=losses.append)
    assert network.gradients == [None] * 3 and network.weight.grad is None
    after = [*network.weights[1:], network.state_dict()]
    for number, (index, flipped) in enumerate(zip(ROWS.split(3), MIRRORED.split(3), strict=True)):
        alone = Watched()
        alone.load_state_dict(network.weights[number])
        images, masks = split.batch(index, flipped)
        value = build_loss("ce", 10)(alone(images), masks)
        value.backward()
        assert losses[number].item() == value.item() and not losses[number].requires_grad
        expected = network.weights[number]["weight"] - RATE * alone.weight.grad
        torch.testing.assert_close(after[number]["weight"], expected)


@pytest.fixture
def uneven():
    """Five images 2x3 with 0 to 6 valid pixels: the third has none."""
    draw = torch.Generator().manual_seed(0)
    masks = torch.randint(0, 10, (5, 2, 3), generator=draw).byte()
    for image, void in enumerate((1, 4, 6, 0, 5)):
        masks[image].view(-1)[:void] = 255
    images = torch.randint(0, 256, (5, 2, 3, 3), generator=draw).byte()
    return Split(images.numpy(), masks.numpy(), tuple("abcde"))


@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "blv"])  # whose noise is each process's own
@pytest.mark.parametrize("rows", [[0, 1, 3, 4], [3, 2], [0], [2], [2, 4, 1]])
def test_the_mean_of_the_parts_of_a_group_is_the_loss_of_the_whole_batch(loss, rows, uneven, monkeypatch):
    function = build_loss(loss, 10, torch.arange(1, 11))
    index = torch.tensor(rows)
    mirrored = torch.arange(len(rows)) % 2 == 0
    whole = Watched()
    images, masks = DeviceSplit(uneven, CPU).batch(index, mirrored)
    value = function(whole(images), masks)
    value.backward()
    # What all processes' parts of the normaliser add up to.
    monkeypatch.setattr(step, "sum_over_group", lambda part, fabric: function.normaliser(masks != 255) + 0 * part)
    fabric = SimpleNamespace(world_size=2, device=CPU, backward=torch.Tensor.backward)
    parts = []
    for rank in (0, 1):
        part, values = Watched(), []
        still = torch.optim.SGD(part.parameters(), lr=0)
        monkeypatch.setattr(still, "zero_grad", lambda **options: None)
        train_epoch(fabric, part, function, still, DeviceSplit(uneven, CPU, rank, 2), index, mirrored, 4, values.append)
        parts.append((values[0], part.weight.grad))
    torch.testing.assert_close(sum(value for value, _ in parts) / 2, value.detach())
    torch.testing.assert_close(sum(gradient for _, gradient in parts) / 2, whole.weight.grad)


def test_a_process_without_an_image_adds_nothing_to_the_normaliser(uneven, monkeypatch):
    function, parts = build_loss("ce", 10), []
    monkeypatch.setattr(step, "sum_over_group", lambda part, fabric: parts.append(int(part)) or part)
    fabric = SimpleNamespace(world_size=2, device=CPU, backward=torch.Tensor.backward)
    for rank in (0, 1):
        split = DeviceSplit(uneven, CPU, rank, 2)
        network = Watched()
        optimizer = torch.optim.SGD(network.parameters(), lr=RATE)
        train_epoch(fabric, network, function, optimizer, split, torch.tensor([1, 3, 0]), MIRRORED[:3], 2)
    assert parts == [2, 5, 6, 0]  # batches of two images and of one: valid pixels of each process's share

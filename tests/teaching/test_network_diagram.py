"""The drawing of a network says what the network does: measured sizes, and paths that bring what a stage receives."""

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.patches import FancyArrowPatch
from torch import Tensor, nn

from patlib.models import build_model
from patlib.teaching import network_diagram

matplotlib.use("Agg")


class Two(nn.Module):
    """Two halvings by one pooling layer that is called twice, and two steps up of different channels."""

    def __init__(self) -> None:
        super().__init__()
        self.top, self.middle = nn.Sequential(nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5)), nn.Conv2d(5, 7, 1)
        self.pool, self.unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)
        self.up, self.last = nn.Conv2d(7, 5, 1), nn.Conv2d(5, 4, 1)
        self.unused = nn.Conv2d(3, 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        x, first = self.pool(self.top(images))
        x, second = self.pool(self.middle(x))
        return self.last(self.unpool(self.up(self.unpool(x, second)), first))[:, :2]


@pytest.fixture
def two() -> Two:
    return Two()


def stages(two: Two) -> dict[tuple[int, int], nn.Module]:
    return {(0, 0): two.top, (1, 0): two.middle, (2, 0): two.pool, (1, 1): two.up, (0, 2): two.last}


IMAGES = torch.rand(2, 3, 8, 12)


def test_sizes_are_those_of_the_last_call_and_of_the_first_result(two: Two) -> None:
    assert network_diagram.stage_sizes(two, stages(two), IMAGES) == {
        (0, 0): (5, 8, 12),
        (1, 0): (7, 4, 6),
        (2, 0): (7, 2, 3),
        (1, 1): (5, 4, 6),
        (0, 2): (4, 8, 12),
    }


@pytest.mark.parametrize("training", [True, False])
def test_measuring_leaves_the_network_as_it_was(two: Two, training: bool) -> None:
    two.train(training)
    before = {name: value.clone() for name, value in two.state_dict().items()}
    network_diagram.stage_sizes(two, stages(two), IMAGES)
    assert two.training == training
    assert all(torch.equal(value, before[name]) for name, value in two.state_dict().items())
    assert not any(module._forward_hooks for module in two.modules())


def test_a_stage_that_is_not_called_is_named(two: Two) -> None:
    with pytest.raises(ValueError, match=r"stages at \[\(3, 0\)\]"):
        network_diagram.stage_sizes(two, {**stages(two), (3, 0): two.unused}, IMAGES)


def test_the_drawn_sizes_are_the_measured_ones_from_the_image_to_the_logits(two: Two) -> None:
    figure = network_diagram.draw_network(two, stages(two), IMAGES, "pooling", "unpooling", "places", mark="*")
    axis = figure.axes[0]
    drawn = {text.get_position(): text.get_text() for text in axis.texts if "×" in text.get_text()}
    assert sorted(drawn.items())[1:-1] == [
        ((0, 0), "5\n8 × 12"),
        ((1, -1), "7\n4 × 6"),
        ((2, -2), "7\n2 × 3"),
        ((3, -1), "5\n4 × 6"),
        ((4, 0), "4\n8 × 12"),
    ]
    assert [text for _, text in sorted(drawn.items())][::6] == ["3\n8 × 12", "2\n8 × 12"]
    assert [text.get_position() for text in axis.texts if text.get_text() == "*"] == [(2, 0), (2, -1)]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["pooling", "unpooling", "places"]
    arrows = [patch for patch in axis.patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == len(network_diagram.paths(set(stages(two)))) + 2 == 8
    plt.close(figure)


def test_the_paths_into_a_node_of_unetpp_bring_the_channels_that_it_convolves() -> None:
    unetpp = build_model("unetpp", 4, width=3)
    places = [(level, column) for column in range(1, 5) for level in range(5 - column)]
    nodes = {(level, 0): stage for level, stage in enumerate(unetpp.encoder)}
    nodes |= dict(zip(places, unetpp.nodes, strict=True))
    sizes = network_diagram.stage_sizes(unetpp, nodes, torch.rand(1, 3, 16, 32))
    brought = dict.fromkeys(nodes, 0)
    for _, start, end in network_diagram.paths(set(nodes)):
        brought[end] += sizes[start][0]
    convolved = {place: node[0][0].in_channels for place, node in nodes.items()}
    assert brought == {**convolved, (0, 0): 0}

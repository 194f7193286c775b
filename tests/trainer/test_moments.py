import copy

import pytest
import torch
from torch import nn

from patlib.trainer.moments import load_moments, named_moments


def build():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))
    return network.to(memory_format=torch.channels_last)


def step(network, optimizer, seed):
    images = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    network(images).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()


@pytest.fixture
def trained():
    """A network after two steps of Adam, and its optimiser."""
    network = build()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for seed in (0, 1):
        step(network, optimizer, seed)
    return network, optimizer


def test_a_new_optimiser_with_the_moments_takes_the_very_same_step(trained):
    network, optimizer = trained
    named = {name: tensor.clone() for name, tensor in named_moments(network, optimizer).items()}
    other = copy.deepcopy(network)
    anew = torch.optim.Adam(other.parameters(), lr=0.5)
    load_moments(other, anew, {**named, "0.weight": torch.zeros(1)}, learning_rate=0.01)
    for each in ((network, optimizer), (other, anew)):
        step(*each, seed=2)
    for one, two in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)


def test_moments_are_named_after_their_parameters(trained):
    named = named_moments(*trained)
    parameters = [name for name, _ in trained[0].named_parameters()]
    kinds = ("step", "exp_avg", "exp_avg_sq")
    assert named.keys() == {f"optimizer {kind} {name}" for kind in kinds for name in parameters}


def test_an_optimiser_that_has_made_no_step_has_no_moments():
    network = build()
    assert named_moments(network, torch.optim.Adam(network.parameters())) == {}


def test_moments_take_the_memory_format_of_their_parameter(trained):
    named = {name: tensor.contiguous() for name, tensor in named_moments(*trained).items()}
    network = build()
    optimizer = torch.optim.Adam(network.parameters())
    load_moments(network, optimizer, named, learning_rate=0.01)
    moment = optimizer.state[network[0].weight]["exp_avg"]
    assert moment.is_contiguous(memory_format=torch.channels_last) and not moment.is_contiguous()

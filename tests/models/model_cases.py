"""Small networks and images for the tests of the models."""

import torch
from torch import Tensor, nn

from patlib.models import build_model


def small(name: str, **build: object) -> nn.Module:
    """A network with random weights and, unlike a new one, with batch norms that do something in evaluation mode."""
    torch.manual_seed(0)
    model = build_model(name, **({"num_classes": 4, "width": 4} | build))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.1, 0.4)
    return model


def images(height: int = 32, width: int = 48) -> Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(1))

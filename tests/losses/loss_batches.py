"""Small batches and settings shared by the tests of the losses: float64 logits, ignored pixels, an absent class."""

import torch
from torch import Tensor

from patlib.losses import build_loss

NUM_CLASSES = 4
CLASS_PIXELS = [9000, 700, 40, 3]

# Every method at a setting of its own that differs from the defaults; BLV without noise, so that it can be compared.
SETTINGS: list[tuple[str, dict]] = [
    ("ce", {}),
    ("focal", {"gamma": 0.5}),
    ("focal", {"gamma": 3.0}),
    ("cb", {"beta": 0.99}),
    ("cbfocal", {"beta": 0.999, "gamma": 1.5}),
    ("bms", {}),
    ("ldam", {"max_margin": 0.3, "scale": 5.0}),
    ("blv", {"sigma": 0.0}),
    ("pat", {"T": 5.0, "eps": 0.1}),
    ("pat", {"T": 0.5, "detach": False}),
    ("pat", {"T": 20.0, "size_weight": False}),
    ("pat", {"T": 20.0, "adaptive": False}),
    ("pat", {"T": 5.0, "alpha": 0.5}),
]


def setting_name(setting: tuple[str, dict]) -> str:
    name, params = setting
    return "-".join([name, *(f"{key}={value}" for key, value in params.items())])


def random_batch(seed: int, images: int = 2, height: int = 3, width: int = 4) -> tuple[Tensor, Tensor]:
    """Logits with moderate probabilities, and labels: class 3 is absent from image 0, some pixels are ignored."""
    generator = torch.Generator().manual_seed(seed)
    shape = (images, height, width)
    logits = 2 * torch.randn(images, NUM_CLASSES, height, width, generator=generator, dtype=torch.float64)
    target = torch.randint(0, NUM_CLASSES, shape, generator=generator)
    target[0][target[0] == 3] = 0
    target[torch.rand(shape, generator=generator) < 0.2] = 255
    return logits, target


def run(name: str, params: dict, logits: Tensor, target: Tensor, **build: object) -> tuple[Tensor, Tensor]:
    """Loss and gradient, both finite, of a method at the parameters ``params``."""
    loss = build_loss(name, logits.shape[1], build.pop("class_pixels", CLASS_PIXELS), **build, **params)
    leaf = logits.clone().requires_grad_()
    value = loss(leaf, target)
    value.backward()
    assert value.isfinite() and leaf.grad.isfinite().all()
    return value.detach(), leaf.grad

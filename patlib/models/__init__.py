"""The paper's four encoder-decoders: (N,3,H,W) images in, (N,L,H,W) logits out, any H and W from 16.

``segnet`` is the network of the paper's Table 1; ``unet``, ``attention_unet`` and ``unetpp`` are those of Table 2.
Layers and channels are those of the released code (KhoiDOO/ibla); each class says where it differs from that code.
Notebook 08 builds all four layer by layer and measures them.
"""

from __future__ import annotations

from torch import nn

from patlib.models.blocks import SMALLEST_SIDE
from patlib.models.segnet import SegNet
from patlib.models.unet import AttentionUNet, UNet
from patlib.models.unetpp import UNetPlusPlus

__all__ = [
    "MODELS", "SMALLEST_SIDE", "AttentionUNet", "SegNet", "UNet", "UNetPlusPlus",
    "build_model", "check_released_head", "count_parameters",
]  # fmt: skip

MODELS: dict[str, type[nn.Module]] = {
    "segnet": SegNet,
    "unet": UNet,
    "attention_unet": AttentionUNet,
    "unetpp": UNetPlusPlus,
}
"""The networks by name."""


def build_model(name: str, num_classes: int, width: int = 32, released_head: bool = False) -> nn.Module:
    """The network of that name, mapping images (N,3,H,W) to logits (N,L,H,W).

    ``width`` is the number of channels at the first level, which doubles at each further level; 32 in the released
    code. ``released_head`` is an option of SegNet alone. Raises ValueError for an unknown name, for fewer than two
    classes, for a width below 1, and for ``released_head`` with another network.

    Example:
        >>> import torch
        >>> from patlib.models import build_model, count_parameters
        >>> network = build_model("segnet", num_classes=3, width=4)
        >>> network(torch.zeros(2, 3, 32, 48)).shape
        torch.Size([2, 3, 32, 48])
        >>> count_parameters(network)
        60443
    """
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}; known: {', '.join(MODELS)}")
    for key, value, least in (("num_classes", num_classes, 2), ("width", width, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{key} must be an integer of at least {least}, got {value!r}")
    check_released_head(name, released_head)
    return MODELS[name](num_classes, width, **({"released_head": True} if released_head else {}))


def check_released_head(name: str, released_head: bool) -> None:
    """Raises ValueError if ``released_head`` is asked for with a network other than SegNet.

    Example:
        >>> from patlib.models import check_released_head
        >>> check_released_head("segnet", True)
    """
    if released_head and MODELS[name] is not SegNet:
        raise ValueError(
            f"released_head=True is SegNet's batch norm and ReLU after the last convolution; {name!r} ends in a "
            "1x1 convolution in the released code too: leave released_head out, or use the model 'segnet'"
        )


def count_parameters(model: nn.Module) -> int:
    """The number of trainable parameters of a model.

    Example:
        >>> import torch
        >>> from patlib.models import count_parameters
        >>> count_parameters(torch.nn.Linear(3, 2))
        8
    """
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

"""What the four networks share: convolution blocks, the encoder of the UNets, padding to a size that can be halved.

Built in notebook 08.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

SMALLEST_SIDE = 16
"""Pixels a side. Every network halves the sides four times, and one pixel must be left."""


def check_side(images: Tensor) -> None:
    """Raises ValueError for images (N,3,H,W) too small to be halved four times."""
    if min(images.shape[-2:]) < SMALLEST_SIDE:
        raise ValueError(f"images must be at least {SMALLEST_SIDE} pixels a side, got {tuple(images.shape)}")


def pad(images: Tensor) -> Tensor:
    """Repeats the last row and column of images (N,3,H,W) until both sides are multiples of 16.

    A side that is a multiple already stays as it is. The caller crops the logits to (H,W). Raises ValueError for
    images with a side below 16.
    """
    check_side(images)
    height, width = images.shape[-2:]
    below, right = -height % SMALLEST_SIDE, -width % SMALLEST_SIDE
    return F.pad(images, (0, right, 0, below), mode="replicate") if below or right else images


def conv_block(in_channels: int, out_channels: int, bias: bool = False) -> nn.Sequential:
    """3x3 convolution, batch norm and ReLU, from (N,in,H,W) to (N,out,H,W). Built in notebook 08.

    Two of the networks have a bias in the convolution, as in the released code. Batch norm subtracts it again, so it
    has no effect.
    """
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=bias),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def double_conv(in_channels: int, out_channels: int, bias: bool = False) -> nn.Sequential:
    """Two convolution blocks in a row, from (N,in,H,W) to (N,out,H,W)."""
    return nn.Sequential(conv_block(in_channels, out_channels, bias), conv_block(out_channels, out_channels, bias))


def level_channels(width: int) -> list[int]:
    """Channels of the five levels of the UNets: ``width``, and twice as many at each further level."""
    return [width * 2**level for level in range(5)]


def build_encoder(width: int, bias: bool = False) -> nn.ModuleList:
    """The encoder of the UNets: one double convolution a level."""
    channels = level_channels(width)
    return nn.ModuleList(double_conv(below, own, bias) for below, own in zip([3, *channels], channels, strict=False))


def encode(encoder: nn.ModuleList, images: Tensor) -> list[Tensor]:
    """Features of the five levels, from (N,width,H,W) to (N,16 width,H/16,W/16), with 2x2 maximum pooling between."""
    features: list[Tensor] = []
    for stage in encoder:
        features.append(stage(F.max_pool2d(features[-1], 2) if features else images))
    return features

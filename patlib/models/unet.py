"""UNet (Ronneberger et al. 2015) and Attention UNet (Oktay et al. 2018), sized as in the PAT paper's released code."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from patlib.models.blocks import build_encoder, conv_block, double_conv, encode, level_channels, pad


class UpStage(nn.Module):
    """One level up: enlarge by a 2x2 transposed convolution, put the encoder's features beside it, convolve twice."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
        self.convolutions = double_conv(2 * channels, channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """From (N,2C,h,w) and the encoder's (N,C,2h,2w) to (N,C,2h,2w)."""
        return self.convolutions(torch.cat([skip, self.enlarge(x)], dim=1))


class AttentionGate(nn.Module):
    r"""Multiplies each pixel of the encoder's features x by one number in (0,1), which the decoder's features g decide.

    .. math:: x \cdot \sigma\bigl(\mathrm{BN}(\psi \, \mathrm{ReLU}(\mathrm{BN}(W_g g) + \mathrm{BN}(W_x x)))\bigr)

    All convolutions are 1x1 and g has the size of x, as in the released code. Oktay et al. take g from the coarser
    level below and enlarge the weights.
    """

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.from_decoder = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner))
        self.from_encoder = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner))
        self.weight = nn.Sequential(
            nn.ReLU(inplace=True), nn.Conv2d(inner, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid()
        )  # fmt: skip

    def forward(self, g: Tensor, x: Tensor) -> Tensor:
        """Both (N,C,H,W), and so is the result."""
        return x * self.weight(self.from_decoder(g) + self.from_encoder(x))


class AttentionUpStage(nn.Module):
    """One level up: repeat each pixel 2x2 and convolve, put the gated encoder's features beside it, convolve twice."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.enlarge = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="nearest"), conv_block(2 * channels, channels, bias=True)
        )
        self.attention = AttentionGate(channels, inner)
        self.convolutions = double_conv(2 * channels, channels, bias=True)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """From (N,2C,h,w) and the encoder's (N,C,2h,2w) to (N,C,2h,2w)."""
        x = self.enlarge(x)
        return self.convolutions(torch.cat([self.attention(x, skip), x], dim=1))


class Ladder(nn.Module):
    """Down an encoder, up a decoder whose stages each see the encoder's features of their own level.

    Sides that are no multiple of 16 are padded below and to the right by repeating the last row and column, and the
    logits are cropped. So the logits are those of the padded image, whatever the size.
    """

    def __init__(self, encoder: nn.ModuleList, decoder: Iterable[nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = nn.ModuleList(decoder)
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        *skips, x = encode(self.encoder, pad(images))
        for stage, skip in zip(self.decoder, reversed(skips), strict=True):
            x = stage(x, skip)
        return self.head(x)[..., :height, :width]


class UNet(Ladder):
    """Five levels of two convolutions; what goes down is carried across whole.

    ``width`` is the channels of the first level, doubled at each further one: 32 to 512 in the released code, half of
    what Ronneberger et al. have. Unlike theirs, convolutions keep the size and are followed by batch norm. For odd
    sizes the released code pads each level with zeros, where we pad the image.
    """

    def __init__(self, num_classes: int, width: int = 32) -> None:
        upwards = reversed(level_channels(width)[:-1])
        super().__init__(
            build_encoder(width), (UpStage(channels) for channels in upwards), nn.Conv2d(width, num_classes, 1)
        )


class AttentionUNet(Ladder):
    """A UNet whose decoder decides, pixel by pixel, how much of the encoder's features it lets through.

    A gate computes with half the channels of its level, the topmost with all of them (32 at width 32), as in the
    released code, which fails for sides that are no multiple of 16.
    """

    def __init__(self, num_classes: int, width: int = 32) -> None:
        upwards = reversed(level_channels(width)[:-1])
        super().__init__(
            build_encoder(width, bias=True),
            (AttentionUpStage(channels, max(channels // 2, width)) for channels in upwards),
            nn.Conv2d(width, num_classes, 1),
        )

"""UNet (Ronneberger et al. 2015) and Attention UNet (Oktay et al. 2018), sized as in the PAT paper's released code.

Built in notebook 08.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from patlib.models.blocks import build_encoder, conv_block, double_conv, encode, level_channels, pad


class UpStage(nn.Module):
    """One level up in a UNet: a 2x2 transposed convolution, then two convolutions over the encoder's features too.

    Built in notebook 08.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
        self.convolutions = double_conv(2 * channels, channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """From (N,2C,h,w) and the encoder's (N,C,2h,2w) to (N,C,2h,2w)."""
        features: Tensor = self.convolutions(torch.cat([skip, self.enlarge(x)], dim=1))
        return features


class AttentionGate(nn.Module):
    r"""Multiplies the encoder's features x at each pixel by one number in (0,1). Built in notebook 08.

    The number depends on x and on the decoder's features g:

    .. math:: x \cdot \sigma\bigl(\mathrm{BN}(\psi \, \mathrm{ReLU}(\mathrm{BN}(W_g g) + \mathrm{BN}(W_x x)))\bigr)

    :math:`W_g`, :math:`W_x` and :math:`\psi` are 1x1 convolutions, the first two to ``inner`` channels. As in the
    released code, g has the size of x. Oktay et al. take g from the coarser level below and enlarge the weights.
    """

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.from_decoder = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner))
        self.from_encoder = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner))
        self.weight = nn.Sequential(
            nn.ReLU(inplace=True), nn.Conv2d(inner, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid()
        )  # fmt: skip

    def forward(self, g: Tensor, x: Tensor) -> Tensor:
        """The gated x; g, x and the result are (N,C,H,W)."""
        weight: Tensor = self.weight(self.from_decoder(g) + self.from_encoder(x))
        return x * weight


class AttentionUpStage(nn.Module):
    """One level up in an Attention UNet: repetition, a convolution, then two over the gated encoder's features too.

    Built in notebook 08.
    """

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
        features: Tensor = self.convolutions(torch.cat([self.attention(x, skip), x], dim=1))
        return features


class Ladder(nn.Module):
    """An encoder, and a decoder whose stages each receive the encoder's features of their own level.

    Images whose sides are not multiples of 16 are padded below and on the right by repeating the last row and column,
    and the logits are cropped. They are thus the logits of the padded image. Raises ValueError for images with a side
    below 16.
    """

    def __init__(self, encoder: nn.ModuleList, decoder: Iterable[nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = nn.ModuleList(decoder)
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N,L,H,W) of images (N,3,H,W)."""
        height, width = images.shape[-2:]
        *skips, x = encode(self.encoder, pad(images))
        for stage, skip in zip(self.decoder, reversed(skips), strict=True):
            x = stage(x, skip)
        logits: Tensor = self.head(x)
        return logits[..., :height, :width]


class UNet(Ladder):
    """Five levels of two convolutions each; the decoder receives all features of the encoder. Built in notebook 08.

    It maps images (N,3,H,W) to logits (N,L,H,W). ``width`` is the number of channels at the first level, which doubles
    at each further level: 32 to 512 in the released code, half as many as in the network of Ronneberger et al. Their
    convolutions also shrink the image, where these keep its size, and have no batch norm. For odd sizes the released
    code pads each level with zeros, where we pad the image.

    Example:
        >>> import torch
        >>> from patlib.models import UNet
        >>> UNet(num_classes=3, width=2)(torch.zeros(1, 3, 17, 20)).shape
        torch.Size([1, 3, 17, 20])
    """

    def __init__(self, num_classes: int, width: int = 32) -> None:
        upwards = reversed(level_channels(width)[:-1])
        super().__init__(
            build_encoder(width), (UpStage(channels) for channels in upwards), nn.Conv2d(width, num_classes, 1)
        )


class AttentionUNet(Ladder):
    """A UNet with a gate at each level, which decides by pixel how much of the encoder's features the decoder receives.

    Built in notebook 08. It maps images (N,3,H,W) to logits (N,L,H,W); ``width`` is as for :class:`UNet`. The inner
    channels of a gate are half those of its level, and at the first level all of them, as in the released code. That
    code fails for sides that are not multiples of 16.

    Example:
        >>> import torch
        >>> from patlib.models import AttentionUNet
        >>> AttentionUNet(num_classes=3, width=2)(torch.zeros(1, 3, 17, 20)).shape
        torch.Size([1, 3, 17, 20])
    """

    def __init__(self, num_classes: int, width: int = 32) -> None:
        upwards = reversed(level_channels(width)[:-1])
        super().__init__(
            build_encoder(width, bias=True),
            (AttentionUpStage(channels, max(channels // 2, width)) for channels in upwards),
            nn.Conv2d(width, num_classes, 1),
        )

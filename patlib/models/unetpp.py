"""UNet++ (Zhou et al. 2018) sized as in the PAT paper's released code."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from patlib.models.blocks import build_encoder, double_conv, encode, level_channels, pad


class UNetPlusPlus(nn.Module):
    r"""A UNet whose skip connections pass through further convolutions. Built in notebook 08.

    It maps images (N,3,H,W) to logits (N,L,H,W). The node at level i and in column j > 0 computes

    .. math:: X^{i,j} = \mathrm{conv}\bigl([X^{i,0}, \dots, X^{i,j-1}, \mathrm{enlarge}(X^{i+1,j-1})]\bigr)

    with two convolutions. Column 0 is the encoder. The logits come from :math:`X^{0,4}` alone: as in the released code,
    there is no deep supervision. Enlarging is bilinear interpolation with aligned corners and has no parameters.

    ``width`` is the number of channels at the first level, which doubles at each further level (32 to 512 in the
    released code). Images whose sides are not multiples of 16 are padded below and on the right by repeating the last
    row and column, and the logits are cropped; the released code fails for them. Raises ValueError for images with a
    side below 16.

    Example:
        >>> import torch
        >>> from patlib.models import UNetPlusPlus
        >>> UNetPlusPlus(num_classes=3, width=2)(torch.zeros(1, 3, 17, 20)).shape
        torch.Size([1, 3, 17, 20])
    """

    def __init__(self, num_classes: int, width: int = 32) -> None:
        super().__init__()
        self.encoder = build_encoder(width, bias=True)
        channels = level_channels(width)
        self.nodes = nn.ModuleList(
            double_conv(column * channels[level] + channels[level + 1], channels[level], bias=True)
            for column in range(1, len(channels))
            for level in range(len(channels) - column)
        )
        self.head = nn.Conv2d(width, num_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N,L,H,W) of images (N,3,H,W)."""
        height, width = images.shape[-2:]
        levels = [[features] for features in encode(self.encoder, pad(images))]
        nodes = iter(self.nodes)
        for column in range(1, len(levels)):
            for level in range(len(levels) - column):
                # The level below has no node of this column yet, so its last one is of the column before.
                enlarged = F.interpolate(levels[level + 1][-1], scale_factor=2, mode="bilinear", align_corners=True)
                levels[level].append(next(nodes)(torch.cat([*levels[level], enlarged], dim=1)))
        logits: Tensor = self.head(levels[0][-1])
        return logits[..., :height, :width]

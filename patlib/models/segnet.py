"""SegNet (Badrinarayanan et al. 2017) sized as in the PAT paper's released code: four stages, not VGG16's five."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from patlib.models.blocks import check_side, conv_block


class SegNet(nn.Module):
    """The encoder remembers where each maximum was, and the decoder puts values back there. Built in notebook 08.

    It maps images (N,3,H,W) to logits (N,L,H,W). ``width`` is the number of channels of the first stage, which doubles
    at each of the next three (32-64-128-256 in the released code); the stages have 2, 2, 3 and 3 convolutions. By
    default the network ends in a convolution, as in the SegNet paper. With ``released_head=True`` it ends in batch norm
    and ReLU, as in the released code, and its logits cannot be negative. Raises ValueError for images with a side
    below 16.

    Example:
        >>> import torch
        >>> from patlib.models import SegNet
        >>> SegNet(num_classes=3, width=2)(torch.zeros(1, 3, 17, 20)).shape
        torch.Size([1, 3, 17, 20])
    """

    convolutions = (2, 2, 3, 3)

    def __init__(self, num_classes: int, width: int = 32, released_head: bool = False) -> None:
        super().__init__()
        channels = [width * 2**stage for stage in range(len(self.convolutions))]
        self.encoder = nn.ModuleList()
        self.decoder = nn.ModuleList()
        below = 3
        for stage, (count, own) in enumerate(zip(self.convolutions, channels, strict=True)):
            self.encoder.append(
                nn.Sequential(conv_block(below, own), *(conv_block(own, own) for _ in range(count - 1)))
            )
            last: nn.Module
            if stage > 0:
                last = conv_block(own, below)
            elif released_head:
                last = conv_block(own, num_classes)
            else:
                last = nn.Conv2d(own, num_classes, 3, padding=1)
            self.decoder.insert(0, nn.Sequential(*(conv_block(own, own) for _ in range(count - 1)), last))
            below = own

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N,L,H,W) of images (N,3,H,W)."""
        check_side(images)
        x, places = images, []
        for stage in self.encoder:
            x = stage(x)
            size = x.shape[-2:]
            x, indices = F.max_pool2d(x, 2, return_indices=True)
            places.append((indices, size))
        for stage in self.decoder:
            indices, size = places.pop()
            # The size before pooling, so that an odd row or column comes back.
            x = stage(F.max_unpool2d(x, indices, (2, 2), output_size=size))
        return x

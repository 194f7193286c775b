"""A split that lies on a device, its batches, and their augmentation. No step waits for a worker or for decoding.

Shapes: M images in a split, N in a batch, H x W pixels. Of several processes, each holds the whole split and takes its
share of every batch. The chapter ``notebooks/03_from_files_to_batches.md`` builds a batch, its mirroring and the
order of an epoch by hand.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from patlib.datasets import Split


class DeviceSplit:
    """A split as uint8 tensors on a device: images (M,H,W,3) and masks (M,H,W).

    This process is number ``rank`` of ``world_size`` processes, and takes its share of the batches. The chapter
    ``notebooks/10_the_trainer.md`` shows why a split stays in bytes and lies on the device.
    """

    def __init__(self, split: Split, device: torch.device, rank: int = 0, world_size: int = 1) -> None:
        self.names = split.names
        self.images = torch.from_numpy(np.array(split.images)).to(device)
        self.masks = torch.from_numpy(np.array(split.masks)).to(device)
        self.rank = rank
        self.world_size = world_size

    def batch(self, index: Tensor, mirrored: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Images (N,3,H,W) float in [0, 1], channels-last, and labels (N,H,W) int64 of the given rows.

        Image and mask are flipped from left to right where ``mirrored`` (N,) bool is True. The chapter
        ``notebooks/03_from_files_to_batches.md`` makes the same batch by hand.
        """
        images, masks = self.images[index], self.masks[index]
        if mirrored is not None:
            images, masks = mirror(images, masks, mirrored)
        # Colours lie next to each other already, so the permuted view is channels-last and stays so.
        return images.permute(0, 3, 1, 2).float().div_(255), masks.long()

    def batches(self, batch_size: int) -> Iterator[Tensor]:
        """The rows (N,) of each batch in the order of the split.

        Of several processes, each has every ``world_size``-th batch.
        """
        yield from torch.arange(len(self.names), device=self.masks.device).split(batch_size)[
            self.rank :: self.world_size
        ]

    def in_order(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """This process's batches in the order of the split, as :meth:`batch` gives them."""
        for index in self.batches(batch_size):
            yield self.batch(index)

    def share(self, index: Tensor) -> Tensor:
        """This process's part of a batch's rows (N,): the parts differ by at most one row, and can be empty."""
        return torch.tensor_split(index, self.world_size)[self.rank]


def mirror(images: Tensor, masks: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Flip images (N,H,W,3) and their masks (N,H,W) from left to right where ``chosen`` (N,) bool is True."""
    return (
        torch.where(chosen.view(-1, 1, 1, 1), images.flip(2), images),
        torch.where(chosen.view(-1, 1, 1), masks.flip(2), masks),
    )


def shuffled(count: int, order: torch.Generator, augment: bool) -> tuple[Tensor, Tensor]:
    """The rows (M,) of an epoch in a random order, and which of them to mirror, (M,) bool.

    With ``augment`` each is mirrored with probability 1/2, and without it none is. Both are drawn on the CPU, so
    that an epoch is the same on any device and on any number of devices.
    """
    rows = torch.randperm(count, generator=order)
    return rows, torch.rand(count, generator=order) < (0.5 if augment else 0.0)

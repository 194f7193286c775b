"""Training steps: the loss of a batch, its gradient, one step of the optimiser, and nothing that waits for a device."""

from __future__ import annotations

from collections.abc import Callable

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from patlib.datasets import IGNORE_INDEX
from patlib.losses import PixelLoss
from patlib.trainer.batches import DeviceSplit
from patlib.trainer.group import sum_over_group


class NonFiniteError(RuntimeError):
    """The training loss or a weight became infinite or NaN; the message names the step, the images and what is kept."""


def train_epoch(
    fabric: Fabric,
    model: nn.Module,
    loss: PixelLoss,
    optimizer: torch.optim.Optimizer,
    split: DeviceSplit,
    rows: Tensor,
    mirrored: Tensor,
    batch_size: int,
    after_step: Callable[[Tensor], object] = lambda value: None,
) -> None:
    """Train on the rows (M,) of a split in batches; ``mirrored`` (M,) bool names those to flip left to right.

    After each step ``after_step`` receives the loss of the batch as a scalar on the device; in a group of processes it
    receives this process's part of that loss. Between the first step and the last nothing is copied to or from the
    device and nothing waits for it, unless ``after_step`` does. (On several GPUs PyTorch's synchronised batch norm
    waits.)

    The chapter ``notebooks/10_the_trainer.md`` leaves out lines of such a loop, one at a time, and shows what follows.
    """
    model.train()
    batches = zip(rows.to(fabric.device).split(batch_size), mirrored.to(fabric.device).split(batch_size), strict=True)
    for index, flipped in batches:
        value = _batch_loss(fabric, model, loss, split, index, flipped)
        fabric.backward(value)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        after_step(value.detach())


def _batch_loss(
    fabric: Fabric, model: nn.Module, loss: PixelLoss, split: DeviceSplit, index: Tensor, mirrored: Tensor
) -> Tensor:
    if fabric.world_size == 1:
        images, masks = split.batch(index, mirrored)
        value: Tensor = loss(model(images), masks)
        return value
    own, flipped = split.share(index), split.share(mirrored)
    # With fewer images than processes, some take part with an image that counts in the batch statistics alone.
    spare = not len(own)
    images, masks = split.batch(index[:1], mirrored[:1]) if spare else split.batch(own, flipped)
    if spare:
        masks = torch.full_like(masks, IGNORE_INDEX)
    part = loss.normaliser(masks != IGNORE_INDEX) * (not spare)
    whole = sum_over_group(part, fabric).clamp_min(1)
    # Gradients are averaged over the processes, and the whole batch's gradient is their sum.
    share: Tensor = loss(model(images), masks, whole / fabric.world_size)
    return share

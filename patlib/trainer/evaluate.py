"""A network over a whole split: its metrics while it trains, and what a record keeps of it in the end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torchmetrics import Metric

from patlib.datasets import IGNORE_INDEX
from patlib.metrics import ReleasedMeanIoU, SegmentationMetrics, image_confusions
from patlib.trainer.batches import DeviceSplit
from patlib.trainer.counts import pack_counts
from patlib.trainer.group import sum_over_group
from patlib.trainer.step import NonFiniteError

TAUS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
"""How strongly the logits are shifted after training (:func:`measure`); 0 is the network as it is."""


@torch.no_grad()
def evaluate(
    model: nn.Module, split: DeviceSplit, num_classes: int, batch_size: int, *others: Metric
) -> SegmentationMetrics:
    """Metrics of a model over a split. The model is left in evaluation mode.

    The metrics in ``others`` are updated with the same batches. In a group of processes each process sees its share of
    the batches, and ``compute()`` covers the batches of all of them.
    """
    metrics = SegmentationMetrics(num_classes, IGNORE_INDEX).to(split.masks.device)
    for _, logits, masks in _predictions(model, split, batch_size):
        for metric in (metrics, *others):
            metric.update(logits, masks)
    return metrics


class Forgetting(Metric):
    """Counts the pixels of each class that were labelled rightly in one epoch and wrongly in the next.

    Update it with every batch of a split, in the same order in each epoch. :meth:`next_epoch` returns the counts and
    begins the next epoch. In a group, each process remembers its own batches, and the counts cover all processes, also
    one that has no batch because the split has fewer than there are processes.
    """

    full_state_update = False
    forgotten: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.add_state("forgotten", torch.zeros(num_classes, dtype=torch.int64), dist_reduce_fx="sum")
        self.before: list[Tensor] = []
        self.now: list[Tensor] = []

    def update(self, logits: Tensor, target: Tensor) -> None:
        """Add a batch: logits (N,L,H,W) and true labels (N,H,W)."""
        right = logits.argmax(1) == target
        if len(self.before) > len(self.now):
            lost = self.before[len(self.now)] & ~right
            # Pixels that were right hold a class, so a void label is never counted.
            self.forgotten.scatter_add_(0, target.where(lost, 0).flatten(), lost.flatten().long())
        self.now.append(right)

    def compute(self) -> Tensor:
        """The counts (L,) of this epoch so far."""
        return self.forgotten

    def next_epoch(self) -> list[int]:
        """The counts (L,) of the epoch that ends, zero for the first; the next may forget what is right in this one."""
        # All processes wait here for each other's counts: whether to ask cannot depend on what one of them remembers.
        counts: list[int] = self.compute().tolist()
        before = self.now
        self.reset()
        self.before, self.now = before, []
        return counts

    def packed(self) -> Tensor:
        """Which pixels of all batches were right, eight in a byte (uint8, on the CPU), for a run that is continued."""
        bits = torch.cat([right.flatten() for right in self.before]).cpu() if self.before else torch.zeros(0)
        padded = torch.nn.functional.pad(bits.to(torch.uint8), (0, -len(bits) % 8)).view(-1, 8)
        return (padded << torch.arange(8, dtype=torch.uint8)).sum(1, dtype=torch.uint8)

    def unpack(self, packed: Tensor, split: DeviceSplit, batch_size: int) -> None:
        """Remember the right pixels that :meth:`packed` gave for the batches of a split."""
        bits = (packed.unsqueeze(1) >> torch.arange(8, dtype=torch.uint8) & 1).flatten().bool()
        start, self.before = 0, []
        for index in split.batches(batch_size) if len(packed) else ():
            count = len(index) * split.masks[0].numel()
            right = bits[start : start + count].view(-1, *split.masks.shape[1:])
            self.before.append(right.to(split.masks.device))
            start += count


@torch.no_grad()
def measure(
    model: nn.Module, split: DeviceSplit, class_pixels: Tensor, batch_size: int, fabric: Fabric, train: bool
) -> dict[str, Any]:
    r"""What a record keeps of a split, computed by the network in evaluation mode and in the precision of its weights.

    The result has ``confusion`` (L,L), ``cross_entropy`` in nats and ``released_miou``. For a split that was not
    trained on (``train`` False) it also has ``images``, the confusion matrix of every image
    (:func:`~patlib.trainer.counts.pack_counts`), and ``shifted``, the confusion matrices of the labels that follow from
    the logits :math:`x^c-\tau\log\pi_c`, by tau. That is post-hoc logit adjustment (Menon et al. 2021), in which
    :math:`\pi` are the class frequencies of the training set, and a class without a pixel counts as having one. At
    tau = 0 the matrix is ``confusion``.

    A value is None where it is undefined: the cross-entropy of a split without a labelled pixel, and ``released_miou``
    where none of the first three classes occurs. Raises :class:`NonFiniteError` if labelled pixels have a cross-entropy
    that is infinite or NaN, because such weights are not worth keeping.
    """
    num_classes, device = len(class_pixels), split.masks.device
    counts = class_pixels.double().clamp_min(1)
    log_prior = (counts / counts.sum()).log().to(device, torch.float32).view(1, -1, 1, 1)
    metrics = SegmentationMetrics(num_classes, IGNORE_INDEX).to(device)
    released = ReleasedMeanIoU(IGNORE_INDEX).to(device)
    images = torch.zeros(len(split.names), num_classes, num_classes, dtype=torch.int64, device=device)
    shifted = torch.zeros(len(TAUS), num_classes, num_classes, dtype=torch.int64, device=device)
    for index, logits, masks in _predictions(model, split, batch_size):
        for metric in (metrics, released):
            metric.update(logits, masks)
        if train:
            continue
        images[index] = image_confusions(logits.argmax(1), masks, num_classes, IGNORE_INDEX)
        for row, tau in enumerate(TAUS):
            labels = (logits.float() - tau * log_prior).argmax(1)
            shifted[row] += image_confusions(labels, masks, num_classes, IGNORE_INDEX).sum(0)
    with metrics.sync_context():  # sums over the processes, if there are several
        confusion = metrics.confusion.tolist()
    cross_entropy, released_miou = float(metrics.compute()["cross_entropy"]), float(released.compute())
    labelled = any(map(any, confusion))
    if labelled and not math.isfinite(cross_entropy):
        raise NonFiniteError(
            f"the cross-entropy of the {len(split.names)} images from {split.names[0]} on is {cross_entropy}: logits "
            "are infinite or NaN, though the weights are finite. Lower learning_rate."
        )
    measured: dict[str, Any] = {
        "confusion": confusion,
        "cross_entropy": cross_entropy if labelled else None,
        "released_miou": None if math.isnan(released_miou) else released_miou,
    }
    if not train:
        measured["shifted"] = {
            str(tau): matrix for tau, matrix in zip(TAUS, sum_over_group(shifted, fabric).tolist(), strict=True)
        }
        measured["images"] = pack_counts(sum_over_group(images, fabric).cpu().numpy())
    return measured


def _predictions(model: nn.Module, split: DeviceSplit, batch_size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Rows (N,), logits (N,L,H,W) and labels (N,H,W) of this process's batches of a split, in order."""
    model.eval()
    for index in split.batches(batch_size):
        images, masks = split.batch(index)
        yield index, model(images), masks

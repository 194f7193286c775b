"""A network over a whole split: its metrics, and what a record keeps of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torchmetrics import Metric

from patlib.data import IGNORE_INDEX
from patlib.metrics import ReleasedMeanIoU, SegmentationMetrics
from patlib.resident import DeviceSplit


@torch.no_grad()
def evaluate(
    model: nn.Module, split: DeviceSplit, num_classes: int, batch_size: int, *others: Metric
) -> SegmentationMetrics:
    """Metrics of a model over a split; ``others`` see the same batches. Leaves the model in evaluation mode.

    In a group of processes each sees its share of the batches, and ``compute()`` is of them all.
    """
    model.eval()
    metrics = SegmentationMetrics(num_classes, IGNORE_INDEX).to(split.masks.device)
    for images, masks in split.in_order(batch_size):
        logits = model(images)
        for metric in (metrics, *others):
            metric.update(logits, masks)
    return metrics


def measure(model: nn.Module, split: DeviceSplit, num_classes: int, batch_size: int) -> dict[str, Any]:
    """What a record keeps of a split: the confusion matrix, the cross-entropy in nats, the released mean IoU."""
    released = ReleasedMeanIoU(IGNORE_INDEX).to(split.masks.device)
    metrics = evaluate(model, split, num_classes, batch_size, released)
    with metrics.sync_context():  # sums over the processes, if there are several
        confusion = metrics.confusion.tolist()
    return {
        "confusion": confusion,
        "cross_entropy": float(metrics.compute()["cross_entropy"]),
        "released_miou": float(released.compute()),
    }

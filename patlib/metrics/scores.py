"""Arithmetic of confusion matrices: no state, and nothing that torchmetrics is needed for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def image_confusions(labels: Tensor, target: Tensor, num_classes: int, ignore_index: int = 255) -> Tensor:
    """The confusion matrix of each image (N,L,L) int64, rows true, from predicted and true labels (N,H,W).

    Labels must be classes or, in ``target``, ``ignore_index``; they are not checked.
    """
    valid = (target != ignore_index).flatten(1)
    cells = (target.long() * num_classes + labels.long()).flatten(1).where(valid, 0)
    counts = torch.zeros(len(target), num_classes**2, dtype=torch.int64, device=target.device)
    return counts.scatter_add_(1, cells, valid.long()).view(-1, num_classes, num_classes)


def confusion_scores(confusion: Tensor) -> dict[str, Tensor]:
    """Scores of a confusion matrix (L,L), rows true and columns predicted; undefined means are NaN."""
    counts = confusion.cpu().double() if confusion.device.type == "mps" else confusion.double()
    hits, true, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
    iou = hits / (true + predicted - hits)
    dice = 2 * hits / (true + predicted)
    return {
        "miou": iou.nanmean(),
        "iou": iou,
        "pixel_acc": hits.sum() / true.sum(),
        "mean_acc": (hits / true).nanmean(),
        "mean_dice": dice.nanmean(),
        "dice_err": 1 - dice.nanmean(),
    }


def frequency_groups(class_pixels: Sequence[float] | Tensor, num_classes: int) -> dict[str, list[int]]:
    """Class ids of the head, medium and tail: thirds by training frequency, the larger thirds first.

    With two classes the tail is empty, and its mean NaN.
    """
    counts = torch.as_tensor(class_pixels)
    if counts.shape != (num_classes,):
        raise ValueError(f"class_pixels must have shape ({num_classes},), one count a class; got {tuple(counts.shape)}")
    order = counts.argsort(descending=True, stable=True)
    thirds = torch.tensor_split(order, 3)
    return {group: sorted(third.tolist()) for group, third in zip(("head", "medium", "tail"), thirds, strict=True)}

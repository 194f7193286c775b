"""Arithmetic of confusion matrices: no state, and nothing that torchmetrics is needed for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from patlib.metrics.checks import MOST_CLASSES, check_confusion, check_pair
from patlib.tensors import check_classes, check_counts, check_labels


def image_confusions(labels: Tensor, target: Tensor, num_classes: int, ignore_index: int = 255) -> Tensor:
    """The confusion matrix of each image (N,L,L) int64, rows true, from predicted and true labels (N,H,W).

    Labels must be classes or, in ``target``, ``ignore_index``. The chapter ``notebooks/09_the_metrics.md`` counts such
    a matrix with a loop and says why each image has its own. Raises TypeError for what is no tensor, and ValueError for
    other types, shapes and devices, for an ``ignore_index`` that is a class and, on the CPU, for a label that is none.

    Example:
        >>> import torch
        >>> from patlib.metrics import image_confusions
        >>> target = torch.tensor([[[0, 0], [1, 255]]])
        >>> predicted = torch.tensor([[[0, 1], [1, 1]]])
        >>> image_confusions(predicted, target, num_classes=2)
        tensor([[[1, 1],
                 [0, 1]]])
    """
    num_classes, ignore_index = check_classes(num_classes, ignore_index, MOST_CLASSES)
    check_pair(labels, target)
    target = target.long()
    valid = (target != ignore_index).flatten(1)
    true, predicted = (values.long().flatten(1).where(valid, 0) for values in (target, labels))
    check_labels("target label", true, num_classes, ignore_index)
    check_labels("predicted label", predicted, num_classes, ignore_index)
    cells = true * num_classes + predicted
    counts = torch.zeros(len(target), num_classes**2, dtype=torch.int64, device=target.device)
    return counts.scatter_add_(1, cells, valid.long()).view(-1, num_classes, num_classes)


def confusion_scores(confusion: Tensor) -> dict[str, Tensor]:
    r"""Scores of a confusion matrix (L,L) of counts, rows true and columns predicted: float64 fractions in [0, 1].

    With TP, FP and FN of a class as in :mod:`patlib.metrics.segmentation`:

    .. math:: IoU=\frac{TP}{TP+FP+FN},\quad Dice=\frac{2TP}{2TP+FP+FN} \\
              recall=\frac{TP}{TP+FN}

    ``iou`` (L,) has NaN for a class with no true and no predicted pixel. ``miou``, ``mean_dice`` and ``mean_acc`` (the
    mean recall) are means over the classes for which the fraction is defined, ``pixel_acc`` is the share of right
    pixels, and ``dice_err`` is 1 minus ``mean_dice``. The chapter ``notebooks/09_the_metrics.md`` builds them by hand.
    Raises TypeError or ValueError for what is no square matrix of counts.

    Example:
        >>> import torch
        >>> from patlib.metrics import confusion_scores
        >>> scores = confusion_scores(torch.tensor([[6, 2], [0, 2]]))
        >>> scores["iou"].tolist(), round(scores["miou"].item(), 3)
        ([0.75, 0.5], 0.625)
    """
    check_confusion(confusion)
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
    """Class ids of the head, medium and tail, from the training pixels (L,) of each class.

    The classes are sorted by their pixels and cut into thirds; where L is not divisible by 3 the head is larger, then
    the medium group. With two classes the tail is empty and its mean is NaN. Raises ValueError for what are no
    counts, one for each class. The chapter ``notebooks/09_the_metrics.md`` shows the groups of the synthetic scenes.

    Example:
        >>> from patlib.metrics import frequency_groups
        >>> frequency_groups([5, 900, 70, 1], num_classes=4)
        {'head': [1, 2], 'medium': [0], 'tail': [3]}
    """
    counts = check_counts("class_pixels", class_pixels, num_classes)
    order = counts.argsort(descending=True, stable=True)
    thirds = torch.tensor_split(order, 3)
    return {group: sorted(third.tolist()) for group, third in zip(("head", "medium", "tail"), thirds, strict=True)}

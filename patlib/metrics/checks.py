"""What the metrics say about input that does not fit."""

from __future__ import annotations

import torch
from torch import Tensor


def check_classes(num_classes: int, ignore_index: int) -> None:
    """ValueError for fewer than two classes, and for more than 255 with the ignore label 255, which is then a class."""
    if not isinstance(num_classes, int) or num_classes < 2:
        raise ValueError(f"num_classes must be an integer of at least 2, got {num_classes!r}")
    if num_classes > ignore_index == 255:
        raise ValueError(
            f"ignore_index 255 is one of the {num_classes} classes, and its pixels would count nowhere: give the "
            "label that is to be ignored, such as -1"
        )


def is_logits(predictions: Tensor, target: Tensor) -> bool:
    """Whether predictions are logits and not labels; ValueError for labels that are not of an integer type."""
    for name, value in {"predictions": predictions, "target": target}.items():
        if not isinstance(value, Tensor):
            raise ValueError(f"{name} must be a tensor, got {type(value).__name__}")
        if value.dtype == torch.bool or value.is_complex():
            raise ValueError(f"{name} must hold integer labels{', or logits' * (name == 'predictions')}: {value.dtype}")
    if target.is_floating_point():
        raise ValueError(f"target must hold integer labels, got {target.dtype}")
    return predictions.is_floating_point()


def check_labels(what: str, labels: Tensor, num_classes: int, ignore_index: int) -> None:
    """ValueError for a label on the CPU that is no class; labels on a GPU are not read back, which would stall it."""
    if labels.device.type != "cpu" or labels.numel() == 0:
        return
    low, high = (int(bound) for bound in torch.aminmax(labels))
    if low < 0 or high >= num_classes:
        raise ValueError(
            f"{what} label {low if low < 0 else high} is neither a class (0..{num_classes - 1}) "
            f"nor the ignore label {ignore_index}"
        )

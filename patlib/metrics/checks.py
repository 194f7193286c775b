"""What the metrics take for predictions, and for a confusion matrix."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from patlib.tensors import FLOATS, INTEGERS, check_tensor

MOST_CLASSES = 10_000
"""The confusion matrix of as many takes 800 MB."""
MOST_NATS = 1e7
"""What a pixel costs at most, so that the sum over a split fits float32."""


def is_logits(predictions: Any, target: Any) -> bool:
    """Whether predictions are logits and not labels; TypeError for what is no tensor, ValueError for other types."""
    check_tensor("predictions", predictions)
    check_tensor("target", target)
    if predictions.dtype not in FLOATS + INTEGERS:
        raise ValueError(f"predictions must hold integer labels, or logits of 16, 32 or 64 bits: {predictions.dtype}")
    check_integers("target", target)
    _same_device("predictions", predictions, target)
    return predictions.dtype in FLOATS


def shapes(predictions: Tensor, target: Tensor) -> str:
    """What was given and what mends it, as the end of a message."""
    channel = (
        predictions.ndim == target.ndim and target.shape[1:2] == (1,) and target.shape[2:] == predictions.shape[2:]
    )
    return (
        f"got {predictions.dtype} {tuple(predictions.shape)} with a target {tuple(target.shape)}"
        f"{'; use target.squeeze(1)' if channel else ''}"
    )


def check_pair(labels: Any, target: Any) -> None:
    """TypeError or ValueError unless both hold integer labels of one shape (N, H, W), on one device."""
    for name, value in {"labels": labels, "target": target}.items():
        check_tensor(name, value)
        check_integers(name, value)
    if target.ndim != 3 or labels.shape != target.shape:
        raise ValueError(
            f"labels and target must have one shape (N, H, W), got {tuple(labels.shape)} and {tuple(target.shape)}"
        )
    _same_device("labels", labels, target)


def check_integers(name: str, value: Tensor) -> None:
    """Raise ValueError for a tensor that is not of an integer type."""
    if value.dtype not in INTEGERS:
        raise ValueError(f"{name} must hold integer labels, got {value.dtype}")


def check_confusion(confusion: Any) -> None:
    """TypeError or ValueError unless it is a square matrix of counts; on a GPU its counts are not read."""
    check_tensor("confusion", confusion)
    if confusion.dtype not in FLOATS + INTEGERS or confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise ValueError(
            f"confusion must be a matrix (L, L) of counts, got {confusion.dtype} of shape {tuple(confusion.shape)}"
        )
    if confusion.device.type == "cpu" and not bool(((confusion >= 0) & (confusion.double() < torch.inf)).all()):
        raise ValueError(f"confusion must hold counts, finite and not negative; got {confusion.tolist()}")


def _same_device(name: str, value: Tensor, target: Tensor) -> None:
    if value.device != target.device:
        raise ValueError(f"{name} are on {value.device}, target is on {target.device}; use target.to({name}.device)")

"""Segmentation metrics: one confusion matrix over a whole split, and all scores read off it.

From outside come :class:`SegmentationMetrics` and :class:`ReleasedMeanIoU` (torchmetrics), and the arithmetic alone:
:func:`confusion_scores`, :func:`frequency_groups` and :func:`image_confusions`, which need torch and nothing else. No
other room is known here.

Predictions, labels and confusion matrices that are no tensors raise TypeError; whatever else is refused raises
ValueError, as in :mod:`patlib.losses`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from patlib.metrics.scores import confusion_scores, frequency_groups, image_confusions

if TYPE_CHECKING:
    from patlib.metrics.segmentation import ReleasedMeanIoU as ReleasedMeanIoU
    from patlib.metrics.segmentation import SegmentationMetrics as SegmentationMetrics

__all__ = ["ReleasedMeanIoU", "SegmentationMetrics", "confusion_scores", "frequency_groups", "image_confusions"]


def __getattr__(name: str) -> Any:
    """Import the two metrics when they are asked for: torchmetrics takes longer to import than torch."""
    if name not in ("ReleasedMeanIoU", "SegmentationMetrics"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from patlib.metrics import segmentation

    return getattr(segmentation, name)

"""Segmentation metrics: counts of a whole split, and all scores read off them.

From outside come :class:`SegmentationMetrics`, :class:`CalibrationError` and :class:`ReleasedMeanIoU` (torchmetrics),
and the arithmetic alone: :func:`confusion_scores`, :func:`frequency_groups` and :func:`image_confusions`, which need
torch and nothing else. No other room is known here.

Predictions, labels and confusion matrices that are no tensors raise TypeError; whatever else is refused raises
ValueError, as in :mod:`patlib.losses`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from patlib.metrics.scores import confusion_scores, frequency_groups, image_confusions

if TYPE_CHECKING:
    from patlib.metrics.calibration import CalibrationError as CalibrationError
    from patlib.metrics.released import ReleasedMeanIoU as ReleasedMeanIoU
    from patlib.metrics.segmentation import SegmentationMetrics as SegmentationMetrics

__all__ = [
    "CalibrationError",
    "ReleasedMeanIoU",
    "SegmentationMetrics",
    "confusion_scores",
    "frequency_groups",
    "image_confusions",
]

MODULES = {"CalibrationError": "calibration", "ReleasedMeanIoU": "released", "SegmentationMetrics": "segmentation"}
"""Where each metric of torchmetrics' kind is defined."""


def __getattr__(name: str) -> Any:
    """Import a metric when it is asked for: torchmetrics takes longer to import than torch."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"patlib.metrics.{MODULES[name]}"), name)

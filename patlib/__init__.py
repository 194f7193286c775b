"""Pixel-wise Adaptive Training (PAT) for long-tailed segmentation, and the losses it is compared with.

Five rooms come first: ``losses``, ``models``, ``datasets``, ``metrics`` and the ``trainer`` that brings them together.
On these stand ``experiments`` (many runs, and what they say) and ``teaching`` (figures and moving pictures), then
``paper`` (its numbers, its released code, the differences) and ``cli``. A room imports those below it, never its
neighbours; ``tests/test_rooms.py`` checks that. What most people call can be taken from here, and is imported when it
is asked for: ``import patlib`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from patlib.datasets import prepare as prepare
    from patlib.losses import build_loss as build_loss
    from patlib.metrics import SegmentationMetrics as SegmentationMetrics
    from patlib.models import build_model as build_model
    from patlib.trainer import RunConfig as RunConfig
    from patlib.trainer import fit as fit

_ROOMS = {
    "RunConfig": "trainer", "SegmentationMetrics": "metrics", "build_loss": "losses", "build_model": "models",
    "fit": "trainer", "prepare": "datasets",
}  # fmt: skip
__all__ = ["RunConfig", "SegmentationMetrics", "__version__", "build_loss", "build_model", "fit", "prepare"]


def __getattr__(name: str) -> Any:
    from importlib import import_module, metadata

    if name == "__version__":
        try:
            return metadata.version("patlib")
        except metadata.PackageNotFoundError:  # on the path without being installed, as a checkout can be
            return "unknown"
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)

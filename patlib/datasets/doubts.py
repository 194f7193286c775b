"""What a reader's own data hardly mean to be. It is told as a warning, because only their owner can know."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np

from patlib.datasets.spec import DatasetSpec

DARK = 64
"""Where no value of 0..255 reaches it, the images were probably numbers of 14 bits or fewer in files of 16."""


def warn_of_doubts(spec: DatasetSpec, class_pixels: Mapping[str, np.ndarray], train_images: np.ndarray) -> None:
    """Warn of classes without a pixel in a split, and of images that are all nearly black.

    Args:
        spec: the dataset.
        class_pixels: (L,) pixels of each class in each split.
        train_images: (M, H, W, 3) uint8.
    """
    for doubt in (_absent_classes(spec, class_pixels), _darkness(train_images)):
        if doubt:
            warnings.warn(f"{spec.name}: {doubt}", stacklevel=4)  # the line that called from_folder or prepare


def _absent_classes(spec: DatasetSpec, class_pixels: Mapping[str, np.ndarray]) -> str:
    absent = []
    for split, counts in class_pixels.items():
        if names := [repr(name) for name, count in zip(spec.classes, counts, strict=True) if not count]:
            absent.append(f"no pixel of {split} is {' or '.join(names)}")
    if not absent:
        return ""
    return (
        f"{'; '.join(absent)}. Drawn splits share out a class that is in three images (or groups, where they are told) "
        "or more; small things can vanish when they are resized"
    )


def _darkness(images: np.ndarray) -> str:
    brightest = 0
    for image in images:  # usually the first is bright enough, and no other is read
        brightest = max(brightest, int(image.max()))
        if brightest >= DARK:
            return ""
    return (
        f"no image of train has a value above {brightest} of 255. Numbers of 12 bits in files of 16 count as dark ones "
        "of 16, and most of what they tell is lost: multiply them first, so that white is 65535 (12 bits by 16)"
    )

"""What a segmentation dataset is: its classes, its colours, where it comes from.

Shapes use L classes, H rows, W columns. A label mask holds class ids 0..L-1, and 255 where no class was given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

IGNORE_INDEX = 255
"""The label of pixels that have no class (void). No loss and no metric counts them."""

VOID_COLOUR = (225, 225, 225)


class DataError(RuntimeError):
    """Data on disk are missing, damaged or not what was expected. The message names the file and how to mend it."""


@dataclass(frozen=True)
class DatasetSpec:
    """The facts about one dataset that hold wherever and at whatever size it is prepared."""

    name: str
    """What `prepare` and the command line call it."""
    title: str
    classes: tuple[str, ...]
    """The L class names; a class id is an index into this tuple."""
    palette: tuple[tuple[int, int, int], ...]
    """One RGB colour a class, 0..255."""
    paper_size: tuple[int, int]
    """(height, width) used by the paper, or by the published benchmark where the paper does not use this dataset."""
    default_size: tuple[int, int]
    """(height, width) that trains in minutes on a laptop."""
    licence: str
    citation: str
    how_to_get: str
    """Tells a reader who has no copy where to get one and how to lay it out."""
    folder: str
    """The folder looked for under the data root; empty if the dataset needs no files."""
    layout: tuple[str, ...]
    """Sub-folders that a complete copy has."""
    protocols: tuple[str, ...]
    """The ways of splitting it that can be asked for; the first is the default."""
    seeded: bool
    """Whether the seed changes the images or the splits."""
    formats: tuple[str, ...] = ()
    """Pillow's names of the image formats that its files have; no other is decoded."""

    def __post_init__(self) -> None:
        """Raise ValueError for so many classes that the label of void would be one."""
        if len(self.classes) > IGNORE_INDEX:
            raise ValueError(
                f"{self.name} has {len(self.classes)} classes, and {IGNORE_INDEX} are the most: the next is void"
            )

    @property
    def num_classes(self) -> int:
        """L, void not counted."""
        return len(self.classes)


def colourise(mask: np.ndarray, spec: DatasetSpec) -> np.ndarray:
    """Paint a label mask with the palette of its dataset.

    Args:
        mask: (..., H, W) integer class ids, 255 where void.
        spec: the dataset whose palette is used.

    Returns:
        (..., H, W, 3) uint8 RGB, void in light grey.

    Raises:
        ValueError: the mask holds an id that is neither a class nor 255.

    Example:
        >>> import numpy as np
        >>> from patlib.datasets import colourise, get_spec
        >>> colourise(np.array([[0, 255]]), get_spec("camvid")).tolist()
        [[[102, 149, 252], [225, 225, 225]]]
    """
    colours = np.full((256, 3), VOID_COLOUR, dtype=np.uint8)
    colours[: spec.num_classes] = spec.palette
    wrong = np.unique(mask[(mask != IGNORE_INDEX) & ((mask < 0) | (mask >= spec.num_classes))])
    if wrong.size:
        raise ValueError(
            f"mask holds the value {wrong[0]}; {spec.name} has class ids 0..{spec.num_classes - 1}, and 255 for void"
        )
    painted: np.ndarray = colours[mask]
    return painted

"""A small dataset of one's own: a field with crop and weed, on the disk and prepared."""

from pathlib import Path

import numpy as np
from PIL import Image

from patlib.datasets import PreparedDataset, from_folder

CLASSES = ("soil", "crop", "weed")
TOML = 'classes = ["soil", "crop", "weed"]\nsize = [6, 8]\n'


def save(folder: Path, name: str, values: np.ndarray | None = None, image_as: str = ".png") -> None:
    """An image and a mask of a name; every class and void occur unless other values are given."""
    values = np.resize([0, 1, 2, 255], (6, 8)).astype(np.uint8) if values is None else values
    image, mask = folder / "images" / f"{name}{image_as}", folder / "masks" / f"{name}.png"
    for path in (image, mask):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*values.shape, 3), 100, dtype=np.uint8)).save(image)
    Image.fromarray(values).save(mask)


def own(folder: Path, **told: object) -> PreparedDataset:
    settings: dict[str, object] = {"classes": CLASSES, "size": (6, 8), "progress": False, **told}
    return from_folder(folder / "images", folder / "masks", **settings)  # type: ignore[arg-type]


def names(dataset: PreparedDataset) -> dict[str, list[str]]:
    return {split: sorted(rows.names) for split, rows in dataset.splits.items()}

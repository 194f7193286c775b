"""Small fake copies of the datasets, written as their publishers lay them out."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CAMVID_COUNTS = {"train": 4, "val": 2, "test": 3}


def save_pair(image: Path, mask: Path, values: np.ndarray) -> None:
    """Write a mask of label values (H, W), and an image of the same size whose red channel is ten times the mask."""
    for path in (image, mask):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.stack([values * 10, values, values], axis=-1).astype(np.uint8)).save(image)
    Image.fromarray(values.astype(np.uint8)).save(mask)


@pytest.fixture(autouse=True)
def no_surrounding_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the tests away from the data and the cache of whoever runs them."""
    monkeypatch.delenv("PATLIB_DATA", raising=False)
    monkeypatch.setenv("PATLIB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def camvid_root(tmp_path: Path) -> Path:
    """A data root with CamVid in it: 12x16 images whose masks hold every label value 0..11, without list files."""
    rng = np.random.default_rng(0)
    for split, count in CAMVID_COUNTS.items():
        for i in range(count):
            values = rng.permutation(np.arange(12 * 16) % 12).reshape(12, 16)
            folder = tmp_path / "data" / "camvid"
            save_pair(folder / split / f"{split}{i}.png", folder / f"{split}annot" / f"{split}{i}.png", values)
    return tmp_path / "data"


@pytest.fixture
def pet_root(tmp_path: Path) -> Path:
    """A data root with Oxford-IIIT Pet in it: 20 images in trainval, 10 in test."""
    folder = tmp_path / "data" / "oxford-iiit-pet"
    rng = np.random.default_rng(0)
    for listing, first, last in (("trainval", 0, 20), ("test", 20, 30)):
        lines = [f"cat_{i} 1 1 1" for i in range(first, last)]
        for i in range(first, last):
            trimap = folder / "annotations" / "trimaps" / f"cat_{i}.png"
            save_pair(folder / "images" / f"cat_{i}.jpg", trimap, rng.integers(1, 4, (10, 8)))
        (folder / "annotations" / f"{listing}.txt").write_text("\n".join(["# a comment", *lines]) + "\n")
    return tmp_path / "data"


REAL_ROOT = Path(os.environ.get("PATLIB_DATA") or "data").absolute()


@pytest.fixture
def real_root() -> Path:
    """Where the data of whoever runs the tests lie, read before the tests hide it."""
    return REAL_ROOT

"""Small fake copies of the datasets, written as their publishers lay them out."""

from __future__ import annotations

import os
from pathlib import Path

import fake_nyuv2
import h5py
import numpy as np
import pytest
import scipy.io
from own_field import save
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


@pytest.fixture
def cityscapes_root(tmp_path: Path) -> Path:
    """A data root with Cityscapes in it: 20 images of two cities in train, 5 of a third in val, and a dummy test."""
    folder = tmp_path / "data" / "cityscapes"
    rng = np.random.default_rng(0)
    for split, city, count in (("train", "aachen", 12), ("train", "ulm", 8), ("val", "lindau", 5), ("test", "bonn", 1)):
        for i in range(count):
            stem = f"{city}_{i:06d}_000019"
            values = rng.permutation(np.arange(8 * 16) % 34).reshape(8, 16)
            image = folder / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png"
            save_pair(image, folder / "gtFine" / split / city / f"{stem}_gtFine_labelIds.png", values)
    return tmp_path / "data"


@pytest.fixture
def nyuv2_mat_root(tmp_path: Path) -> Path:
    """A data root with NYUv2 as published: 30 images, the odd ones train and the even ones test."""
    folder = tmp_path / "data" / "nyuv2"
    folder.mkdir(parents=True)
    images, names = zip(*(fake_nyuv2.image_and_names(number) for number in range(1, 31)), strict=True)
    with h5py.File(folder / "nyu_depth_v2_labeled.mat", "w") as file:
        file["images"] = np.stack(images).transpose(0, 3, 2, 1)
        file["labels"] = np.stack(names).transpose(0, 2, 1).astype(np.uint16)
    scipy.io.savemat(folder / "classMapping40.mat", {"mapClass": fake_nyuv2.NAMES_TO_40})
    odd = np.arange(1, 31, 2)[:, None]
    scipy.io.savemat(folder / "splits.mat", {"trainNdxs": odd, "testNdxs": odd + 1})
    return tmp_path / "data"


@pytest.fixture
def nyuv2_tree_root(tmp_path: Path) -> Path:
    """A data root with NYUv2 as arrays: 20 images of floats in train, 10 of bytes in val; labels -1..12 in float."""
    for split, count, scale in (("train", 20, 255.0), ("val", 10, 1)):
        for kind in ("image", "label"):
            (tmp_path / "data" / "nyuv2" / split / kind).mkdir(parents=True)
        for i in range(count):
            image, names = fake_nyuv2.image_and_names(i)
            folder = tmp_path / "data" / "nyuv2" / split
            np.save(folder / "image" / f"{i}.npy", image / scale if scale > 1 else image)
            np.save(folder / "label" / f"{i}.npy", names.astype(np.float64) - 1)
    return tmp_path / "data"


REAL_ROOT = Path(os.environ.get("PATLIB_DATA") or "data").absolute()


@pytest.fixture
def real_root() -> Path:
    """Where the data of whoever runs the tests lie, read before the tests hide it."""
    return REAL_ROOT


@pytest.fixture
def field(tmp_path: Path) -> Path:
    """A folder with 20 pairs: ten frames of two drives each."""
    for number in range(20):
        save(tmp_path / "field", f"drive{number // 10}/{number:02d}", image_as=".jpg" if number % 2 else ".png")
    return tmp_path / "field"

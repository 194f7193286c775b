"""The near scenes: large things, two of which look exactly like others and are fewer than these."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from patlib.datasets import PreparedDataset, prepare, street_near
from patlib.datasets.street import BICYCLIST, BUILDING, PERSON, SIGN
from patlib.datasets.street_near import NearScene

LOOK_ALIKES = {SIGN: BUILDING, BICYCLIST: PERSON}


@pytest.fixture(scope="module")
def near(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    cache = tmp_path_factory.mktemp("cache")
    return prepare("synthetic", (48, 72), cache=cache, protocol="near", progress=False)


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    return NearScene(np.random.default_rng([0, 0, seed])).drawn()


def test_prepared_arrays_are_the_same_every_time(near: PreparedDataset) -> None:
    digest = hashlib.sha256()
    for split in near.splits.values():
        digest.update(split.images.tobytes() + split.masks.tobytes())
    assert digest.hexdigest()[:16] == "c6191e6028bf12bd"


def test_nothing_in_the_picture_tells_a_sign_or_a_bicyclist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn again as all signs and bicyclists, or none, a scene has the same image, and labels of the other class."""
    changed = set()
    for seed in range(8):
        versions = []
        for share in (0.0, 1.0):
            monkeypatch.setattr(street_near, "RARE", share)
            versions.append(drawn(seed))
        (image, common), (same, rare) = versions
        assert np.array_equal(image, same)
        assert not np.isin(common, list(LOOK_ALIKES)).any()
        differ = common != rare
        changed |= {(int(a), int(b)) for a, b in zip(rare[differ], common[differ], strict=True)}
    assert changed == set(LOOK_ALIKES.items())


def test_they_are_the_smaller_part_of_what_looks_like_them(
    near: PreparedDataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(street_near, "RARE", 1.0)
    every = prepare("synthetic", (48, 72), cache=tmp_path, protocol="near", progress=False).class_pixels
    share = near.class_pixels[list(LOOK_ALIKES)] / every[list(LOOK_ALIKES)]
    assert (share > 0.3).all() and (share < 0.5).all()


def test_the_tail_is_as_long_as_camvid_s(near: PreparedDataset) -> None:
    assert near.class_pixels.max() >= 100 * near.class_pixels.min()
    assert set(near.class_pixels.argsort()[:2]) == set(LOOK_ALIKES)


@pytest.mark.parametrize("label", LOOK_ALIKES, ids=["Sign", "Bicyclist"])
def test_rare_classes_are_absent_from_about_half_of_the_images(near: PreparedDataset, label: int) -> None:
    present = (near.splits["train"].masks == label).any(axis=(1, 2))
    assert 0.35 <= 1 - present.mean() <= 0.65


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_every_split_holds_every_class(near: PreparedDataset, split: str) -> None:
    assert near.class_pixels_of(split).min() > 0

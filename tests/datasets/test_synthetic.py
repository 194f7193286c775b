"""The synthetic scenes: the same for a seed, long-tailed, and not solved by colour."""

import hashlib

import numpy as np
import pytest

from patlib.datasets import IGNORE_INDEX, PreparedDataset, prepare
from patlib.datasets.street import HEIGHT, WIDTH, draw_scene


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    return prepare("synthetic", cache=tmp_path_factory.mktemp("cache"), progress=False)


def test_a_seed_gives_the_same_bytes_everywhere() -> None:
    image, mask = draw_scene(np.random.default_rng([0, 0, 0]))
    assert image.shape == (HEIGHT, WIDTH, 3) and mask.shape == (HEIGHT, WIDTH)
    assert image.dtype == mask.dtype == np.uint8
    assert hashlib.sha256(image.tobytes() + mask.tobytes()).hexdigest()[:16] == "fdaa342f2693f4da"


def test_prepared_arrays_are_the_same_every_time(scenes: PreparedDataset) -> None:
    digest = hashlib.sha256()
    for split in scenes.splits.values():
        digest.update(split.images.tobytes() + split.masks.tobytes())
    assert digest.hexdigest()[:16] == "1d8dc604c9026270"


def test_another_seed_gives_other_scenes() -> None:
    first, second = (draw_scene(np.random.default_rng([seed, 0, 0]))[0] for seed in (0, 1))
    assert np.any(first != second)


def test_splits_have_the_promised_sizes_and_share_no_image(scenes: PreparedDataset) -> None:
    assert {name: split.images.shape for name, split in scenes.splits.items()} == {
        "train": (160, 64, 96, 3),
        "val": (40, 64, 96, 3),
        "test": (40, 64, 96, 3),
    }
    images = {image.tobytes() for split in scenes.splits.values() for image in split.images}
    assert len(images) == 240


def test_the_tail_is_as_long_as_camvid_s(scenes: PreparedDataset) -> None:
    assert scenes.class_pixels.max() >= 100 * scenes.class_pixels.min()


@pytest.mark.parametrize("name", ["Sign", "Person", "Bicyclist"])
def test_rare_classes_are_absent_from_about_half_of_the_images(scenes: PreparedDataset, name: str) -> None:
    present = (scenes.splits["train"].masks == scenes.spec.classes.index(name)).any(axis=(1, 2))
    assert 0.35 <= 1 - present.mean() <= 0.65


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_every_split_holds_every_class_and_a_thin_void(scenes: PreparedDataset, split: str) -> None:
    masks = scenes.splits[split].masks
    assert scenes.class_pixels_of(split).min() > 0
    assert set(np.unique(masks)) == {*range(10), IGNORE_INDEX}
    assert 0.01 < (masks == IGNORE_INDEX).mean() < 0.08


def test_colour_alone_does_not_solve_it(scenes: PreparedDataset) -> None:
    """The best class for each of 4096 colours, learned on train, reaches a mean IoU below 0.25 on val."""

    def colours_and_classes(split: str) -> tuple[np.ndarray, np.ndarray]:
        red, green, blue = np.moveaxis(scenes.splits[split].images.astype(int) // 16, -1, 0)
        known = scenes.splits[split].masks != IGNORE_INDEX
        return (256 * red + 16 * green + blue)[known], scenes.splits[split].masks[known].astype(int)

    colour, label = colours_and_classes("train")
    best = np.bincount(colour * 10 + label, minlength=40960).reshape(4096, 10).argmax(axis=1)
    colour, label = colours_and_classes("val")
    confusion = np.bincount(label * 10 + best[colour], minlength=100).reshape(10, 10)
    hits = np.diag(confusion)
    assert np.mean(hits / (confusion.sum(axis=0) + confusion.sum(axis=1) - hits)) < 0.25

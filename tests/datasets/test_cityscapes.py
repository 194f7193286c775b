"""Cityscapes: the layout of its archives, the 19 classes among 34 raw ids, two protocols."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from patlib.datasets import DataError, cityscapes, prepare

# Train ids of the raw ids 0..33, from helpers/labels.py of mcordts/cityscapesScripts.
TRAIN_IDS = [
    255, 255, 255, 255, 255, 255, 255, 0, 1, 255, 255, 2, 3, 4, 255, 255, 255, 5, 255, 6, 7, 8, 9, 10, 11, 12, 13, 14,
    15, 255, 255, 16, 17, 18,
]  # fmt: skip

ONE = "aachen/aachen_000003_000019"


def split_names(root: Path, protocol: str, seed: int = 0) -> dict[str, list[str]]:
    splits = cityscapes.source(root / "cityscapes", protocol, seed).splits
    return {split: [item.name for item in items] for split, items in splits.items()}


def test_paper_protocol_pools_the_labelled_images_and_splits_8_1_1(cityscapes_root: Path) -> None:
    splits = split_names(cityscapes_root, "paper")
    assert {split: len(names) for split, names in splits.items()} == {"train": 20, "val": 2, "test": 3}
    every = [name for names in splits.values() for name in names]
    assert len(set(every)) == 25 and not any(name.startswith("bonn") for name in every)


def test_official_protocol_tests_on_the_published_val_and_takes_val_from_train(cityscapes_root: Path) -> None:
    splits = split_names(cityscapes_root, "official")
    assert splits["test"] == [f"lindau_{i:06d}_000019" for i in range(5)]
    assert {split: len(names) for split, names in splits.items()} == {"train": 18, "val": 2, "test": 5}
    assert not any(name.startswith("lindau") for name in splits["train"] + splits["val"])


@pytest.mark.parametrize("protocol", ["paper", "official"])
def test_another_seed_draws_other_splits(cityscapes_root: Path, protocol: str) -> None:
    assert split_names(cityscapes_root, protocol) == split_names(cityscapes_root, protocol)
    assert split_names(cityscapes_root, protocol) != split_names(cityscapes_root, protocol, seed=1)


def test_raw_ids_become_the_19_classes_and_void(cityscapes_root: Path) -> None:
    item = next(
        item
        for item in cityscapes.source(cityscapes_root / "cityscapes", "official", 0).splits["train"]
        if item.name.startswith("aachen")
    )
    with Image.open(cityscapes_root / f"cityscapes/gtFine/train/aachen/{item.name}_gtFine_labelIds.png") as file:
        raw = np.asarray(file)
    assert set(np.unique(raw)) == set(range(34))
    assert np.array_equal(np.asarray(item.load()[1]), np.array(TRAIN_IDS)[raw])
    assert cityscapes.SPEC.classes[TRAIN_IDS[7]] == "road" and cityscapes.SPEC.classes[TRAIN_IDS[33]] == "bicycle"


def test_folders_named_like_their_archives_are_found(cityscapes_root: Path) -> None:
    before = split_names(cityscapes_root, "paper")
    for kind in ("leftImg8bit", "gtFine"):
        (cityscapes_root / "cityscapes" / f"{kind}_trainvaltest").mkdir()
        tree = cityscapes_root / "cityscapes" / kind
        tree.rename(cityscapes_root / "cityscapes" / f"{kind}_trainvaltest" / kind)
    assert split_names(cityscapes_root, "paper") == before


@pytest.mark.parametrize(
    "half", [f"leftImg8bit/train/{ONE}_leftImg8bit.png", f"gtFine/train/{ONE}_gtFine_labelIds.png"]
)
def test_a_missing_half_of_a_pair_is_named(cityscapes_root: Path, half: str) -> None:
    (cityscapes_root / "cityscapes" / half).unlink()
    with pytest.raises(DataError, match=rf"{half} is missing[\s\S]*csDownload"):
        cityscapes.source(cityscapes_root / "cityscapes", "paper", 0)


def test_a_missing_folder_is_named_with_the_place_to_register(cityscapes_root: Path) -> None:
    (cityscapes_root / "cityscapes" / "gtFine" / "val").rename(cityscapes_root / "elsewhere")
    with pytest.raises(DataError, match=r"gtFine/val is missing[\s\S]*cityscapes-dataset\.com/register"):
        cityscapes.source(cityscapes_root / "cityscapes", "paper", 0)


def test_colour_files_are_not_label_files(cityscapes_root: Path) -> None:
    path = cityscapes_root / f"cityscapes/gtFine/train/{ONE}_gtFine_labelIds.png"
    Image.new("RGB", (16, 8)).save(path)
    with pytest.raises(DataError, match="expected a label mask"):
        prepare("cityscapes", (4, 8), cityscapes_root, progress=False)


def test_it_is_prepared_at_the_asked_size_with_19_or_20_classes(cityscapes_root: Path) -> None:
    dataset = prepare("cityscapes", (4, 8), cityscapes_root, progress=False)
    assert dataset.splits["train"].images.shape == (20, 4, 8, 3) and len(dataset.class_pixels) == 19
    assert dataset.folder.name == "cityscapes-4x8-paper-seed0"
    assert len(prepare("cityscapes", (4, 8), cityscapes_root, progress=False, void_class=True).class_pixels) == 20


def test_an_image_of_another_ending_is_named_and_not_passed_over(cityscapes_root: Path) -> None:
    city = cityscapes_root / "cityscapes" / "leftImg8bit" / "train" / "ulm"
    one = city / "ulm_000001_000019_leftImg8bit.png"
    one.rename(one.with_suffix(".PNG"))
    with pytest.raises(DataError, match=r"leftImg8bit\.PNG: expected only files that end with _leftImg8bit\.png"):
        cityscapes.source(cityscapes_root / "cityscapes", "paper", 0)


def test_an_image_in_no_citys_folder_is_refused(cityscapes_root: Path) -> None:
    images = cityscapes_root / "cityscapes" / "leftImg8bit" / "train"
    (images / "stray_leftImg8bit.png").write_bytes((images / f"{ONE}_leftImg8bit.png").read_bytes())
    with pytest.raises(DataError, match=r"stray_leftImg8bit\.png: expected only files .*, in a folder for each city"):
        split_names(cityscapes_root, "paper")


def test_a_name_in_two_cities_is_refused(cityscapes_root: Path) -> None:
    for kind in ("leftImg8bit", "gtFine"):
        train = cityscapes_root / "cityscapes" / kind / "train"
        (train / "copy").mkdir()
        for path in train.glob(f"{ONE}*"):
            (train / "copy" / path.name).write_bytes(path.read_bytes())
    with pytest.raises(DataError, match="'aachen_000003_000019' is listed 2 times"):
        split_names(cityscapes_root, "paper")

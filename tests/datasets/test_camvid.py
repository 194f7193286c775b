"""CamVid: the layout of the SegNet tutorial, its list files, its class pixel counts."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from patlib.datasets import DataError, camvid, prepare

# Counted from the published label files at 480x360.
TRAIN_PIXELS = [
    10_682_767, 14_750_079, 623_349, 20_076_880, 2_845_085, 6_166_762, 743_859, 714_595, 3_719_877, 405_385, 184_967,
]  # fmt: skip
VAL_PIXELS = [
    1_601_620,
    4_531_180,
    98_499,
    5_053_176,
    1_521_751,
    2_851_125,
    155_724,
    537_197,
    304_716,
    113_531,
    387_010,
]
TEST_PIXELS = [
    6_870_982, 9_906_732, 473_895, 10_390_661, 3_731_857, 4_530_895, 406_612, 476_807, 1_599_124, 255_232, 76_220,
]  # fmt: skip

DAY_TO_DUSK = {"train": 305, "val": 101, "test": 171, "dusk": 124}


def names(root: Path, split: str) -> list[str]:
    return [item.name for item in camvid.source(root / "camvid").splits[split]]


def test_without_lists_takes_every_image_in_alphabetical_order(camvid_root: Path) -> None:
    assert names(camvid_root, "train") == ["train0", "train1", "train2", "train3"]
    assert names(camvid_root, "val") == ["val0", "val1"]


@pytest.mark.parametrize(
    "line",
    ["/SegNet/CamVid/train/{0}.png /SegNet/CamVid/trainannot/{0}.png", "train/{0}.png trainannot/{0}.png\n"],
    ids=["tutorial", "relative"],
)
def test_lists_give_the_images_and_their_order(camvid_root: Path, line: str) -> None:
    lines = [line.format(stem) for stem in ("train2", "train0")]
    (camvid_root / "camvid" / "train.txt").write_text("\n".join(lines))
    assert names(camvid_root, "train") == ["train2", "train0"]


def test_images_may_be_jpeg_where_the_list_says_png(camvid_root: Path) -> None:
    folder = camvid_root / "camvid"
    (folder / "train.txt").write_text("train/train0.png trainannot/train0.png")
    (folder / "train" / "train0.png").rename(folder / "train" / "train0.jpg")
    assert names(camvid_root, "train") == ["train0"]


def test_a_list_line_without_mask_is_named(camvid_root: Path) -> None:
    (camvid_root / "camvid" / "train.txt").write_text("train/train0.png trainannot/train0.png\ntrain/train1.png\n")
    with pytest.raises(DataError, match=r"train\.txt, line 2: expected 'train/x\.png trainannot/x\.png'"):
        camvid.source(camvid_root / "camvid")


def test_value_11_becomes_void_and_classes_keep_their_ids(camvid_root: Path) -> None:
    with Image.open(camvid_root / "camvid" / "trainannot" / "train0.png") as file:
        on_disk = np.asarray(file)
    image, mask = camvid.source(camvid_root / "camvid").splits["train"][0].load()
    assert np.array_equal(np.asarray(mask), np.where(on_disk == 11, 255, on_disk))
    assert image.mode == "RGB" and np.array_equal(np.asarray(image)[..., 1], on_disk)


def test_without_lists_capitals_are_handled_and_other_files_named(camvid_root: Path) -> None:
    folder = camvid_root / "camvid"
    for half in ("val", "valannot"):
        (folder / half / "val0.png").rename(folder / half / "val0.PNG")
    assert names(camvid_root, "val") == ["val0", "val1"]
    (folder / "val" / "val2.webp").write_bytes(b"")
    with pytest.raises(DataError, match=r"val2\.webp: expected only files with \.png, \.jpg"):
        camvid.source(folder)


@pytest.mark.parametrize("half", ["train/train1.png", "trainannot/train1.png"])
def test_a_missing_half_of_a_pair_is_named(camvid_root: Path, half: str) -> None:
    (camvid_root / "camvid" / half).unlink()
    with pytest.raises(DataError, match=rf"{half} is missing[\s\S]*git clone"):
        camvid.source(camvid_root / "camvid")


def test_a_missing_folder_is_named(camvid_root: Path) -> None:
    (camvid_root / "camvid" / "valannot").rename(camvid_root / "camvid" / "elsewhere")
    with pytest.raises(DataError, match=r"valannot is missing[\s\S]*git clone"):
        camvid.source(camvid_root / "camvid")


def move_to_dusk(root: Path, split: str, stem: str) -> None:
    for folder in (split, f"{split}annot"):
        (root / "camvid" / folder / f"{stem}.png").rename(root / "camvid" / folder / f"0001TP_{stem}.png")


def test_day_to_dusk_moves_the_sequence_of_dusk_out_of_every_split_into_its_own(camvid_root: Path) -> None:
    for split, stem in (("train", "train1"), ("test", "test0"), ("test", "test2")):
        move_to_dusk(camvid_root, split, stem)
    splits = prepare("camvid", (6, 8), camvid_root, protocol="day_to_dusk", progress=False).splits
    assert {split: rows.names for split, rows in splits.items()} == {
        "train": ("train0", "train2", "train3"),
        "val": ("val0", "val1"),
        "test": ("test1",),
        "dusk": ("0001TP_train1", "0001TP_test0", "0001TP_test2"),
    }
    assert splits["dusk"].masks.shape == (3, 6, 8)
    assert len(prepare("camvid", (6, 8), camvid_root, progress=False).splits["train"]) == 4


def test_day_to_dusk_is_refused_where_no_image_is_of_that_sequence(camvid_root: Path) -> None:
    with pytest.raises(DataError, match="the dusk split is empty"):
        prepare("camvid", (6, 8), camvid_root, protocol="day_to_dusk", progress=False)


def test_real_camvid_is_darker_at_dusk_than_by_day(real_root: Path) -> None:
    if not (real_root / "camvid").is_dir():
        pytest.skip("CamVid is not under PATLIB_DATA")
    splits = camvid.source(real_root / "camvid", "day_to_dusk").splits
    assert [(split, len(items)) for split, items in splits.items()] == list(DAY_TO_DUSK.items())
    grey = {
        split: np.mean([np.asarray(item.load()[0].convert("L")).mean() for item in items[::10]])
        for split, items in splits.items()
    }
    assert grey["dusk"] < 0.75 * min(grey["train"], grey["val"], grey["test"])


def test_real_camvid_has_the_published_class_pixel_counts(real_root: Path) -> None:
    if not (real_root / "camvid").is_dir():
        pytest.skip("CamVid is not under PATLIB_DATA")
    splits = camvid.source(real_root / "camvid").splits
    assert {split: len(items) for split, items in splits.items()} == {"train": 367, "val": 101, "test": 233}
    for split, expected in (("train", TRAIN_PIXELS), ("val", VAL_PIXELS), ("test", TEST_PIXELS)):
        counts = np.zeros(256, dtype=np.int64)
        for item in splits[split]:
            counts += np.bincount(np.asarray(item.load()[1]).ravel(), minlength=256)
        assert counts[:11].tolist() == expected
        assert counts.sum() == len(splits[split]) * 360 * 480

"""Files of a dataset that cannot be used are named, and leave no cache behind."""

from pathlib import Path

import numpy as np
import pytest
from camvid_copy import left_overs, one_image, prepare_camvid
from PIL import Image, ImageFile

from patlib.datasets import DataError


@pytest.mark.parametrize("tolerant", [False, True], ids=["", "although-pillow-was-told-to-accept-it"])
@pytest.mark.parametrize("half", [0, 1], ids=["image", "mask"])
def test_a_truncated_file_is_named_and_leaves_no_cache(
    camvid_root: Path, tmp_path: Path, half: int, tolerant: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", tolerant)
    path = one_image(camvid_root)[half]
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=rf"{path}: cannot be read as an image"):
        prepare_camvid(camvid_root)
    assert left_overs(tmp_path) == []
    assert ImageFile.LOAD_TRUNCATED_IMAGES is tolerant


def test_a_truncated_jpeg_is_refused(camvid_root: Path) -> None:
    path = one_image(camvid_root)[0]
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path.with_suffix(".jpg"))
    path.unlink()
    jpeg = path.with_suffix(".jpg")
    jpeg.write_bytes(jpeg.read_bytes()[:-60])
    with pytest.raises(DataError, match=rf"{jpeg}: cannot be read as an image"):
        prepare_camvid(camvid_root)


def test_a_file_that_is_no_image_is_named(camvid_root: Path) -> None:
    path = one_image(camvid_root)[0]
    path.write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(DataError, match=rf"{path}: cannot be read as an image"):
        prepare_camvid(camvid_root)


def test_a_mask_value_outside_the_table_is_named(camvid_root: Path, tmp_path: Path) -> None:
    mask = one_image(camvid_root)[1]
    Image.fromarray(np.full((12, 16), 17, dtype=np.uint8)).save(mask)
    with pytest.raises(DataError, match=rf"{mask}: mask holds the value 17; allowed are \[0, 1, .* 11\]"):
        prepare_camvid(camvid_root)
    assert left_overs(tmp_path) == []


@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_a_mask_of_colours_is_refused(camvid_root: Path, mode: str) -> None:
    mask = one_image(camvid_root)[1]
    Image.new("RGB", (16, 12)).convert(mode).save(mask)
    with pytest.raises(DataError, match=rf"{mask}: expected a label mask .*got mode '{mode}'"):
        prepare_camvid(camvid_root)


def test_an_image_and_mask_of_different_sizes_are_refused(camvid_root: Path) -> None:
    image, mask = one_image(camvid_root)
    Image.fromarray(np.zeros((12, 15), dtype=np.uint8)).save(mask)
    with pytest.raises(DataError, match=rf"{mask}: mask is 15x12 .*its image {image} is 16x12"):
        prepare_camvid(camvid_root)


def test_an_empty_split_is_named(camvid_root: Path) -> None:
    (camvid_root / "camvid" / "val.txt").write_text("\n")
    with pytest.raises(DataError, match="camvid: the val split is empty"):
        prepare_camvid(camvid_root)


def test_a_name_in_two_splits_is_refused(camvid_root: Path) -> None:
    """As it is where test.txt was copied from train.txt."""
    folder = camvid_root / "camvid"
    lines = "\n".join(f"train/train{i}.png trainannot/train{i}.png" for i in range(4))
    for split in ("train", "test"):
        (folder / f"{split}.txt").write_text(lines)
    with pytest.raises(DataError, match=r"camvid: 'train0' is listed twice in .*camvid: in train and in test"):
        prepare_camvid(camvid_root)


def test_a_repeated_line_of_a_list_is_refused(camvid_root: Path) -> None:
    (camvid_root / "camvid" / "val.txt").write_text("val/val0.png valannot/val0.png\n" * 2)
    with pytest.raises(DataError, match=r"'val0' is listed twice in .*: in val and in val"):
        prepare_camvid(camvid_root)


def test_two_files_of_one_name_are_refused(camvid_root: Path) -> None:
    for split in ("train", "val", "test"):
        (camvid_root / "camvid" / f"{split}.txt").unlink(missing_ok=True)
    image = camvid_root / "camvid" / "train" / "train1.png"
    image.with_suffix(".jpg").write_bytes(image.read_bytes())
    with pytest.raises(DataError, match=r"train1\.jpg and .*train1\.png have the same name 'train1'; keep one of them"):
        prepare_camvid(camvid_root)

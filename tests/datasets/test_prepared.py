"""Preparing: what the arrays hold, what is refused, and what survives crashes, changes and company."""

import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from patlib.datasets import DataError, PreparedDataset, camvid, prepare, prepared
from patlib.datasets import cache as store
from patlib.datasets.contact_sheet import contact_sheet


def prepare_camvid(root: Path | None, size: tuple[int, int] = (6, 8)) -> PreparedDataset:
    return prepare("camvid", size, root, progress=False)


def one_image(root: Path) -> tuple[Path, Path]:
    folder = root / "camvid"
    return folder / "train" / "train1.png", folder / "trainannot" / "train1.png"


def left_overs(tmp_path: Path) -> list[str]:
    cache = tmp_path / "cache"
    return sorted(path.name for path in cache.iterdir()) if cache.exists() else []


def test_arrays_have_the_asked_size_and_cannot_be_written(camvid_root: Path) -> None:
    dataset = prepare_camvid(camvid_root)
    train = dataset.splits["train"]
    assert dataset.size == (6, 8) and list(dataset.splits) == ["train", "val", "test"]
    assert train.images.shape == (4, 6, 8, 3) and train.masks.shape == (4, 6, 8) and len(train) == 4
    assert train.images.dtype == train.masks.dtype == np.uint8
    assert train.names == ("train0", "train1", "train2", "train3")
    with pytest.raises(ValueError, match="read-only"):
        train.masks[0, 0, 0] = 1


def test_class_pixels_count_the_prepared_masks_without_void(camvid_root: Path) -> None:
    dataset = prepare_camvid(camvid_root)
    for name, split in dataset.splits.items():
        counts = np.bincount(split.masks.ravel(), minlength=256)
        assert dataset.class_pixels_of(name).tolist() == counts[:11].tolist()
        assert dataset.manifest["splits"][name]["void_pixels"] == counts[255] > 0
    assert dataset.class_pixels.dtype == np.int64
    assert np.array_equal(dataset.class_pixels, dataset.class_pixels_of("train"))


def test_masks_are_resized_without_inventing_classes_and_images_are_averaged(camvid_root: Path) -> None:
    image, mask = one_image(camvid_root)
    stripes = np.tile([0, 10], (12, 8)).astype(np.uint8)
    Image.fromarray(stripes).save(mask)
    Image.fromarray(np.stack([25 * stripes] * 3, axis=-1).astype(np.uint8)).save(image)
    train = prepare_camvid(camvid_root).splits["train"]
    assert set(np.unique(train.masks[1])) <= {0, 10}
    # Away from the rim a pixel twice as wide sees as much black as white.
    assert np.all(abs(train.images[1, :, 1:-1].astype(int) - 125) < 30)


def test_at_the_native_size_nothing_is_changed(camvid_root: Path) -> None:
    split = prepare_camvid(camvid_root, (12, 16)).splits["train"]
    image, mask = camvid.source(camvid_root / "camvid").splits["train"][0].load()
    assert np.array_equal(split.images[0], np.asarray(image)) and np.array_equal(split.masks[0], np.asarray(mask))


def test_a_second_call_reads_the_cache(camvid_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare_camvid(camvid_root)
    monkeypatch.setattr(prepared, "write_arrays", lambda *_: pytest.fail("prepared again"))
    assert np.array_equal(prepare_camvid(camvid_root).splits["val"].images, first.splits["val"].images)


def test_each_size_protocol_and_seed_has_its_own_folder(camvid_root: Path, pet_root: Path) -> None:
    assert prepare_camvid(camvid_root).folder.name == "camvid-6x8-official"
    assert prepare_camvid(camvid_root, (3, 4)).folder.name == "camvid-3x4-official"
    for protocol, seed in (("paper", 0), ("paper", 1), ("official", 0)):
        dataset = prepare("oxford_pet", (4, 4), pet_root, protocol=protocol, seed=seed, progress=False)
        assert dataset.folder.name == f"oxford_pet-4x4-{protocol}-seed{seed}"


def test_void_as_a_class_is_the_last_one_and_shares_the_arrays_on_disk(camvid_root: Path, tmp_path: Path) -> None:
    ignored = prepare_camvid(camvid_root)
    dataset = prepare("camvid", (6, 8), camvid_root, progress=False, void_class=True)
    assert dataset.spec.classes == (*ignored.spec.classes, "void") and len(dataset.spec.palette) == 12
    assert left_overs(tmp_path) == ["camvid-6x8-official"]
    for name, split in dataset.splits.items():
        assert split.masks.dtype == np.uint8 and split.names == ignored.splits[name].names
        assert np.array_equal(split.masks == 11, ignored.splits[name].masks == 255)
        assert np.array_equal(split.masks[split.masks != 11], ignored.splits[name].masks[split.masks != 11])
        assert dataset.class_pixels_of(name).tolist() == np.bincount(split.masks.ravel(), minlength=12).tolist()
        assert dataset.manifest["splits"][name]["void_pixels"] == 0 < ignored.manifest["splits"][name]["void_pixels"]
    with pytest.raises(ValueError, match="read-only"):
        dataset.splits["train"].masks[0, 0, 0] = 1


def test_a_contact_sheet_names_void_once(camvid_root: Path) -> None:
    for void_class in (False, True):
        dataset = prepare("camvid", (6, 8), camvid_root, progress=False, void_class=void_class)
        (legend,) = contact_sheet(dataset, "val", 1).legends
        assert [text.get_text() for text in legend.get_texts()] == [*camvid.SPEC.classes, "void"]


def test_root_comes_from_the_environment_or_may_be_the_dataset_itself(
    camvid_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(prepare_camvid(camvid_root / "camvid").splits["test"]) == 3
    monkeypatch.setenv("PATLIB_DATA", str(camvid_root))
    assert len(prepare_camvid(None, (3, 4)).splits["test"]) == 3


def test_changed_source_files_are_noticed_and_prepared_again(camvid_root: Path, tmp_path: Path) -> None:
    before = prepare_camvid(camvid_root)
    Image.fromarray(np.zeros((12, 16), dtype=np.uint8)).save(one_image(camvid_root)[1])
    after = prepare_camvid(camvid_root)
    assert not after.splits["train"].masks[1].any() and before.splits["train"].masks[1].any()
    assert left_overs(tmp_path) == ["camvid-6x8-official"]


def test_what_an_earlier_format_wrote_is_prepared_again(camvid_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_camvid(camvid_root)
    monkeypatch.setattr(store, "FORMAT", store.FORMAT + 1)
    assert prepare_camvid(camvid_root).manifest["format"] == store.FORMAT


def test_the_cache_is_used_where_the_source_is_gone_unless_a_root_is_named(camvid_root: Path) -> None:
    prepare_camvid(camvid_root)
    (camvid_root / "camvid").rename(camvid_root / "elsewhere")
    assert len(prepare_camvid(None).splits["train"]) == 4
    with pytest.raises(DataError, match=r"nothing at .*camvid[\s\S]*git clone"):
        prepare_camvid(camvid_root)


def test_no_data_says_where_it_looked_and_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"nothing at data/camvid[\s\S]*git clone[\s\S]*PATLIB_DATA"):
        prepare_camvid(None)


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


@pytest.mark.parametrize("size", [(0, 8), (6, -1)])
def test_an_impossible_size_is_refused(camvid_root: Path, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"size is \(height, width\)"):
        prepare_camvid(camvid_root, size)


def test_a_protocol_the_dataset_lacks_is_refused(camvid_root: Path) -> None:
    with pytest.raises(ValueError, match="camvid has no protocol 'paper'; it has official"):
        prepare("camvid", root=camvid_root, protocol="paper")


def test_a_flipped_byte_in_an_array_is_noticed(camvid_root: Path) -> None:
    path = prepare_camvid(camvid_root).folder / "val_masks.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        DataError, match=rf"{path}: its content has changed.*Delete the folder {path.parent} and prepare"
    ):
        prepare_camvid(camvid_root)


@pytest.mark.parametrize("name", ["train_images.npy", "test_masks.npy"])
def test_a_shortened_or_missing_array_is_noticed(camvid_root: Path, name: str) -> None:
    path = prepare_camvid(camvid_root).folder / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(DataError, match=rf"{path}: expected {len(whole)} bytes, found {len(whole) - 1}"):
        prepare_camvid(camvid_root)
    path.unlink()
    with pytest.raises(DataError, match=rf"{path}: expected {len(whole)} bytes, found None"):
        prepare_camvid(camvid_root)


@pytest.mark.parametrize("content", ["", "{}", '{"format": '], ids=["empty", "no-format", "cut"])
def test_a_broken_manifest_is_named(camvid_root: Path, content: str) -> None:
    path = prepare_camvid(camvid_root).folder / "manifest.json"
    path.write_text(content)
    with pytest.raises(DataError, match=rf"{path}: cannot be read .*Delete the folder"):
        prepare_camvid(camvid_root)


def test_the_manifest_is_readable_and_complete(camvid_root: Path) -> None:
    folder = prepare_camvid(camvid_root).folder
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest) == {"format", "dataset", "size", "source", "splits", "arrays"}
    assert set(manifest["arrays"]) == {path.name for path in folder.glob("*.npy")}
    assert manifest["splits"]["val"]["names"] == ["val0", "val1"]


def test_a_crash_half_way_leaves_nothing(camvid_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "_publish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare_camvid(camvid_root)
    assert left_overs(tmp_path) == []


def test_two_at_once_agree_on_one_folder(camvid_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have written all arrays before either renames its folder into place."""
    meeting = threading.Barrier(2)
    publish = store._publish

    def publish_together(work: Path, folder: Path, source: str) -> None:
        meeting.wait(timeout=20)
        publish(work, folder, source)

    monkeypatch.setattr(store, "_publish", publish_together)
    results: list[PreparedDataset] = []
    threads = [threading.Thread(target=lambda: results.append(prepare_camvid(camvid_root))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2 and left_overs(tmp_path) == ["camvid-6x8-official"]
    assert np.array_equal(results[0].splits["train"].masks, results[1].splits["train"].masks)


def test_a_cache_that_cannot_be_written_is_an_error_not_a_loop(
    camvid_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, target: Path) -> None:
        if Path(target).name == "camvid-6x8-official":
            raise PermissionError("not allowed")
        raise FileNotFoundError(source)

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(PermissionError):
        prepare_camvid(camvid_root)

"""Preparing: what the arrays hold, when they are made anew, and what may be asked for."""

import os
from pathlib import Path

import numpy as np
import pytest
from camvid_copy import left_overs, one_image, prepare_camvid
from PIL import Image

from patlib.datasets import DataError, camvid, manifest, prepare, prepared
from patlib.datasets import cache as store
from patlib.datasets.contact_sheet import contact_sheet
from patlib.datasets.sources import fingerprint


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


def test_a_source_file_of_the_same_size_and_another_time_is_noticed(camvid_root: Path) -> None:
    path = one_image(camvid_root)[1]
    before, facts = fingerprint(camvid.source(camvid_root / "camvid")), path.stat()
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    assert fingerprint(camvid.source(camvid_root / "camvid")) != before
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert fingerprint(camvid.source(camvid_root / "camvid")) == before


def test_what_an_earlier_format_wrote_is_prepared_again(camvid_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_camvid(camvid_root)
    for module, later in [(module, manifest.FORMAT + 1) for module in (store, manifest)]:
        monkeypatch.setattr(module, "FORMAT", later)
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


@pytest.mark.parametrize("size", [(0, 8), (6, -1)])
def test_an_impossible_size_is_refused(camvid_root: Path, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"size is \(height, width\)"):
        prepare_camvid(camvid_root, size)


def test_a_protocol_the_dataset_lacks_is_refused(camvid_root: Path) -> None:
    with pytest.raises(ValueError, match="camvid has no protocol 'paper'; it has official"):
        prepare("camvid", root=camvid_root, protocol="paper")

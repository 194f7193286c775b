"""A reader's own images: paired by name, split as told, described in Python or in a file, and nothing dropped."""

import re
from pathlib import Path

import numpy as np
import pytest
from own_field import CLASSES, TOML, names, own, save
from PIL import Image

from patlib.datasets import DataError, get_spec, prepare
from patlib.datasets.contact_sheet import contact_sheet, images_to_show
from patlib.datasets.own_file import read_folder


def test_pairs_are_found_at_any_depth_and_drawn_by_seed(field: Path) -> None:
    dataset = own(field)
    assert {split: len(rows) for split, rows in dataset.splits.items()} == {"train": 16, "val": 2, "test": 2}
    assert sorted(name for rows in names(dataset).values() for name in rows) == [
        f"drive{number // 10}/{number:02d}" for number in range(20)
    ]
    assert names(own(field, seed=1)) != names(dataset) == names(own(field))
    assert names(own(field, fractions=(0.5, 0.25, 0.25)))["train"] != names(dataset)["train"]
    assert dataset.spec.name == "field" and dataset.class_pixels.tolist() == [16 * 12] * 3
    assert dataset.manifest["splits"]["train"]["void_pixels"] == 16 * 12


def test_the_same_in_a_file_is_the_same_dataset(field: Path) -> None:
    (field / "patlib.toml").write_text(TOML)
    assert prepare(str(field), progress=False).digest == own(field).digest
    assert get_spec(str(field)).classes == CLASSES
    assert names(prepare(str(field), progress=False, seed=1)) == names(own(field, seed=1))


def test_first_folders_can_be_the_splits(tmp_path: Path) -> None:
    for name in ("train/a", "train/b", "val/a", "test/a", "night/a"):
        save(tmp_path, name)
    dataset = own(tmp_path, splits="folders")
    assert names(dataset) == {
        "train": ["train/a", "train/b"],
        "val": ["val/a"],
        "test": ["test/a"],
        "night": ["night/a"],
    }


def test_names_can_be_listed_here_or_in_a_file(field: Path) -> None:
    (field / "val.txt").write_text("drive0/03\n\n")
    rest = [f"drive{number // 10}/{number:02d}" for number in range(20) if number not in (2, 3)]
    (field / "patlib.toml").write_text(
        f'{TOML}[splits]\ntrain = {rest}\nval = "val.txt"\ntest = ["drive0/02"]\n'.replace("'", '"')
    )
    assert names(prepare(str(field), progress=False)) == {"train": rest, "val": ["drive0/03"], "test": ["drive0/02"]}
    listed = {"train": rest[1:], "val": field / "val.txt", "test": ["drive0/02"]}
    with pytest.warns(UserWarning, match="1 images are in no split, 'drive0/00' the first"):
        assert names(own(field, splits=listed))["train"] == rest[1:]


def test_frames_of_a_drive_stay_together(tmp_path: Path) -> None:
    for number in range(100):
        save(tmp_path, f"{number // 5:02d}-{number}")
    for group in (r"(\d+)-", lambda name: name[:2]):
        dataset = own(tmp_path, group=group)
        drives = {split: {name[:2] for name in rows} for split, rows in names(dataset).items()}
        assert {split: len(rows) for split, rows in drives.items()} == {"train": 16, "val": 2, "test": 2}
        assert not drives["train"] & drives["val"] and not (drives["train"] | drives["val"]) & drives["test"]
    with pytest.raises(DataError, match=r"'\^drive' is not found in the name '00-0'"):
        own(tmp_path, group="^drive")


def test_a_class_of_three_images_is_drawn_into_every_split_and_masks_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        held = [0, 1, 2, 255] if number in (4, 17, 18) else [0, 1, 255]
        save(tmp_path, f"{number:02d}", np.resize(held, (6, 8)).astype(np.uint8))
    for seed in range(3):
        dataset = own(tmp_path, seed=seed)
        assert [int(dataset.class_pixels_of(split)[2]) for split in dataset.splits] == [12, 12, 12]
        assert [len(rows) for rows in dataset.splits.values()] == [24, 3, 3]
    monkeypatch.setattr("patlib.datasets.own.classes_held", None)  # what is prepared is opened without a look at masks
    assert own(tmp_path).digest == own(tmp_path, seed=0).digest


def test_values_on_disk_become_the_classes_of_the_map(tmp_path: Path) -> None:
    values = np.resize([10, 20, 30, 7], (6, 8)).astype(np.uint8)
    for split in ("train", "val", "test"):
        save(tmp_path, f"{split}/a", values)
    label_map = {10: 2, 20: 1, 30: 0}
    mask = own(tmp_path, splits="folders", ignore=7, label_map=label_map).splits["train"].masks[0]
    assert mask[0, :4].tolist() == [2, 1, 0, 255]
    (tmp_path / "patlib.toml").write_text(f'{TOML}splits = "folders"\nignore = 7\nlabel_map = {{10=2, 20=1, 30=0}}')
    assert prepare(str(tmp_path), progress=False).splits["train"].masks[0, 0, :4].tolist() == [2, 1, 0, 255]
    with pytest.raises(
        DataError,
        match=r"masks/train/a\.png: mask holds the value 7; allowed are \[10, 20, 30\].*label_map, such as {7: 1}",
    ):
        own(tmp_path, splits="folders", ignore=None, label_map=label_map)


@pytest.mark.parametrize("kind", ["palette", "16 bits", "array", "tiff", "one bit"])
def test_masks_of_other_kinds_are_their_values(tmp_path: Path, kind: str) -> None:
    values = np.resize([0, 1], (6, 8)).astype(np.uint8)
    for split in ("train", "val", "test"):
        save(tmp_path, f"{split}/a", values)
        path = tmp_path / "masks" / split / "a.png"
        if kind == "palette":
            mask = Image.fromarray(values).convert("P")
            mask.putpalette([9, 9, 9, 200, 0, 0])
            mask.save(path)
        elif kind == "16 bits":
            Image.fromarray(values.astype(np.uint16)).save(path)
        elif kind == "one bit":
            Image.fromarray(values.astype(bool)).save(path)
        else:
            path.unlink()
            if kind == "array":
                np.save(path.with_suffix(".npy"), values.astype(np.int64))
            else:
                Image.fromarray(values).save(path.with_suffix(".TIF"), format="TIFF")
    dataset = own(tmp_path, splits="folders", classes=("soil", "crop"))
    assert dataset.splits["test"].masks.tolist() == [values.tolist()]


def test_endings_are_taken_off_where_they_are_told(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        save(tmp_path, f"{split}/a")
        (tmp_path / "masks" / split / "a.png").rename(tmp_path / "masks" / split / "a_mask.png")
    assert own(tmp_path, splits="folders", mask_suffix="_mask").splits["train"].names == ("train/a",)
    with pytest.raises(DataError, match=r"images/test/a\.png has no mask: expected .*masks/test/a with one of .*\.png"):
        own(tmp_path, splits="folders")


def test_a_class_that_a_split_lacks_is_allowed_and_named(field: Path) -> None:
    with pytest.warns(
        UserWarning, match="field: no pixel of train is 'rock'; no pixel of val is 'rock'; no pixel of test"
    ):
        assert own(field, classes=(*CLASSES, "rock")).class_pixels[3] == 0


def test_numbers_of_12_bits_in_files_of_16_are_noticed(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path, f"{number}")
        values = np.full((6, 8), 200 * (number + 1), dtype=np.uint16)
        (tmp_path / "images" / f"{number}.png").unlink()
        np.save(tmp_path / "images" / f"{number}.npy", values)
    with pytest.warns(UserWarning, match=r"no image of train has a value above \d of 255\. Numbers of 12 bits.*by 16"):
        own(tmp_path)
    np.save(tmp_path / "images" / "0.npy", np.full((6, 8), 65535, dtype=np.uint16))
    own(tmp_path, splits={"train": ["3", "0"], "val": ["1"], "test": ["2"]})


def test_changed_settings_or_files_are_prepared_again(field: Path) -> None:
    def last(name: str) -> str:
        return name[-1]

    def parity(name: str) -> str:
        return str(int(name[-1]) % 2)

    thirds = (0.4, 0.3, 0.3)
    assert own(field, fractions=thirds, group=last).digest == own(field, fractions=thirds, group=last).digest
    with pytest.raises(
        DataError, match=r"split is empty.* at least three images, or three groups .*there are 20 images"
    ):
        own(field, fractions=(0.5, 0.25, 0.25), group=parity)
    before = own(field)
    save(field, "drive0/00", np.zeros((6, 8), dtype=np.uint8))
    assert own(field).digest != before.digest


def test_two_folders_of_one_name_are_two_datasets(tmp_path: Path) -> None:
    for place, value in (("a", 0), ("b", 1)):
        for split in ("train", "val", "test"):
            save(tmp_path / place / "field", f"{split}/a", np.full((6, 8), value, dtype=np.uint8))
    with pytest.warns(UserWarning, match="no pixel of train"):
        found = [own(tmp_path / place / "field", splits="folders") for place in "ab"]
    assert [dataset.class_pixels.argmax() for dataset in found] == [0, 1]
    assert {dataset.spec.name for dataset in found} == {"field"} and found[0].folder != found[1].folder


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("images/notes.txt", r"notes\.txt: expected only files with \.png, \.jpg"),
        ("masks/drive0/00.jpg", r"00\.jpg: expected only files with \.png, \.tif"),
        ("images/drive0/00.tif", r"00\.tif and .*00\.png have the same name 'drive0/00'"),
        ("images/extra.PNG", r"extra\.PNG has no mask: expected .*masks/extra"),
        ("masks/extra.PNG", r"extra\.PNG has no image: expected .*images/extra"),
    ],
)
def test_a_file_that_fits_nowhere_is_named(field: Path, path: str, message: str) -> None:
    (field / path).write_bytes(b"")
    with pytest.raises(DataError, match=message):
        own(field)


def test_hidden_files_are_not_looked_at_and_linked_folders_are_refused(field: Path) -> None:
    (field / "images" / ".DS_Store").write_bytes(b"")
    assert len(own(field).splits["train"]) == 16
    (field / "images" / "more").symlink_to(field / "masks")
    with pytest.raises(DataError, match="images/more is a link to a folder, which is not followed"):
        own(field)


def test_a_name_becomes_fit_for_a_folder(field: Path) -> None:
    (field / "patlib.toml").write_text(TOML)
    field.rename(field.with_name("my field!"))
    spec = read_folder(field.with_name("my field!")).spec
    assert spec.name == "my-field" and spec.title == "my field!"


def test_classes_get_colours_and_a_contact_sheet(field: Path) -> None:
    dataset = own(field)
    assert len(set(dataset.spec.palette)) == 3
    (legend,) = contact_sheet(dataset, "val", 1).legends
    assert [re.sub(r"\W", "", text.get_text()) for text in legend.get_texts()] == [*CLASSES, "void"]


def test_a_contact_sheet_shows_a_class_that_three_of_two_hundred_images_have() -> None:
    masks = np.zeros((200, 6, 8), dtype=np.uint8)
    masks[::2, 0] = 1
    masks[:, 5] = 255
    for index, pixels in ((7, 1), (90, 4), (151, 2)):
        masks[index, 1, :pixels] = 2
    shown = images_to_show(masks, 4, 12)
    assert 90 in shown and not {7, 151} & set(shown) and 1 in masks[shown]
    assert len(set(shown)) == 12 and shown == sorted(shown) and shown[0] == 0 and shown[-1] == 199
    assert images_to_show(masks, 4, 1) == [90] and images_to_show(masks[:3], 4, 3) == [0, 1, 2]


def test_a_dataset_is_printed_without_its_arrays(field: Path) -> None:
    dataset = own(field)
    assert repr(dataset) == (
        "PreparedDataset('field', 6x8, 3 classes, train: 16 images, val: 2 images, test: 2 images)"
    )
    assert repr(dataset.splits["val"]) == "Split(images=(2, 6, 8, 3) uint8, masks=(2, 6, 8) uint8)"

"""Any map-style dataset as a prepared one: what items may be, how they are split, and what is refused by name."""

import importlib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from patlib.datasets import DataError, PreparedDataset, from_folder, from_pairs

CLASSES = ("soil", "crop", "weed")
MASK = np.resize([0, 1, 2, 255], (6, 8)).astype(np.uint8)
IMAGE = np.stack([MASK // 2, MASK, MASK], axis=-1)


def prepared(pairs: object, **told: object) -> PreparedDataset:
    settings: dict[str, object] = {"classes": CLASSES, "size": (6, 8), "name": "field", "progress": False, **told}
    return from_pairs(pairs, **settings)  # type: ignore[arg-type]


def three(item: object) -> dict[str, list[object]]:
    return {"train": [item, item], "val": [item], "test": [item]}


class Numbered:
    """A map-style dataset that is no list, as torchvision's are."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Image.Image, Image.Image]:
        if not 0 <= index < self.count:
            raise IndexError(index)
        return Image.fromarray(np.full((6, 8, 3), 100 + index, dtype=np.uint8)), Image.fromarray(MASK)


FORMS: dict[str, tuple[object, object]] = {
    "pillow": (Image.fromarray(IMAGE), Image.fromarray(MASK)),
    "arrays": (IMAGE, MASK.astype(np.int64)),
    "byte tensors": (torch.from_numpy(IMAGE).movedim(-1, 0), torch.from_numpy(MASK)[None]),
    "float tensors": (torch.from_numpy(IMAGE).movedim(-1, 0) / 255, torch.from_numpy(MASK).float()),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_item_is_two_images_arrays_or_tensors_and_means_the_same(form: str) -> None:
    dataset = prepared(three(FORMS[form]))
    split = dataset.splits["train"]
    assert np.array_equal(split.images[0], IMAGE) and np.array_equal(split.masks[1], MASK)
    assert split.names == ("train/0", "train/1")
    assert dataset.class_pixels.tolist() == [24, 24, 24] and dataset.manifest["splits"]["train"]["void_pixels"] == 24


def test_an_item_may_be_a_mapping_whose_keys_are_told() -> None:
    item = {"photo": IMAGE, "label": MASK, "id": 7}
    dataset = prepared(three(item), image_key="photo", mask_key="label")
    assert dataset.digest == prepared(three((IMAGE, MASK))).digest


def test_grey_images_get_three_channels() -> None:
    for grey in (MASK, torch.from_numpy(MASK), torch.from_numpy(MASK)[None], Image.fromarray(MASK)):
        assert np.array_equal(prepared(three((grey, MASK))).splits["val"].images[0], np.stack([MASK] * 3, -1))


def test_one_dataset_is_split_by_seed() -> None:
    def held(seed: int, **told: object) -> dict[str, list[int]]:
        return {
            name: (rows.images[:, 0, 0, 0] - 100).tolist()
            for name, rows in prepared(Numbered(20), seed=seed, **told).splits.items()
        }

    first = held(0)
    assert {name: len(rows) for name, rows in first.items()} == {"train": 16, "val": 2, "test": 2}
    assert sorted(number for numbers in first.values() for number in numbers) == list(range(20))
    assert held(0) == first != held(1)
    assert len(held(0, fractions=(0.5, 0.25, 0.25))["val"]) == 5


def test_it_is_resized_and_labelled_as_files_are(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        for kind, values in (("images", IMAGE), ("masks", MASK)):
            (tmp_path / kind / split).mkdir(parents=True)
            Image.fromarray(values).save(tmp_path / kind / split / "0.png")
    told = {"classes": ("soil", "plant"), "size": (4, 5), "label_map": {0: 0, 1: 1, 2: 1}, "progress": False}
    files = from_folder(tmp_path / "images", tmp_path / "masks", splits="folders", **told)  # type: ignore[arg-type]
    assert prepared({split: [(IMAGE, MASK)] for split in ("train", "val", "test")}, **told).digest == files.digest


def test_it_lives_in_memory_and_can_have_more_splits_or_a_void_class() -> None:
    dataset = prepared({**three((IMAGE, MASK)), "night": [(IMAGE, MASK)]}, void_class=True)
    assert list(dataset.splits) == ["train", "val", "test", "night"] and not dataset.folder.exists()
    assert dataset.splits["night"].masks.max() == 3 and dataset.spec.classes[-1] == "void"
    with pytest.raises(ValueError, match="read-only"):
        dataset.splits["train"].images[:] = 0


def test_an_item_of_one_dataset_is_named_by_its_number() -> None:
    pairs: list[object] = [(IMAGE, MASK)] * 10
    pairs[7] = (IMAGE, IMAGE)
    with pytest.raises(DataError, match=r"^pairs\[7\], mask: expected a mask"):
        prepared(pairs)


def test_a_class_that_train_lacks_is_a_warning_where_it_was_called() -> None:
    with pytest.warns(UserWarning, match="no pixel of train is 'tree'") as told:
        from_pairs(three((IMAGE, MASK)), classes=[*CLASSES, "tree"], size=(6, 8), name="field", progress=False)
    assert told[0].filename == __file__


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ((IMAGE, np.full((6, 8), 7)), r"train\[0\], mask: mask holds the value 7; allowed are \[0, 1, 2, 255\]"),
        ((IMAGE, MASK[:5]), r"train\[0\], mask: mask is 8x5 \(width x height\) but its image train\[0\] is 8x6"),
        ((IMAGE, IMAGE), r"train\[0\], mask: expected a mask of shape \(H, W\), got uint8 of shape \(6, 8, 3\)"),
        ((IMAGE, Image.fromarray(IMAGE)), r"train\[0\], mask: expected a label mask .* got mode 'RGB'"),
        ((IMAGE, torch.from_numpy(MASK) / 255), r"train\[0\], mask: .* whole numbers; torchvision's ToTensor divides"),
        ((np.moveaxis(IMAGE, -1, 0), MASK), r"train\[0\], image: expected an image of shape .* got \(3, 6, 8\)"),
        ((torch.zeros(3, 6, 8) - 2.1, MASK), r"train\[0\], image: float32 values from -2.1 to -2.1, .* normalised"),
        (("a.png", MASK), r"train\[0\], image: expected a Pillow image, a NumPy array or a tensor, got a str"),
        ((IMAGE, MASK, 3), r"train\[0\]: expected an \(image, mask\) pair or a mapping with both, got a tuple of 3"),
        (IMAGE, r"train\[0\]: expected an \(image, mask\) pair or a mapping with both, got a ndarray"),
        ({"image": IMAGE, "label": MASK}, r"train\[0\]: has no 'mask', but 'image', 'label'; say which with mask_key"),
    ],
)  # fmt: skip
def test_what_is_no_such_pair_is_refused_by_its_number(item: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        prepared(three(item))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda told: told.update(pairs={"train": [1], "validation": [1], "test": [1]}), "the val split .* Rename"),
        (lambda told: told.update(pairs=[(IMAGE, MASK)] * 2), "the test split of 'field' is empty or missing"),
        (lambda told: told.update(pairs={**three(1), "a/b": [1]}), "a split is named with letters"),
        (lambda told: told.update(pairs=iter([(IMAGE, MASK)])), "map-style dataset.* got a list_iterator.*list"),
        (lambda told: told.update(pairs=DataLoader([1])), r"got a DataLoader: give its \.dataset"),
        (lambda told: told.update(classes=["soil"]), "classes are 2 to 254 different names"),
        (lambda told: told.update(size=(0, 8)), r"size is \(height, width\)"),
        (lambda told: told.update(label_map={0: 3}), "label_map takes whole numbers"),
        (lambda told: told.update(name="camvid"), "'camvid' is the name of a built-in dataset"),
    ],
)
def test_arguments_are_checked_before_an_item_is_read(change: Callable[[dict], None], message: str) -> None:
    told: dict = {"pairs": three((IMAGE, MASK))}
    change(told)
    with pytest.raises(ValueError, match=message):
        prepared(told.pop("pairs"), **told)


def test_hugging_face_datasets_are_taken_as_they_are() -> None:
    try:  # asked of the installer: the folder of these tests can be imported under that name, too
        metadata.version("datasets")
    except metadata.PackageNotFoundError:
        pytest.skip("the Hugging Face package `datasets` is not installed")
    hugging_face = importlib.import_module("datasets")
    rows = {"image": [Image.fromarray(IMAGE)] * 10, "annotation": [Image.fromarray(MASK)] * 10}
    dataset = prepared(hugging_face.Dataset.from_dict(rows), mask_key="annotation")
    assert np.array_equal(dataset.splits["test"].masks[0], MASK)

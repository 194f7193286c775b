"""NYUv2: two forms that mean the same, 894 names to 13 classes, and what is refused."""

import contextlib
import sys
from pathlib import Path

import fake_nyuv2
import h5py
import numpy as np
import pytest
import scipy.io

from patlib.datasets import DataError, nyuv2, prepare
from patlib.datasets.matlab import read_numbers
from patlib.install import MissingExtraError

# Pixels of each class over the 654 published test images: in 40 classes, and in 13.
PIXELS_40 = [
    42_568_511, 17_954_638, 11_594_442, 8_195_207, 6_562_176, 6_173_558, 4_592_669, 4_739_138, 4_058_214, 3_925_304,
    4_413_856, 3_139_708, 3_625_415, 2_520_072, 1_512_672, 2_496_846, 1_855_565, 1_738_434, 1_838_129, 1_712_549,
    1_074_024, 2_581_311, 1_321_342, 1_313_320, 849_562, 840_474, 816_375, 691_045, 501_505, 773_716,
    573_711, 620_916, 489_993, 598_936, 574_999, 602_560, 514_180, 3_222_176, 3_932_214, 9_428_809,
]  # fmt: skip
PIXELS_13 = [
    8_195_207, 1_321_342, 2_581_311, 6_562_176, 19_667_187, 27_894_141, 24_279_066, 4_413_856, 6_173_558, 7_112_741,
    849_562, 47_307_649, 10_180_475,
]  # fmt: skip

# The eight names of the fake mapping in 13 classes: bed, books, objects, wall, TV, floor, ceiling, floor.
NAMES_TO_13 = np.array([255, 0, 1, 6, 11, 10, 4, 2, 4])


def split_names(root: Path, protocol: str, seed: int = 0) -> dict[str, list[str]]:
    splits = nyuv2.source(root / "nyuv2", protocol, seed).splits
    return {split: [item.name for item in items] for split, items in splits.items()}


def test_40_classes_become_13_so_that_the_published_pixel_counts_agree() -> None:
    assert np.bincount(np.array(nyuv2.TO_13) - 1, weights=PIXELS_40).astype(int).tolist() == PIXELS_13


def test_official_protocol_of_the_published_file_follows_its_splits(nyuv2_mat_root: Path) -> None:
    splits = split_names(nyuv2_mat_root, "official")
    assert splits["test"] == [f"{number:04d}" for number in range(2, 31, 2)]
    assert {split: len(names) for split, names in splits.items()} == {"train": 14, "val": 1, "test": 15}


def test_official_protocol_of_the_arrays_tests_on_their_val(nyuv2_tree_root: Path) -> None:
    splits = split_names(nyuv2_tree_root, "official")
    assert splits["test"] == [f"val_{i:04d}" for i in range(10)]
    assert {split: len(names) for split, names in splits.items()} == {"train": 18, "val": 2, "test": 10}


@pytest.mark.parametrize("form", ["nyuv2_mat_root", "nyuv2_tree_root"])
def test_paper_protocol_pools_everything_and_splits_8_1_1(form: str, request: pytest.FixtureRequest) -> None:
    root = request.getfixturevalue(form)
    splits = split_names(root, "paper")
    assert {split: len(names) for split, names in splits.items()} == {"train": 24, "val": 3, "test": 3}
    assert len({name for names in splits.values() for name in names}) == 30
    assert split_names(root, "paper", seed=1) != splits


def test_the_published_file_is_read_upright_and_mapped_by_name(nyuv2_mat_root: Path) -> None:
    item = nyuv2.source(nyuv2_mat_root / "nyuv2", "official", 0).splits["test"][0]
    image, mask = (np.asarray(part) for part in item.load())
    expected, names = fake_nyuv2.image_and_names(2)
    assert np.array_equal(image, expected) and np.array_equal(mask, NAMES_TO_13[names])
    assert nyuv2.SPEC.classes[mask[names == 1][0]] == "Bed" and nyuv2.SPEC.classes[mask[names == 4][0]] == "Wall"


@pytest.mark.parametrize(("split", "published"), [("train", "train"), ("test", "val")], ids=["floats", "bytes"])
def test_arrays_are_read_with_minus_one_as_void(nyuv2_tree_root: Path, split: str, published: str) -> None:
    item = nyuv2.source(nyuv2_tree_root / "nyuv2", "official", 0).splits[split][3]
    number = int(item.name.removeprefix(f"{published}_"))
    image, mask = (np.asarray(part) for part in item.load())
    expected, names = fake_nyuv2.image_and_names(number)
    assert np.array_equal(image, expected)
    assert np.array_equal(mask, np.where(names == 0, 255, names - 1))


def test_the_published_file_goes_before_the_arrays(nyuv2_mat_root: Path, nyuv2_tree_root: Path) -> None:
    assert split_names(nyuv2_mat_root, "official")["test"][0] == "0002"


@pytest.mark.parametrize("form", ["nyuv2_mat_root", "nyuv2_tree_root"])
def test_either_form_is_prepared_with_13_or_14_classes(form: str, request: pytest.FixtureRequest) -> None:
    root = request.getfixturevalue(form)
    dataset = prepare("nyuv2", (3, 4), root, progress=False)
    assert dataset.splits["train"].images.shape == (24, 3, 4, 3) and len(dataset.class_pixels) == 13
    assert len(prepare("nyuv2", (3, 4), root, progress=False, void_class=True).class_pixels) == 14


def test_without_either_form_says_how_to_get_both(tmp_path: Path) -> None:
    (tmp_path / "nyuv2").mkdir()
    with pytest.raises(DataError, match=r"neither .*labeled\.mat nor .*train/image is there[\s\S]*curl[\s\S]*mtan"):
        nyuv2.source(tmp_path / "nyuv2", "paper", 0)


@pytest.mark.parametrize("gone", ["classMapping40.mat", "splits.mat"])
def test_a_missing_companion_of_the_published_file_is_named(nyuv2_mat_root: Path, gone: str) -> None:
    (nyuv2_mat_root / "nyuv2" / gone).unlink()
    with pytest.raises(DataError, match=rf"{gone} is missing[\s\S]*curl"):
        nyuv2.source(nyuv2_mat_root / "nyuv2", "paper", 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"other": np.ones((1, 8))},
            r"classMapping40\.mat: cannot be read as a MATLAB file with the variable mapClass",
        ),
        ({"mapClass": fake_nyuv2.NAMES_TO_40 + 20}, r"classMapping40\.mat: mapClass holds values outside 1\.\.40"),
    ],
)
def test_a_wrong_mapping_is_refused(nyuv2_mat_root: Path, content: dict[str, np.ndarray], message: str) -> None:
    scipy.io.savemat(nyuv2_mat_root / "nyuv2" / "classMapping40.mat", content)
    with pytest.raises(DataError, match=message):
        nyuv2.source(nyuv2_mat_root / "nyuv2", "paper", 0)


@pytest.mark.parametrize("packed", [False, True])
def test_numbers_are_read_from_packed_and_plain_files_and_flipped_bytes_do_no_harm(
    tmp_path: Path, packed: bool
) -> None:
    path = tmp_path / "a.mat"
    names = np.array(["wall", "floor"], dtype=object)
    content = {"className": names, "mapClass": np.arange(1, 41)[None], "x": np.ones(3), "few": np.array([[7, 8]])}
    scipy.io.savemat(path, content, do_compression=packed)
    assert read_numbers(path, "mapClass").tolist() == list(range(1, 41)) and read_numbers(path, "few").tolist() == [
        7,
        8,
    ]
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in range(0, len(whole), 2):
        flipped = bytearray(whole)
        flipped[place] ^= int(rng.integers(1, 256))
        path.write_bytes(flipped)
        with contextlib.suppress(DataError):
            read_numbers(path, "mapClass")


@pytest.mark.parametrize("numbers", [[0.5], [np.nan], [2.0**40]])
def test_numbers_that_count_nothing_are_refused(tmp_path: Path, numbers: list[float]) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"mapClass": np.array([numbers])})
    with pytest.raises(DataError, match=r"a\.mat: .*mapClass holds other numbers than whole ones"):
        read_numbers(tmp_path / "a.mat", "mapClass")


def test_a_variable_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"mapClass": np.zeros((1, 2**22))}, do_compression=True)
    with pytest.raises(DataError, match=r"unpacks to more than 16777216 bytes"):
        read_numbers(tmp_path / "a.mat", "mapClass")


def test_a_repeated_or_impossible_number_of_an_image_is_refused(nyuv2_mat_root: Path) -> None:
    for train, message in (([[1, 3, 2]], "'0002' is listed 2 times"), ([[0, 1]], "trainNdxs holds numbers below 1")):
        splits = {"trainNdxs": np.array(train), "testNdxs": np.array([[2, 4]])}
        scipy.io.savemat(nyuv2_mat_root / "nyuv2" / "splits.mat", splits)
        with pytest.raises(DataError, match=rf"splits\.mat: {message}"):
            nyuv2.source(nyuv2_mat_root / "nyuv2", "paper", 0)


@pytest.mark.parametrize("kind", ["external link", "soft link", "external storage", "virtual", "group"])
def test_arrays_that_lie_elsewhere_are_not_read(nyuv2_mat_root: Path, tmp_path: Path, kind: str) -> None:
    other = tmp_path / "other"
    other.write_bytes(bytes(30 * 6 * 8 * 3))
    with h5py.File(nyuv2_mat_root / "nyuv2" / "nyu_depth_v2_labeled.mat", "a") as file:
        del file["images"]
        shape = (30, 3, 8, 6)
        if kind == "external link":
            file["images"] = h5py.ExternalLink(str(other), "images")
        elif kind == "soft link":
            file["images"] = h5py.SoftLink("/labels")
        elif kind == "external storage":
            file.create_dataset("images", shape, "u1", external=[(str(other), 0, h5py.h5f.UNLIMITED)])
        elif kind == "virtual":
            file.create_virtual_dataset("images", h5py.VirtualLayout(shape, "u1"))
        else:
            file.create_group("images")
    with pytest.raises(DataError, match=r"labeled\.mat: cannot be read .*images is (missing, or a link|no array that)"):
        prepare("nyuv2", (3, 4), nyuv2_mat_root, progress=False)


def test_a_file_of_another_kind_beside_the_arrays_is_named(nyuv2_tree_root: Path) -> None:
    (nyuv2_tree_root / "nyuv2" / "train" / "image" / "7.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"image/7\.png: expected only files with \.npy here"):
        nyuv2.source(nyuv2_tree_root / "nyuv2", "paper", 0)


def test_a_mapping_with_too_few_names_is_refused(nyuv2_mat_root: Path) -> None:
    short = {"mapClass": fake_nyuv2.NAMES_TO_40[:, :5]}
    scipy.io.savemat(nyuv2_mat_root / "nyuv2" / "classMapping40.mat", short)
    with pytest.raises(DataError, match=r"image \d+ has the label 8, but classMapping40\.mat knows 5 names"):
        prepare("nyuv2", (3, 4), nyuv2_mat_root, progress=False)


def test_a_split_beyond_the_published_file_is_refused(nyuv2_mat_root: Path) -> None:
    with h5py.File(nyuv2_mat_root / "nyuv2" / "nyu_depth_v2_labeled.mat", "a") as file:
        kept = file["images"][:20]
        del file["images"]
        file["images"] = kept
    with pytest.raises(
        DataError, match=r"labeled\.mat: cannot be read as a MATLAB file with row 2\d of images and labels"
    ):
        prepare("nyuv2", (3, 4), nyuv2_mat_root, progress=False, protocol="official")


def test_a_package_that_is_not_installed_is_named(nyuv2_mat_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"h5py is not installed: pip install 'patlib\[nyuv2\]'"):
        prepare("nyuv2", (3, 4), nyuv2_mat_root, progress=False)


@pytest.mark.parametrize("half", ["train/image/7.npy", "train/label/7.npy"])
def test_a_missing_half_of_a_pair_is_named(nyuv2_tree_root: Path, half: str) -> None:
    (nyuv2_tree_root / "nyuv2" / half).unlink()
    with pytest.raises(DataError, match=rf"{half} is missing"):
        nyuv2.source(nyuv2_tree_root / "nyuv2", "paper", 0)


@pytest.mark.parametrize(
    ("half", "array", "message"),
    [
        ("image", np.zeros((3, 6, 8)), r"expected an image of shape \(H, W, 3\) or \(H, W\), got \(3, 6, 8\)"),
        ("image", np.full((6, 8, 3), 200.0), r"expected uint8, uint16, or floats in \[0, 1\]"),
        ("image", np.full((6, 8, 3), np.nan), r"expected uint8, uint16, or floats in \[0, 1\]"),
        ("image", np.ones((6, 8, 3), dtype=np.int64), r"expected uint8, uint16, or floats in \[0, 1\]"),
        ("label", np.zeros((8, 6)), "mask is 6x8 .*its image"),
        ("label", np.full((6, 8), 13), "mask holds the value 13"),
        ("label", np.full((6, 8), 0.5), r"mask holds the value 0\.5"),
    ],
)
def test_arrays_of_another_kind_are_refused(nyuv2_tree_root: Path, half: str, array: np.ndarray, message: str) -> None:
    np.save(nyuv2_tree_root / "nyuv2" / "train" / half / "7.npy", array)
    with pytest.raises(DataError, match=rf"{half}/7\.npy: {message}"):
        prepare("nyuv2", (3, 4), nyuv2_tree_root, progress=False)


def test_a_damaged_array_is_named(nyuv2_tree_root: Path) -> None:
    (nyuv2_tree_root / "nyuv2" / "train" / "image" / "7.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match=r"image/7\.npy: cannot be read"):
        prepare("nyuv2", (3, 4), nyuv2_tree_root, progress=False)

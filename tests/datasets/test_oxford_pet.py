"""Oxford-IIIT Pet: two protocols, both settled by names and seed alone; and the download."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from patlib.datasets import DataError, oxford_pet, prepare


def split_names(root: Path, protocol: str, seed: int = 0) -> dict[str, list[str]]:
    splits = oxford_pet.source(root / "oxford-iiit-pet", protocol, seed).splits
    return {split: [item.name for item in items] for split, items in splits.items()}


def test_paper_protocol_pools_everything_and_splits_8_1_1(pet_root: Path) -> None:
    splits = split_names(pet_root, "paper")
    assert {split: len(names) for split, names in splits.items()} == {"train": 24, "val": 3, "test": 3}
    assert sorted(name for names in splits.values() for name in names) == sorted(f"cat_{i}" for i in range(30))


def test_official_protocol_keeps_the_test_list_and_takes_val_from_trainval(pet_root: Path) -> None:
    splits = split_names(pet_root, "official")
    assert {split: len(names) for split, names in splits.items()} == {"train": 18, "val": 2, "test": 10}
    assert set(splits["test"]) == {f"cat_{i}" for i in range(20, 30)}
    assert set(splits["train"] + splits["val"]) == {f"cat_{i}" for i in range(20)}


@pytest.mark.parametrize("protocol", ["paper", "official"])
def test_splits_depend_on_the_seed_and_not_on_the_order_of_the_lists(pet_root: Path, protocol: str) -> None:
    before = split_names(pet_root, protocol)
    listing = pet_root / "oxford-iiit-pet" / "annotations" / "trainval.txt"
    listing.write_text("\n".join(reversed(listing.read_text().splitlines())))
    assert split_names(pet_root, protocol) == before
    assert split_names(pet_root, protocol, seed=1) != before


def test_the_split_of_a_seed_is_the_same_in_every_process(pet_root: Path) -> None:
    assert split_names(pet_root, "paper")["val"] == ["cat_17", "cat_29", "cat_7"]


def test_trimap_values_become_pet_background_border(pet_root: Path) -> None:
    item = oxford_pet.source(pet_root / "oxford-iiit-pet", "paper", 0).splits["train"][0]
    trimap = pet_root / "oxford-iiit-pet" / "annotations" / "trimaps" / f"{item.name}.png"
    with Image.open(trimap) as on_disk:
        assert np.array_equal(np.asarray(item.load()[1]), np.asarray(on_disk) - 1)
    assert oxford_pet.SPEC.classes == ("pet", "background", "border")


@pytest.mark.parametrize("gone", ["annotations/test.txt", "images/cat_3.jpg", "annotations/trimaps/cat_3.png"])
def test_a_missing_file_is_named_with_the_way_to_get_it(pet_root: Path, gone: str) -> None:
    (pet_root / "oxford-iiit-pet" / gone).unlink()
    with pytest.raises(DataError, match=rf"{gone} is missing[\s\S]*--download"):
        oxford_pet.source(pet_root / "oxford-iiit-pet", "paper", 0)


def fake_torchvision(monkeypatch: pytest.MonkeyPatch, dataset: type) -> None:
    """Stand in for torchvision, which takes seconds to import and would reach for the network."""
    module = ModuleType("torchvision.datasets")
    module.OxfordIIITPet = dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchvision", ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.datasets", module)


def test_download_puts_it_under_the_root_and_goes_on(
    pet_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Copies:
        def __init__(self, root: Path, download: bool) -> None:
            assert download
            (pet_root / "oxford-iiit-pet").rename(root / "oxford-iiit-pet")

    fake_torchvision(monkeypatch, Copies)
    (tmp_path / "new").mkdir()
    dataset = prepare("oxford_pet", size=(4, 4), root=tmp_path / "new", progress=False, download=True)
    assert len(dataset.splits["train"]) == 24


def test_without_download_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refuses:
        def __init__(self, root: Path, download: bool) -> None:
            raise AssertionError("torchvision was asked to download")

    fake_torchvision(monkeypatch, Refuses)
    with pytest.raises(DataError, match="--download"):
        prepare("oxford_pet", root=tmp_path, progress=False)


def test_a_failed_download_says_how_to_get_it_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Fails:
        def __init__(self, root: Path, download: bool) -> None:
            raise OSError("no route to host")

    fake_torchvision(monkeypatch, Fails)
    with pytest.raises(DataError, match=r"no route to host[\s\S]*by hand"):
        prepare("oxford_pet", root=tmp_path, progress=False, download=True)


def test_real_pets_are_all_read(real_root: Path) -> None:
    if not (real_root / "oxford-iiit-pet").is_dir():
        pytest.skip("Oxford-IIIT Pet is not under PATLIB_DATA")
    splits = oxford_pet.source(real_root / "oxford-iiit-pet", "official", 0).splits
    for item in splits["val"]:
        image, mask = item.load()
        assert image.size == mask.size and set(np.unique(np.asarray(mask))) == {0, 1, 2}


@pytest.mark.parametrize(("line", "listing"), [("cat_1 1 1 1", "trainval"), ("cat_25 1 1 1", "trainval")])
def test_a_name_that_is_listed_twice_is_refused(pet_root: Path, line: str, listing: str) -> None:
    path = pet_root / "oxford-iiit-pet" / "annotations" / f"{listing}.txt"
    path.write_text(f"{path.read_text()}{line}\n")
    with pytest.raises(DataError, match=rf"'{line.split()[0]}' is listed 2 times"):
        oxford_pet.source(pet_root / "oxford-iiit-pet", "paper", 0)

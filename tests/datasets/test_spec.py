"""The facts about each dataset, and the colours its masks are shown in."""

import dataclasses
from itertools import combinations

import numpy as np
import pytest

from patlib.datasets import DATASETS, IGNORE_INDEX, DatasetSpec, colourise, get_spec
from patlib.datasets.palette import distinct_colours
from patlib.datasets.spec import VOID_COLOUR

every_dataset = pytest.mark.parametrize("spec", DATASETS.values(), ids=DATASETS.keys())

# How each kind of colour vision maps linear RGB (Machado, Oliveira, Fernandes 2009, severity 1).
VISION = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "no green cones": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "no red cones": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "no blue cones": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def to_lab(colour: tuple[int, int, int], vision: list[list[float]]) -> np.ndarray:
    """CIELAB of an sRGB colour, as seen by eyes of one kind."""
    part = np.array(colour) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(vision) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(np.maximum(to_xyz @ seen / [0.9505, 1, 1.089], 0.009))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@every_dataset
def test_has_a_colour_for_each_class(spec: DatasetSpec) -> None:
    assert len(spec.palette) == spec.num_classes == len(set(spec.classes))


def test_no_class_has_the_label_of_void() -> None:
    spec = get_spec("camvid")
    dataclasses.replace(spec, classes=tuple(map(str, range(255))))
    with pytest.raises(ValueError, match="camvid has 256 classes, and 255 are the most"):
        dataclasses.replace(spec, classes=tuple(map(str, range(256))))


def test_cityscapes_has_the_colours_of_its_benchmark() -> None:
    spec = get_spec("cityscapes")
    known = {"road": (128, 64, 128), "sky": (70, 130, 180), "rider": (255, 0, 0), "bicycle": (119, 11, 32)}
    assert {name: spec.palette[spec.classes.index(name)] for name in known} == known
    assert len({*spec.palette, VOID_COLOUR}) == 20


@pytest.mark.parametrize("name", sorted(DATASETS.keys() - {"cityscapes"}))
@pytest.mark.parametrize("vision", VISION)
def test_the_colours_we_chose_stay_apart_for_every_kind_of_colour_vision(name: str, vision: str) -> None:
    seen = [to_lab(colour, VISION[vision]) for colour in (*get_spec(name).palette, VOID_COLOUR)]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 15


@every_dataset
def test_says_how_to_get_it_and_whom_to_cite(spec: DatasetSpec) -> None:
    assert spec.how_to_get and spec.citation and spec.licence and spec.protocols
    assert not spec.layout or ("PATLIB_DATA" in spec.how_to_get and spec.folder in spec.how_to_get)


def test_class_counts_are_those_of_the_field() -> None:
    assert {name: spec.num_classes for name, spec in DATASETS.items()} == {
        "synthetic": 10,
        "camvid": 11,
        "oxford_pet": 3,
        "cityscapes": 19,
        "nyuv2": 13,
    }


def test_unknown_name_lists_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"'CamVidd'.*synthetic, camvid, oxford_pet.*Did you mean 'camvid'"):
        get_spec("CamVidd")


def test_colourise_paints_classes_and_leaves_void_light_grey() -> None:
    spec = get_spec("oxford_pet")
    painted = colourise(np.array([[0, 2, IGNORE_INDEX]], dtype=np.uint8), spec)
    assert painted.shape == (1, 3, 3) and painted.dtype == np.uint8
    assert painted[0].tolist() == [list(spec.palette[0]), list(spec.palette[2]), list(VOID_COLOUR)]


@pytest.mark.parametrize("wrong", [3, -1])
def test_colourise_refuses_an_id_without_class(wrong: int) -> None:
    with pytest.raises(ValueError, match=f"value {wrong}; oxford_pet has class ids 0..2"):
        colourise(np.array([[0, wrong]]), get_spec("oxford_pet"))


@pytest.mark.parametrize("count", [2, 11, 22])
@pytest.mark.parametrize("vision", VISION)
def test_colours_made_for_classes_stay_apart_for_every_kind_of_colour_vision(count: int, vision: str) -> None:
    seen = [to_lab(colour, VISION[vision]) for colour in (*distinct_colours(count), VOID_COLOUR)]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 15


def test_as_many_colours_are_made_as_there_can_be_classes() -> None:
    assert len({*distinct_colours(254), VOID_COLOUR}) == 255
    assert distinct_colours(254)[:5] == distinct_colours(5)

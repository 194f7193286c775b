"""What a dataset of one's own is refused for."""

from pathlib import Path

import pytest
from own_field import CLASSES, TOML, own

from patlib.datasets import DataError, from_folder, get_spec, prepare


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"train": ["drive0/00"], "val": ["drive0/00"], "test": ["drive0/01"]}, "listed twice: in train and in val"),
        ({"train": ["drive0/00", "drive0/00"]}, "listed twice: in train and in train"),
        ({"train": ["drive0/99"]}, r"the train split lists 'drive0/99', but .*images has no such image"),
        ({"train": "nowhere.txt"}, r"list of the train split cannot be read: .*nowhere\.txt"),
        ("folders", "the train split is empty"),
        (
            {"train": ["drive0/00"], "val": ["drive0/01"], "test": ["drive0/02"], "../x": ["drive0/03"]},
            r"a split is named with letters, .*; got '\.\./x'",
        ),
    ],
)
def test_splits_that_cannot_be_meant_are_refused(field: Path, splits: object, message: str) -> None:
    for name in (f"drive{number // 10}/{number:02d}" for number in range(4, 20)):
        for half in ("images", "masks"):
            next((field / half).glob(f"{name}.*")).unlink()
    with pytest.raises(DataError, match=message):
        own(field, splits=splits)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"classes": "soil"}, "classes is a list; got 'soil'"),
        ({"classes": ("soil", "soil")}, "2 to 254 different names"),
        ({"classes": (1, 2)}, "classes is a list of names"),
        ({"size": (6.0, 8)}, r"size is \(height, width\)"),
        ({"fractions": (0.8, 0.1, 0.2)}, "add up to 1"),
        ({"fractions": (1.0, 0.0, 0.0)}, "add up to 1"),
        ({"splits": "random"}, "splits is 'folders'"),
        ({"splits": "folders", "group": "a"}, "leave out splits or group"),
        ({"group": "("}, "group is no regular expression"),
        ({"ignore": 0}, "ignore=0 is the value of the class 'soil', too"),
        ({"ignore": "void"}, "ignore is the value on disk"),
        ({"label_map": {0: 3}}, r"class ids 0\.\.2, or 255 for void; got 0: 3"),
        ({"label_map": {"0": 1}}, "got '0': 1"),
        ({"name": "camvid"}, "'camvid' is the name of a built-in dataset"),
        ({"name": "///"}, "name is made of letters"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(field: Path, told: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        own(field, **told)


def test_a_folder_inside_the_other_is_refused(field: Path) -> None:
    with pytest.raises(ValueError, match="neither inside the other"):
        from_folder(field, field / "masks", classes=CLASSES, size=(6, 8))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"patlib\.toml is missing; .*\n  classes = "),
        ("classes = [", r"patlib\.toml: cannot be read"),
        ("size = [6, 8]", r"patlib\.toml: 'classes' is missing"),
        (f"{TOML}colours = 3", r"patlib\.toml: 'colours' is not one of its keys, which are classes, fractions"),
        (f"{TOML}fractions = 3", r"patlib\.toml: fractions is a list; got 3"),
        (f"{TOML}label_map = {{a = 1}}", r"patlib\.toml: invalid literal for int"),
        (f"{TOML}images = 3", r"patlib\.toml: unsupported operand"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(field: Path, content: str | None, message: str) -> None:
    if content is not None:
        (field / "patlib.toml").write_text(content)
    with pytest.raises(DataError, match=message):
        prepare(str(field), progress=False)


def test_no_void_is_told_by_false(field: Path) -> None:
    (field / "patlib.toml").write_text(f"{TOML}ignore = false")
    with pytest.raises(DataError, match="mask holds the value 255"):
        prepare(str(field), progress=False)


def test_a_folder_called_like_a_built_in_dataset_is_refused(field: Path) -> None:
    (field / "patlib.toml").write_text(TOML)
    field.rename(field.with_name("camvid"))
    with pytest.raises(ValueError, match="'camvid' is the name of a built-in dataset"):
        get_spec(str(field.with_name("camvid")))

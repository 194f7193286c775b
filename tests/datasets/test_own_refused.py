"""What a dataset of one's own is refused for."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from own_field import CLASSES, TOML, names, own, save

from patlib.datasets import DataError, from_folder, get_spec, prepare, sources


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"train": ["drive0/00"], "val": ["drive0/00"], "test": ["drive0/01"]}, "listed twice: in train and in val"),
        ({"train": ["drive0/00", "drive0/00"]}, "listed twice: in train and in train"),
        ({"train": ["drive0/99"]}, r"the train split lists 'drive0/99', but .*images has no such image"),
        (
            {"train": "nowhere.txt"},
            r"nowhere\.txt: cannot be read as the list of the train split \(it is missing",
        ),
        ("folders", "the train split is empty"),
        ({"train": [1]}, r"the train split is a list of names, or the path of a file .*; got \[1\]"),
        ({"train": None}, "got None"),
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
        ({"fractions": (float("nan"), 0.5, 0.5)}, "add up to 1; got"),
        ({"fractions": ("a", "b", "c")}, "add up to 1; got"),
        ({"splits": ["a"]}, "splits is 'folders'"),
        ({"image_suffix": 3}, "a suffix is a text"),
        ({"group": 3}, "group is a regular expression or a function of a name; got 3"),
        ({"seed": -1}, "seed is a whole number from 0 to"),
        ({"seed": 1.5}, "seed is a whole number"),
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
        (f"{TOML}images = 3", r"patlib\.toml: images is the path of a folder; got 3"),
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


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def nothing(path: Path) -> None:
    path.symlink_to("nowhere")


def itself(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.skipif(os.name == "nt", reason="has neither pipes nor devices in folders")
@pytest.mark.parametrize("half", ["images", "masks"])
@pytest.mark.parametrize("put", [pipe, device, nothing, itself])
def test_what_is_no_file_is_refused_and_not_waited_for(field: Path, half: str, put: Callable[[Path], None]) -> None:
    path = next((field / half).glob("drive0/00.*"))
    path.unlink()
    put(path)
    with pytest.raises(DataError, match=f"{re.escape(str(path))} is a link to nothing, or no file"):
        own(field)


@pytest.mark.skipif(os.name == "nt", reason="has neither pipes nor devices in folders")
@pytest.mark.parametrize("put", [pipe, device, Path.mkdir, nothing])
def test_a_description_or_a_list_that_is_no_file_is_refused(field: Path, put: Callable[[Path], None]) -> None:
    for name in ("patlib.toml", "train.txt"):
        put(field / name)
    for call in (lambda: prepare(str(field)), lambda: own(field, splits={"train": field / "train.txt"})):
        with pytest.raises(DataError, match=r"(patlib\.toml|train\.txt): cannot be read as .* \(it is missing, or no"):
            call()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TOML + "x = " + "[" * 9999 + "]" * 9999, "recursion"),
        (TOML + "#" * 2**24, "at most 16777216 are expected"),
        (TOML + "group = 3", "group is a regular expression"),
    ],
)
def test_a_description_that_cannot_be_meant_is_refused_by_name(field: Path, text: str, message: str) -> None:
    (field / "patlib.toml").write_text(text)
    with pytest.raises(DataError, match=rf"patlib\.toml.*{message}"):
        prepare(str(field))


def test_a_letter_with_its_accent_apart_is_the_same_letter(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        save(tmp_path, name)
    (tmp_path / "images" / "a.png").rename(tmp_path / "images" / "\u00e9.png")
    (tmp_path / "masks" / "a.png").rename(tmp_path / "masks" / "e\u0301.png")
    assert "\u00e9" in {name for rows in names(own(tmp_path)).values() for name in rows}
    assert names(own(tmp_path, splits={"train": ["e\u0301"], "val": ["b"], "test": ["c"]}))["train"] == ["\u00e9"]
    save(tmp_path, "e\u0301")
    with pytest.raises(DataError, match="have the same name '\u00e9'"):
        own(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    save(tmp_path, "a")
    (tmp_path / "images" / os.fsdecode(b"\xff.png")).touch()
    with pytest.raises(DataError, match=r"images/\\udcff\.png': its name is not in UTF-8"):
        own(tmp_path)


def test_files_that_change_while_they_are_prepared_are_told(field: Path, tmp_path: Path, monkeypatch) -> None:
    def changed(*arguments: object) -> object:
        os.utime(next((field / "masks").glob("drive0/00.*")), (1, 1))
        return matched(*arguments)

    matched = sources.matched
    monkeypatch.setattr(sources, "matched", changed)
    with pytest.raises(DataError, match="were changed while they were prepared"):
        own(field)


@pytest.mark.parametrize("group", [lambda name: None, lambda name: 3 if name < "drive1" else name])
def test_a_group_that_is_no_text_is_told_with_its_name(field: Path, group: Callable[[str], object]) -> None:
    with pytest.raises(DataError, match="group must give a text for each name; for 'drive0/00' it gave"):
        own(field, group=group)


@pytest.mark.parametrize("cache", ["patlib.toml", "a\0b"])
def test_a_cache_that_is_no_folder_is_told(field: Path, cache: str) -> None:
    (field / "patlib.toml").write_text(TOML)
    with pytest.raises(DataError, match="is no folder, and prepared arrays need one: set PATLIB_CACHE"):
        own(field, cache=field / cache)

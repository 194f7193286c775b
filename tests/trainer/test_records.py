import json
import os

import pytest

from patlib.trainer import state
from patlib.trainer.records import read_record, read_records


def store(folder, record):
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(json.dumps(record))


def test_records_come_sorted_by_path_from_any_depth(tiny_run, tmp_path):
    _, record = tiny_run
    for parameters, name in ((2, "b/deep/run"), (1, "a"), (3, "c")):
        store(tmp_path / name, {**record, "parameters": parameters})
    (tmp_path / "c" / "other.json").write_text("{}")
    assert [found["parameters"] for found in read_records(tmp_path)] == [1, 2, 3]
    assert read_records(tmp_path / "a") == [{**record, "parameters": 1}]


def test_a_folder_without_records_has_none(tmp_path):
    assert read_records(tmp_path) == []


def test_a_network_of_ones_own_needs_no_model_of_that_name(tiny_run, tmp_path):
    _, record = tiny_run
    own = {"model": "PixelWise", "model_width": None, "released_head": None}
    store(tmp_path / "own", {**record, "config": {**record["config"], **own}})
    assert read_record(tmp_path / "own" / "record.json")["config"]["model"] == "PixelWise"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "PixelWise"}, "unknown model 'PixelWise'"),
        ({"epochs": 0}, "epochs"),
        ({"colour": "red"}, "colour"),
        ({"model_width": None, "epochs": 0}, "epochs"),
    ],
)
def test_a_record_whose_configuration_is_none_is_refused(change, said, tiny_run, tmp_path):
    _, record = tiny_run
    store(tmp_path / "run", {**record, "config": {**record["config"], **change}})
    with pytest.raises(ValueError, match=rf"(?s)run/record\.json is not a run record .*{said}.*remove it and run"):
        read_records(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"config": 3}', '{"config": {}}'])
def test_a_file_that_is_no_whole_record_is_named(text, tmp_path):
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(ValueError, match=r"record\.json is not a run record"):
        read_record(tmp_path / "record.json")


def test_a_name_twice_in_one_object_is_refused(tiny_run, tmp_path):
    text = json.dumps(tiny_run[1])
    (tmp_path / "record.json").write_text(text.replace('"parameters": ', '"parameters": 1, "parameters": ', 1))
    with pytest.raises(ValueError, match=r"record\.json is not a run record \(it has 'parameters' twice in one object"):
        read_record(tmp_path / "record.json")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_in_place_of_a_record_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "record.json")
    (tmp_path / "unfinished").mkdir()
    with pytest.raises(ValueError, match=r"record\.json is not a run record \(it is no file\)"):
        read_records(tmp_path)
    assert not state.is_of_the_record(tmp_path)

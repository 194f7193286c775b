"""What a reader of records refuses: each case is a record of a real run with one thing changed."""

import copy
import json
import re
from pathlib import Path

import numpy as np
import pytest
from tiny_run import TINY, record_of

from patlib.trainer.config import RunConfig
from patlib.trainer.counts import pack_counts, unpack_counts
from patlib.trainer.records import read_record, read_records

RESULTS = Path(__file__).parents[2] / "book" / "results"


def test_every_stored_record_is_read_and_lies_where_its_configuration_says():
    paths = sorted(RESULTS.rglob("record.json"))
    records = read_records(RESULTS)
    assert len(records) == len(paths) > 100
    for path, record in zip(paths, records, strict=True):
        assert RunConfig(**record["config"]).run_path == Path(path.parent.parent.name) / path.parent.name


def place(record, *keys):
    """The part of a record at a place, and the last key."""
    for key in keys[:-1]:
        record = record[key]
    return record, keys[-1]


TEST = ("checkpoints", "best", "splits", "test")
CHANGES = {
    "a negative count": ((*TEST, "confusion", 0, 0), -1),
    "a fraction of a pixel": ((*TEST, "confusion", 0, 0), 1.5),
    "a count in quotes": ((*TEST, "confusion", 0, 0), "1"),
    "more axes": ((*TEST, "confusion"), [[[1, 2], [3, 4]]]),
    "a ragged matrix": ((*TEST, "confusion", 3), [1, 2]),
    "too few classes": ((*TEST, "confusion"), [[1, 2], [3, 4]]),
    "an infinite cross-entropy": ((*TEST, "cross_entropy"), float("inf")),
    "more than all": ((*TEST, "released_miou"), 1.5),
    "a shifted matrix of another split": ((*TEST, "shifted", "1.0"), [[1] * 10] * 10),
    "images of another shape": ((*TEST, "images"), {"shape": [10**9, 10, 10], "deflated": ""}),
    "images that do not add up": ((*TEST, "images"), pack_counts(np.ones((3, 10, 10), dtype=np.int64))),
    "a loss that is not a number": (("curves", 0, "train_loss"), float("nan")),
    "a missing epoch": (("curves",), []),
    "epochs in another order": (("curves", 0, "epoch"), 2),
    "validation pixels of another split": (("curves", 0, "val_confusion", 0, 0), 10**6),
    "class pixels of another dataset": (("dataset", "class_pixels", 0), 7),
    "a class without a name": (("dataset", "classes"), ["a", "b"]),
    "splits that were not measured": (("dataset", "images"), {"train": 10, "val": 3}),
    "a last checkpoint before the end": (("checkpoints", "last", "epoch"), 1),
    "no checksum": (("checkpoints", "last", "sha256"), "x"),
    "an unknown loss": (("config", "loss"), "nonsense"),
    "the configuration of another loss": (("config", "loss"), "ce"),
    "no width": (("config",), {}),
    "nothing": (("machine",), None),
    "a commit that is none": (("machine", "commit"), ["a"]),
    "a curve that its confusion matrix does not give": (("curves", 0, "val_miou"), 0.987),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_record_that_no_run_can_have_written_is_refused_by_name(change, tiny_run, tmp_path):
    keys, value = CHANGES[change]
    record = copy.deepcopy(tiny_run[1])
    part, key = place(record, *keys)
    part[key] = value
    path = tmp_path / "record.json"
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match=re.escape(f"{path} is not a run record (")):
        read_record(path)


def test_pixels_that_moved_from_one_row_to_another_in_all_of_a_checkpoint_are_seen(tiny_run, tmp_path):
    record = copy.deepcopy(tiny_run[1])
    measured = record["checkpoints"]["best"]["splits"]["test"]
    images = unpack_counts(measured["images"])[:, ::-1]
    record["checkpoints"]["best"]["splits"]["test"] = {
        "confusion": images.sum(0).tolist(), "cross_entropy": 1.0, "images": pack_counts(images.copy()),
    }  # fmt: skip
    (tmp_path / "record.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"checkpoints\.last\.splits\.test"):
        read_record(tmp_path / "record.json")


@pytest.mark.parametrize("text", ["[" * 200_000, '{"config": ' + "[" * 200_000, "\xff", "[]", ""])
def test_a_file_that_is_no_record_is_refused_by_name(text, tmp_path):
    path = tmp_path / "record.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=re.escape(f"{path} is not a run record (")):
        read_record(path)


def test_a_file_too_large_for_a_record_is_not_read(tmp_path):
    path = tmp_path / "record.json"
    with path.open("wb") as file:
        file.truncate(2**40)  # sparse: reading it would take a terabyte of memory
    with pytest.raises(ValueError, match="no record more than"):
        read_record(path)


def test_a_record_where_another_run_is_looked_for_is_refused(tiny_run, tmp_path):
    config, other = RunConfig(**TINY), RunConfig(**TINY, seed=1)
    path = tmp_path / "record.json"
    path.write_text(json.dumps(record_of(other, tiny_run[1])))
    assert read_record(path, other)["config"]["seed"] == 1
    with pytest.raises(ValueError, match=re.escape(f"{path} is the record of another run, {other.run_path}")):
        read_record(path, config)
    path.write_text(json.dumps(record_of(config, tiny_run[1])))
    assert read_record(path, RunConfig(**{**TINY, "accelerator": "auto"}))  # where it ran makes no other run


def test_a_record_of_a_run_on_another_dataset_than_its_folder_says_is_refused(tiny_run, tmp_path):
    config, path = RunConfig(**TINY), tmp_path / "record.json"
    record = record_of(config, tiny_run[1])
    record["dataset"]["name"] = "camvid"
    path.write_text(json.dumps(record))
    assert read_record(path)["dataset"]["name"] == "camvid"  # a dataset may be handed to fit with a folder for the run
    with pytest.raises(ValueError, match="is the record of a run on 'camvid', and not on 'synthetic'"):
        read_record(path, config)


def test_an_old_record_with_nan_where_a_score_is_undefined_is_read(tiny_run, tmp_path):
    record = copy.deepcopy(tiny_run[1])
    for checkpoint in record["checkpoints"].values():
        del checkpoint["sha256"]
        for measured in checkpoint["splits"].values():
            measured |= {"released_miou": float("nan"), "cross_entropy": float("nan")}
            measured.pop("images", None), measured.pop("shifted", None)
    for row in record["curves"]:
        del row["val_confusion"], row["val_forgotten"]
    (tmp_path / "record.json").write_text(json.dumps(record))
    assert len(read_record(tmp_path / "record.json")["curves"]) == 2


def test_settings_that_a_record_does_not_state_have_their_defaults(tiny_run, tmp_path):
    record = copy.deepcopy(tiny_run[1])
    for name in ("released_head", "precision", "void_class"):
        del record["config"][name]
    (tmp_path / "record.json").write_text(json.dumps(record))
    assert read_record(tmp_path / "record.json")["config"] == tiny_run[1]["config"]

"""Runs on a reader's own data: where they are kept, what they are called, and whose folder they leave alone."""

import dataclasses
import re

import numpy as np
import pytest
from PIL import Image
from tiny_run import TINY
from typer.testing import CliRunner

from patlib.cli import app
from patlib.datasets import from_pairs
from patlib.trainer import fit
from patlib.trainer.config import RunConfig
from patlib.trainer.records import read_record


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder called "my field" with three images a split."""
    place = tmp_path / "my field"
    for kind in ("images", "masks"):
        for split in ("train", "val", "test"):
            (place / kind / split).mkdir(parents=True)
            for number in range(3):
                values = (np.arange(16 * 20).reshape(16, 20) // 7 % 3).astype(np.uint8)
                Image.fromarray(values if kind == "masks" else 80 * values).save(place / kind / split / f"{number}.png")
    (place / "patlib.toml").write_text('classes = ["soil", "crop", "weed"]\nsize = [16, 20]\nsplits = "folders"\n')
    monkeypatch.setenv("PATLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return place


def test_a_run_is_kept_below_the_name_of_its_folder(folder):
    config = RunConfig(**{**TINY, "dataset": "./my field"})
    assert config.dataset == str(folder) and config.run_path.parts[0] == "my-field"
    record = fit(config, progress=False)
    assert record["dataset"]["name"] == "my-field" and record["dataset"]["classes"] == ["soil", "crop", "weed"]
    assert len(record["dataset"]["digest"]) == 12
    folder.rename(folder.with_name("gone"))
    assert read_record(folder.parent / "runs" / config.run_path / "record.json") == record


def test_the_command_line_takes_a_folder_wherever_it_takes_a_dataset(folder):
    def call(*words):
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
        return result.output

    assert re.search(r"2 +weed", call("data", "prepare", "my field"))
    assert "wrote my-field.png" in call("data", "show", str(folder))
    short = ["--epochs", "1", "--model_width", "2", "--accelerator", "cpu"]
    assert "record.json" in call("run", "--plain", "--dataset", "my field", "--loss", "ce", *short)
    call("grid", "scale", "--plain", "--dataset", "my field", *short)
    assert "my-field at 16x20" in call("table", "scale", "--dataset", "./my field", *short)
    assert {path.name for path in (folder.parent / "runs").iterdir()} == {"my-field"}


def test_a_bare_name_is_a_folder_only_if_it_is_described(folder):
    assert RunConfig(dataset="my field").dataset == str(folder)
    (folder / "patlib.toml").unlink()
    with pytest.raises(ValueError, match="no dataset is called 'my field'"):
        RunConfig(dataset="my field")


def test_a_dataset_of_another_name_needs_a_folder_of_its_own(tiny_dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = dataclasses.replace(tiny_dataset, spec=dataclasses.replace(tiny_dataset.spec, name="mine"))
    with pytest.raises(ValueError, match=r"folder='runs/mine/.*synthetic/.* belongs to 'synthetic'"):
        fit(RunConfig(**TINY), dataset=mine, progress=False)
    assert not (tmp_path / "runs").exists()
    assert fit(RunConfig(**TINY), tmp_path / "own", mine, progress=False)["dataset"]["name"] == "mine"


def test_a_record_names_what_was_given_as_pairs_and_its_digest(tmp_path):
    mask = np.arange(16 * 20).reshape(16, 20) // 40 % 2
    told = {"classes": ["soil", "crop"], "size": (16, 20), "name": "stripes", "progress": False}
    dataset = from_pairs([((100 + 100 * mask).astype(np.uint8), mask)] * 10, **told)
    record = fit(RunConfig(**TINY), tmp_path / "run", dataset, progress=False)
    assert record["dataset"]["name"] == "stripes" and record["dataset"]["digest"] == dataset.digest

import json

import pytest
from tiny_run import TINY
from typer.testing import CliRunner

from patlib import cli
from patlib.cli import settings
from patlib.experiments import cell, estimate, report, runner
from patlib.trainer import NonFiniteError, loop
from patlib.trainer.config import RunConfig

OPTIONS = [f"--{name}={value}" for name, value in TINY.items()]


@pytest.fixture
def invoke(monkeypatch, tiny_dataset, tmp_path):
    monkeypatch.setattr(loop, "open_dataset", lambda config, progress=True: tiny_dataset)

    def invoke(*words, code=0):
        result = CliRunner().invoke(cli.app, [*words, "--out", str(tmp_path)])
        assert result.exit_code == code, result.output
        return result.output

    return invoke


def test_settings_are_read_with_one_or_many_values():
    words = ["--seeds", "0", "1", "--loss=pat", "--batch-size", "4"]
    assert settings.parse_settings(words) == {"seeds": ["0", "1"], "loss": ["pat"], "batch_size": ["4"]}


def test_options_become_typed_fields():
    config = settings.parse_config({"T": ["5"], "detach": ["false"], "epochs": ["3"]})
    assert config == RunConfig(T=5.0, detach=False, epochs=3)


def test_a_plain_run_leaves_its_record(invoke, tmp_path):
    output = invoke("run", "--plain", "--loss", "focal", "--gamma", "3", *OPTIONS)
    (path,) = tmp_path.rglob("record.json")
    assert json.loads(path.read_text())["loss_parameters"] == {"gamma": 3.0}
    assert "record.json" in output


def test_a_run_that_has_its_record_is_not_trained_again_unless_told_so(invoke, tmp_path):
    words = ["run", "--plain", "--loss", "ce", *OPTIONS]
    invoke(*words)
    (path,) = tmp_path.rglob("record.json")
    written = path.stat().st_mtime_ns
    output = invoke(*words)
    assert f"{path} is there: nothing is trained. To train anew: --again" in output
    assert path.stat().st_mtime_ns == written
    assert "is there" not in invoke(*words, "--again")
    assert path.stat().st_mtime_ns > written


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "--plain", "--losss", "ce"], "losss"),
        (["run", "--plain", "--loss", "ce", "--T", "5"], "no parameter 'T'"),
        (["run", "--plain", "--epochs", "ten"], "epochs"),
        (["run", "--plain", "--epochs", "1", "2"], "takes one value"),
        (["run", "--plain", "pat"], "expected an option"),
        (["grid", "table9"], "There are table1, table2"),
        (["grid", "table1", "--loss", "ce"], "table1 sets that itself"),
        (["grid", "table1", "--seed", "3"], "seeds are given as --seeds"),
        (["grid", "table1", "--seeds", "a"], "--seeds takes whole numbers"),
        (["grid", "table1", "--workers", "2", "--scheduler", "tcp://here:1"], "give one of them"),
        (["grid", "table1", "--workers", "0"], "--workers must be at least 1, got 0"),
    ],
)
def test_a_wrong_option_is_one_message_and_exit_code_1(invoke, words, message):
    output = invoke(*words, code=1)
    assert message in output
    assert "Traceback" not in output


def test_a_grid_prints_its_table_and_is_not_run_twice(invoke, tmp_path):
    assert "PAT (T = 20)" in invoke("grid", "table1", "--plain", "--seeds", "0", *OPTIONS)
    records = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("record.json")}
    assert len(records) == 8
    invoke("grid", "table1", "--plain", *OPTIONS)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("record.json")} == records


def test_a_dry_run_lists_the_runs_and_times_each_kind_once(invoke, monkeypatch, tmp_path):
    timed = []
    monkeypatch.setattr(estimate, "estimate_seconds", lambda config: timed.append(config) or 100.0)
    invoke("run", "--plain", "--loss", "ce", *OPTIONS)
    before = sorted(tmp_path.rglob("*"))
    lines = invoke("grid", "table1", "--dry-run", *OPTIONS).splitlines()
    assert len(timed) == 1 and sorted(tmp_path.rglob("*")) == before
    assert [line.split()[0] for line in lines[2:10]] == ["there"] + ["missing"] * 7
    assert lines[10:] == [
        "8 runs: 1 there, 7 left",
        "7 of segnet in fp32: about 2 min each",
        "about 12 min for all of them, one after another on this machine, without reports",
    ]


def test_a_table_is_shown_from_records_and_written(invoke, tmp_path):
    assert "not run" in invoke("table", "table1", *OPTIONS)
    invoke("run", "--plain", "--loss", "ce", *OPTIONS)
    output = invoke("table", "table1", *OPTIONS, "--split", "val", "--write", str(tmp_path / "table.csv"))
    assert "synthetic at 16x20" in output and "best checkpoint, val split" in output
    row = next(line for line in output.splitlines() if line.startswith("CE "))
    assert "not run" not in row and row.endswith("1")
    assert "CE" in (tmp_path / "table.csv").read_text()


@pytest.mark.parametrize("option", ["--split", "--checkpoint"])
def test_a_checkpoint_or_split_that_is_not_there_is_one_message(invoke, option):
    invoke("run", "--plain", "--loss", "ce", *OPTIONS)
    output = invoke("table", "table1", *OPTIONS, option, "nowhere", code=1)
    assert "'nowhere'" in output and "splits train, val, test" in output and "Traceback" not in output


def test_a_failed_cell_is_listed_at_the_end(invoke, monkeypatch):
    def train(run, bar):
        raise NonFiniteError("the loss is nan")

    monkeypatch.setattr(loop, "_train", train)
    output = invoke("grid", "table1", "--plain", *OPTIONS, code=1)
    assert "failed: ce-segnet-seed0" in output
    assert "NonFiniteError" in output


def test_a_grid_is_told_what_a_cell_is_and_where_it_runs(invoke, monkeypatch):
    told = []
    monkeypatch.setattr(runner, "run_grid", lambda configs, out, **options: told.append(options) or [])
    invoke("grid", "table1", "--workers", "2", *OPTIONS)
    invoke("grid", "table1", "--plain", "--scheduler", "tcp://host:8786", *OPTIONS)
    assert told == [
        {"cell": report.report_cell, "workers": 2, "scheduler": None},
        {"cell": None, "workers": None, "scheduler": "tcp://host:8786"},
    ]


@pytest.mark.parametrize("command", [["run", "--loss", "ce"], ["grid", "table1"]])
def test_without_the_notebook_a_plain_run_is_proposed(invoke, monkeypatch, tmp_path, command):
    monkeypatch.setattr(report, "REPORT", tmp_path / "08_one_run.ipynb")
    assert "use --plain, or run from a checkout" in invoke(*command, *OPTIONS, code=1)


def test_a_run_that_goes_on_elsewhere_is_not_started(invoke, tmp_path):
    with cell.hold_run(RunConfig(**TINY, loss="ce"), tmp_path):
        assert "going on in another process" in invoke("run", "--plain", "--loss", "ce", *OPTIONS, code=1)

import json
import re
import sys
from typing import get_args

import pytest
from tiny_run import TINY
from typer.testing import CliRunner

from patlib import cli, trainer
from patlib.experiments import cell, estimate, report, runner
from patlib.losses import LOSSES, loss_signature
from patlib.trainer import NonFiniteError, loop, state
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


@pytest.fixture
def asked(monkeypatch):
    """The configurations that commands would have trained."""
    seen = []
    monkeypatch.setattr(trainer, "fit", lambda config, folder: seen.append(config), raising=False)
    monkeypatch.setattr(runner, "run_grid", lambda configs, out, **options: seen.extend(configs) or [])
    return seen


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (["--T", "5", "--detach", "false", "--epochs=3"], {"T": 5.0, "detach": False, "epochs": 3}),
        (["--batch-size", "4", "--image_height", "16", "--image-width=16"],
         {"batch_size": 4, "image_height": 16, "image_width": 16}),
        (["--void_class", "--augment", "False", "--compile=true"],
         {"void_class": True, "augment": False, "compile": True}),
        (["--loss", "blv", "--law", "uniform", "--learning-rate", "1e-4", "--protocol", "x"],
         {"loss": "blv", "law": "uniform", "learning_rate": 1e-4, "protocol": "x"}),
    ],
)  # fmt: skip
def test_options_become_typed_settings(invoke, asked, words, settings):
    invoke("run", *words, "--plain")
    assert asked == [RunConfig(**settings)]


@pytest.mark.parametrize("words", [["--seeds", "3", "4", "table1"], ["table1", "--seeds=3", "4"]])
def test_a_grid_is_asked_for_several_seeds_before_or_after_its_name(invoke, asked, words):
    invoke("grid", "--epochs", "3", "--plain", *words)
    assert [config.seed for config in asked] == [3] * 8 + [4] * 8
    assert {config.epochs for config in asked} == {3}


def listed(output):
    """The text of a help without the lines of its boxes."""
    return " ".join(re.sub("[─│╭╮╰╯]", " ", output).split())


def test_the_help_lists_every_setting_with_type_default_and_meaning():
    shown = listed(CliRunner().invoke(cli.app, ["run", "--help"], env={"COLUMNS": "200"}).output)
    for name, field in RunConfig.model_fields.items():
        if name != "loss_parameters":
            assert f"--{name} " in shown and " ".join(field.description.split()) in shown
    assert "--precision fp32|bf16|fp16 Precision of the network's arithmetic" in shown
    assert "--model_width int Channels of the network's first stage. Default: 32." in shown
    assert "--augment true|false Whether each training image" in shown
    assert "Known: ce, focal, cb, cbfocal, bms, ldam, blv, pat. Default: pat." in shown
    assert "Parameters of focal, cbfocal --gamma float How strongly" in shown
    for loss in LOSSES:
        for name, parameter in loss_signature(loss).items():
            assert f"--{name} " in shown and get_args(parameter.annotation)[1] in shown


@pytest.mark.parametrize("command", ["grid", "table"])
def test_the_help_of_a_grid_lists_the_settings_that_it_leaves_open(command):
    shown = listed(CliRunner().invoke(cli.app, [command, "--help"], env={"COLUMNS": "200"}).output)
    own = ("--seeds", "--epochs", "--model", "--dataset", "--learning_rate", "--compile")
    assert all(f"{option} " in shown for option in own)
    assert not any(f"{option} " in shown for option in ("--loss", "--seed", "--gamma", "--T"))


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
        (["run", "--plain", "--losss", "ce"], "there is no option --losss; did you mean --loss?"),
        (["run", "--plain", "--t", "5"], "there is no option --t; did you mean --T?"),
        (["grid", "table1", "--dryrun"], "there is no option --dryrun; did you mean --dry-run?"),
        (["run", "--plain", "--epochs", "0"], "--epochs: Input should be greater than or equal to 1; got 0"),
        (["run", "--plain", "--seed", "1", "--seed", "2"], "--seed takes one value, and is given twice"),
        (["run", "--plain", "--loss", "ce", "--T", "5"], "no parameter 'T'"),
        (["run", "--plain", "--epochs", "ten"], "--epochs: Input should be a valid integer"),
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
        {"job": report.report_cell, "workers": 2, "scheduler": None},
        {"job": None, "workers": None, "scheduler": "tcp://host:8786"},
    ]


@pytest.mark.parametrize("command", [["run", "--loss", "ce"], ["grid", "table1"]])
def test_without_the_notebook_a_plain_run_is_proposed(invoke, monkeypatch, tmp_path, command):
    monkeypatch.setattr(report, "REPORT", tmp_path / "11_one_run.ipynb")
    assert "install patlib again, or use --plain" in invoke(*command, *OPTIONS, code=1)


@pytest.mark.parametrize("command", [["run", "--loss", "ce"], ["grid", "table1"]])
@pytest.mark.parametrize("package", ["papermill", "seaborn", "ipykernel"])
def test_without_what_executes_it_the_extra_is_named(invoke, monkeypatch, command, package):
    monkeypatch.setitem(sys.modules, package, None)
    output = invoke(*command, *OPTIONS, code=1)
    assert f"Error: {package} is not installed: pip install 'patlib[notebooks]' brings it, or use --plain" in output


@pytest.mark.parametrize("where", [["--workers", "2"], ["--scheduler", "tcp://127.0.0.1:1"]])
def test_without_dask_its_extra_is_named(invoke, monkeypatch, where):
    monkeypatch.setitem(sys.modules, "distributed", None)
    output = invoke("grid", "table1", "--plain", *where, *OPTIONS, code=1)
    assert "Error: distributed is not installed: pip install 'patlib[cluster]' brings it" in output


def test_a_run_that_goes_on_elsewhere_is_not_started(invoke, tmp_path):
    with cell.hold_run(RunConfig(**TINY, loss="ce"), tmp_path):
        assert "going on in another process" in invoke("run", "--plain", "--loss", "ce", *OPTIONS, code=1)


def test_what_a_kill_left_beside_a_record_is_put_in_its_place(invoke, tmp_path, monkeypatch):
    settle = state.settle
    monkeypatch.setattr(state, "settle", lambda folder: None)  # killed when the record had been written
    invoke("run", *OPTIONS, "--plain")
    monkeypatch.setattr(state, "settle", settle)
    own = tmp_path / RunConfig(**TINY).run_path
    assert not (own / "best.safetensors").exists()
    assert "is there: nothing is trained" in invoke("run", *OPTIONS, "--plain")
    assert sorted(path.name for path in own.iterdir()) == ["best.safetensors", "last.safetensors", "record.json"]

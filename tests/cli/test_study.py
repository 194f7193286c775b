import dataclasses
import json

import pytest
from tiny_run import TINY, record_of
from typer.testing import CliRunner

from patlib import cli
from patlib.experiments import queue, studies
from patlib.experiments.queue import QueueResult
from patlib.experiments.studies import CE, PAT, Cell, Study, Wave
from patlib.trainer import machine
from patlib.trainer.state import FOLDER

ONE, OTHER = (
    Study(name, f"What is {name}?", cells, (), {scale: TINY for scale in ("laptop", "full")}, seeds)
    for name, cells, seeds in (("one", (CE, PAT), (0, 1)), ("other", (CE,), (0,)))
)


@pytest.fixture
def folders(monkeypatch, tmp_path):
    monkeypatch.setattr(studies, "STUDIES", {"one": ONE, "other": OTHER})
    monkeypatch.setattr(studies, "ORDER", (Wave("one", (0, 1)), Wave("other", (0,))))
    return tmp_path / "runs", tmp_path / "records"


@pytest.fixture
def invoke(folders):
    def invoke(*words, code=0):
        options = ["--records", str(folders[1])] + ["--scale", "laptop"] * ("--scale" not in words)
        options += ["--runs", str(folders[0])] if words[0] != "table" else []
        result = CliRunner().invoke(cli.app, ["study", *words, *options])
        assert result.exit_code == code, result.output
        return result.output

    return invoke


def leave_record(record, config, folder):
    """The record of a real run, said to be of a configuration."""
    own = folder / config.run_path
    own.mkdir(parents=True)
    (own / "record.json").write_text(json.dumps(record_of(config, record)))


def test_the_list_counts_what_is_there_started_and_missing(invoke, folders, tiny_run):
    first, second, *_ = studies.study_configs(ONE, "laptop")
    leave_record(tiny_run[1], first, folders[1])
    (folders[0] / second.run_path / FOLDER).mkdir(parents=True)
    lines = invoke("list").splitlines()
    (one,) = (line.split() for line in lines if line.startswith("one "))
    assert one[:4] == ["one", "1", "1", "2"] and float(one[4]) >= 0
    (other,) = (line.split() for line in lines if line.startswith("other "))
    assert other[:5] == ["other", "1", "0", "0", "0.0"] and other[5:] == ["What", "is", "other?"]


def test_hours_are_not_guessed_without_a_record_of_the_kind(invoke):
    assert " ? " in invoke("list")


def test_a_dry_run_lists_the_queue_and_begins_nothing(invoke, folders, monkeypatch):
    monkeypatch.setattr(queue, "run_queue", None)
    configs = studies.study_configs(ONE, "laptop")
    (folders[0] / configs[1].run_path / FOLDER).mkdir(parents=True)
    lines = [line.split() for line in invoke("run", "--dry-run").splitlines()[2:]]
    states = ["missing", "started", "missing", "missing"]
    assert lines == [[state, "one", config.run_name] for state, config in zip(states, configs, strict=True)]


def test_a_study_alone_is_run_with_the_runs_that_it_shares(invoke, monkeypatch):
    given = []

    def run_queue(configs, runs, records, minutes, workers, nice):
        given.append((configs, minutes, workers, nice))
        return QueueResult(done=1, failed=[("a-run", "ValueError: its reason")])

    monkeypatch.setattr(queue, "run_queue", run_queue)
    output = invoke("run", "--only", "other", "--minutes", "5", "--workers", "3", "--nice", "7", code=1)
    assert given == [(studies.study_configs(OTHER, "laptop"), 5.0, 3, 7)]
    assert "runs: 1 done, 1 failed" in output and "failed: a-run: ValueError: its reason" in output


@pytest.mark.parametrize("instructions", [True, False])
def test_bf16_is_left_to_machines_that_have_instructions_for_it(invoke, monkeypatch, instructions):
    half = Cell(("CE in bf16",), {**CE.settings, "precision": "bf16"})
    study = dataclasses.replace(ONE, name="halved", cells=(CE, half))
    monkeypatch.setattr(studies, "STUDIES", {"halved": study})
    monkeypatch.setattr(studies, "ORDER", (Wave("halved", (0, 1)),))
    monkeypatch.setattr(machine, "bf16_instructions", lambda device: instructions)
    given = []
    monkeypatch.setattr(queue, "run_queue", lambda configs, *others: given.extend(configs) or QueueResult())
    output = invoke("run")
    assert [config.precision for config in given] == (["fp32", "bf16"] * 2 if instructions else ["fp32"] * 2)
    assert ("2 of 4 runs wait for a machine with instructions for bf16" in output) != instructions


def test_the_table_is_of_the_last_checkpoint_unless_told_otherwise(invoke, folders, tiny_run):
    for config in studies.study_configs(ONE, "laptop")[::2]:
        leave_record(tiny_run[1], config, folders[1])
    output = invoke("table", "one")
    assert "What is one?" in output and "last checkpoint, test split" in output
    (ce,) = (line for line in output.splitlines() if line.startswith("CE"))
    assert "± 0.00" in ce and ce.split()[-1] == "2"
    (pat,) = (line for line in output.splitlines() if line.startswith("PAT"))
    assert "not run" in pat and pat.split()[-1] == "0"
    assert "best checkpoint" in invoke("table", "one", "--checkpoint", "best")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["table", "ones"], "did you mean 'one'?"),
        (["run", "--only", "ones"], "There are one, other"),
        (["run", "--minutes", "0"], "minutes must be above 0"),
        (["run", "--workers", "0"], "workers must be at least 1"),
        (["list", "--scale", "huge"], "--scale is laptop or full; got 'huge'"),
    ],
)
def test_a_wrong_option_is_one_message_and_exit_code_1(invoke, words, message):
    output = invoke(*words, code=1)
    assert message in output and "Traceback" not in output

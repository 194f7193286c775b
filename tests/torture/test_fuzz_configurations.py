"""Configurations and command lines of any words: a run that is whole, or one message; never a traceback."""

import json
import math
import random

import pytest
from judging import refusal
from typer.testing import CliRunner

from patlib import trainer
from patlib.cli import app
from patlib.datasets import DATASETS
from patlib.losses import LOSSES, loss_parameters
from patlib.models import MODELS
from patlib.trainer.config import RunConfig, setting_names

VALUES = [
    "None", "True", "False", "0", "1", "2", "-1", "16", "15", "0.5", "1.0", "1e-3", "-0.0", "1e-300", "1e308", "nan",
    "inf", "-inf", "2**63", "10**400", "-2**70", "''", "'1'", "'auto'", "'cpu'", "'bf16'", "'../..'", "'/'", "'~'",
    "'.'", "{1}", "'a/b'", "'x' * 3000", "'\\0'", "'\\x1b[31m'", "'\\ud800'", "b'1'", "[]", "[1]", "()", "{}", "1j",
    "{'T': 5.0}", "{'T': [1]}", "{1: 2}", "object()", "range(3)", "{'gamma': nan}", "'~nobody/x'", "{'loss': 'ce'}",
    "print", "1e38", "[[]]",
]  # fmt: skip
KNOWN = {"dataset": DATASETS, "model": MODELS, "loss": LOSSES, "accelerator": ["cpu", "auto"], "precision": ["fp32"]}
WORDS = [
    "", "0", "1", "-1", "2", "0.5", "1e-3", "nan", "inf", "-inf", "1e400", "true", "false", "True", "yes", "none", "x",
    "None", "--", "-", "=", "--plain", "--again", "--help", "--version", "-h", "../x", "/", "~", "9" * 30, "9" * 5000,
    "1_000", "0x10", "½", "²", "\x1b[31m", "\udcff", "\n", "a b", "{}", "[1]", "table1", "gamma", "camvid", "--seeds",
    "0 1", "*",
]  # fmt: skip
COMMANDS = [
    ["run"], ["run", "--plain"], ["table"], ["table", "table1"], ["grid", "table1", "--plain"], ["data"], ["bench"], [],
    ["data", "list"], ["data", "prepare"], ["data", "show", "camvid"], ["study"], ["study", "list"], ["study", "table"],
]  # fmt: skip
OWN = [
    "--out",
    "--seeds",
    "--checkpoint",
    "--split",
    "--write",
    "--workers",
    "--size",
    "--root",
    "--cache",
    "--protocol",
]


def draw_settings(rng: random.Random) -> dict[str, str]:
    """Settings by name as Python: those that fit, and a few that may not."""
    settings = {"loss": f"'{rng.choice(list(LOSSES))}'"} if rng.random() < 0.6 else {}
    for name in rng.sample([*setting_names(), "loss_parameters", "lr", "Loss", ""], rng.choice((1, 1, 2, 3, 8))):
        fits = rng.random() < 0.4 and name in KNOWN
        settings[name] = f"'{rng.choice(list(KNOWN[name]))}'" if fits else rng.choice(VALUES)
    return settings


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_settings_of_any_kind_make_a_whole_configuration_or_one_error(trials, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for trial in trials("configurations", short=300):
        trial.input = trial.stored.read_bytes() if trial.stored else json.dumps(draw_settings(trial.rng)).encode()
        values = {
            name: eval(text, {"nan": math.nan, "inf": math.inf}) for name, text in json.loads(trial.input).items()
        }
        config, error = refusal(lambda values=values: RunConfig(**values))
        trial.counts["refused" if error is not None else "accepted"] += 1
        if error is not None:
            assert isinstance(error, ValueError)
            continue
        again = RunConfig(**json.loads(json.dumps(config.model_dump(), allow_nan=False)))
        assert again == config and again.run_path == config.run_path and hash(again) == hash(config)
        assert config.run_path.parts == (config.dataset_name, config.run_name) and ".." not in config.run_path.parts
        assert 0 < config.learning_rate <= 1 and config.epochs >= 1 and config.batch_size >= config.devices >= 1
        for name, value in {**loss_parameters(config.loss), **config.loss_parameters}.items():
            assert not isinstance(value, float) or math.isfinite(value), f"{name} is {value}"


def draw_words(rng: random.Random) -> list[str]:
    words = list(rng.choice(COMMANDS))
    for _ in range(rng.choice((0, 1, 1, 2, 3, 6))):
        name = rng.choice([f"--{name}" for name in setting_names()] + OWN + ["--losss", "--T=", "--=", "-T"])
        name = name.replace("_", "-") if rng.random() < 0.3 else name
        values = [*KNOWN.get(name[2:], WORDS), rng.choice(WORDS)]
        kind = rng.random()
        words += (
            [rng.choice(WORDS)]
            if kind < 0.1
            else [name]
            if kind < 0.2
            else [f"{name}={rng.choice(values)}"]
            if kind < 0.3
            else [name, rng.choice(values)]
        )
    return words


@pytest.fixture
def nothing_trains(monkeypatch, tmp_path):
    """In place of training, and of what takes long, something that ends at once."""
    from patlib.cli import bench, grid
    from patlib.experiments import report, runner

    monkeypatch.setattr(trainer, "fit", lambda config, folder: folder.mkdir(parents=True, exist_ok=True))
    monkeypatch.setattr(report, "run_notebook", lambda *_: None)
    monkeypatch.setattr(report, "check_report", lambda: None)
    monkeypatch.setattr(runner, "run_grid", lambda *_, **__: [])
    monkeypatch.setattr(grid, "plan_of", lambda *_: "a plan")
    monkeypatch.setattr(bench, "benchmarks", lambda: {})
    monkeypatch.setenv("PATLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATLIB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_words_of_any_kind_are_a_command_or_one_message(trials, nothing_trains, tmp_path):
    for trial in trials("command lines", short=60):
        trial.input = trial.stored.read_bytes() if trial.stored else json.dumps(draw_words(trial.rng)).encode()
        words = json.loads(trial.input)
        result = CliRunner().invoke(app, words)
        said = result.output
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise AssertionError(f"a traceback for {words}") from result.exception
        assert result.exit_code in (0, 1, 2) and "Traceback" not in said
        assert all(char.isprintable() or char in "\n\t" for char in said), f"control characters for {words}: {said!r}"
        if result.exit_code == 1:
            assert said.startswith("Error: ") and len(said.strip()) > 15, f"for {words}: {said!r}"
        trial.counts["refused" if result.exit_code else "obeyed"] += 1

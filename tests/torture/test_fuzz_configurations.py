"""Configurations and command lines of any words: a run that is whole, or one message; never a traceback."""

import json
import math
from itertools import chain

import pytest
from hypothesis import strategies as st
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
    "--out", "--seeds", "--checkpoint", "--split", "--write", "--workers", "--size", "--root", "--cache", "--protocol",
]  # fmt: skip


DRAWN = (st.integers() | st.floats() | st.text(max_size=9)).map(repr)


def setting(name: str) -> st.SearchStrategy[tuple[str, str]]:
    """A setting with a value as Python, which fits in half of the cases."""
    default = [RunConfig.model_fields[name].get_default(call_default_factory=True)] if name in FIELDS else [None]
    fitting = st.sampled_from([repr(value) for value in KNOWN.get(name, default)])
    return st.tuples(st.just(name), st.one_of(fitting, fitting, st.sampled_from(VALUES), DRAWN))


FIELDS = RunConfig.model_fields
NAMES = [*setting_names(), "loss", "loss", "loss", "loss_parameters", "lr", "Loss", ""]
SETTINGS = st.lists(st.one_of(list(map(setting, NAMES))), max_size=6).map(dict)


def as_json(drawn: st.SearchStrategy) -> st.SearchStrategy[tuple[str, bytes]]:
    return st.tuples(st.just("json"), drawn.map(lambda value: json.dumps(value).encode()))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_settings_of_any_kind_make_a_whole_configuration_or_one_error(trials, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def check(_, content):
        values = {name: eval(text, {"nan": math.nan, "inf": math.inf}) for name, text in json.loads(content).items()}
        config, error = refusal(lambda: RunConfig(**values))
        if error is not None:
            assert isinstance(error, ValueError)
            return "refused"
        again = RunConfig(**json.loads(json.dumps(config.model_dump(), allow_nan=False)))
        assert again == config and again.run_path == config.run_path and hash(again) == hash(config)
        assert config.run_path.parts == (config.dataset_name, config.run_name) and ".." not in config.run_path.parts
        assert 0 < config.learning_rate <= 1 and config.epochs >= 1 and config.batch_size >= config.devices >= 1
        for name, value in {**loss_parameters(config.loss), **config.loss_parameters}.items():
            assert not isinstance(value, float) or math.isfinite(value), f"{name} is {value}"
        return "accepted"

    trials.fuzz("configurations", as_json(SETTINGS), check, short=100)


# No path to a folder that is not the test's own.
WORD = st.sampled_from(WORDS) | st.text(st.characters(codec="utf-8", exclude_characters="/"), max_size=9)


def option(name: str) -> st.SearchStrategy[list[str]]:
    """An option with or without a value."""
    values = st.one_of(*([st.sampled_from(list(KNOWN[name[2:]]))] if name[2:] in KNOWN else []), WORD)
    spelt = st.sampled_from([name, name.replace("_", "-")])
    apart = st.tuples(spelt, values).map(list)
    return st.one_of(spelt.map(lambda alone: [alone]), apart, apart.map(lambda words: ["=".join(words)]))


OPTIONS = [*(f"--{name}" for name in setting_names()), *OWN, "--losss", "--T=", "--=", "-T"]
PARTS = st.lists(WORD.map(lambda word: [word]) | st.one_of(list(map(option, OPTIONS))), max_size=6)
COMMAND_LINES = st.builds(lambda command, parts: [*command, *chain(*parts)], st.sampled_from(COMMANDS), PARTS)


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

    def check(_, content):
        words = json.loads(content)
        result = CliRunner().invoke(app, words, color=True)  # as in a terminal: else typer drops what is ANSI
        said = result.output
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise AssertionError(f"a traceback for {words}") from result.exception
        assert result.exit_code in (0, 1, 2) and "Traceback" not in said
        assert all(char.isprintable() or char in "\n\t" for char in said), f"control characters for {words}: {said!r}"
        if result.exit_code == 1:
            assert said.startswith("Error: ") and len(said.strip()) > 15, f"for {words}: {said!r}"
        return "refused" if result.exit_code else "obeyed"

    trials.fuzz("command lines", as_json(COMMAND_LINES), check, short=40)

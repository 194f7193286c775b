import json
import math
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest
from tiny_run import TINY

from patlib.experiments import report, runner
from patlib.trainer import loop, predict, records
from patlib.trainer.config import RunConfig

TINY_CONFIG = RunConfig(**TINY)


@pytest.fixture
def on_the_tiny_dataset(monkeypatch, tiny_dataset):
    monkeypatch.setattr(loop, "open_dataset", lambda config, progress: tiny_dataset)


def test_a_grid_runs_what_has_no_record_and_only_that(on_the_tiny_dataset, tmp_path):
    configs = [TINY_CONFIG, RunConfig(**{**TINY, "loss": "ce"})]
    assert runner.run_grid(configs[:1], tmp_path, progress=False) == []
    first = tmp_path / TINY_CONFIG.run_path / "record.json"
    written = first.stat().st_mtime_ns
    assert runner.run_grid(configs, tmp_path, progress=False) == []
    assert first.stat().st_mtime_ns == written
    assert {record["config"]["loss"] for record in records.read_records(tmp_path)} == {"pat", "ce"}


def test_a_failing_run_is_reported_and_does_not_stop_the_rest(on_the_tiny_dataset, tmp_path):
    broken = TINY_CONFIG.model_copy(update={"learning_rate": 1e30})  # unchecked: a configuration refuses it
    failures = runner.run_grid([broken, TINY_CONFIG], tmp_path, progress=False)
    assert [name for name, _ in failures] == [broken.run_name]
    assert "NonFiniteError" in failures[0][1]
    assert "Traceback" in (tmp_path / broken.run_path / "error.txt").read_text()
    assert len(records.read_records(tmp_path)) == 1


@pytest.mark.parametrize("content", ["{", "{}", '{"config": {"losss": 1}}'])
def test_a_damaged_record_is_named(tmp_path, content):
    (tmp_path / "record.json").write_text(content)
    with pytest.raises(ValueError, match=r"record\.json is not a run record"):
        records.read_records(tmp_path)


def test_predictions_of_a_folder_are_those_of_its_networks(tiny_run, tiny_dataset):
    folder, record = tiny_run
    split = tiny_dataset.splits["test"]
    predicted = predict.predictions_of(folder, split)
    assert list(predicted) == ["pat"] and predicted["pat"].shape == split.masks.shape
    confusion = np.array(record["checkpoints"]["best"]["splits"]["test"]["confusion"])
    valid = split.masks != 255
    assert (predicted["pat"] == split.masks)[valid].sum() == confusion.trace()


def test_predictions_need_one_run_a_loss(tiny_run, tiny_dataset, tmp_path):
    split = tiny_dataset.splits["test"]
    with pytest.raises(ValueError, match="holds no finished run"):
        predict.predictions_of(tmp_path, split)
    for name in ("one", "two"):
        shutil.copytree(tiny_run[0], tmp_path / name)
    with pytest.raises(ValueError, match="two runs of 'pat'"):
        predict.predictions_of(tmp_path, split)


def test_notebook_variables_become_a_configuration():
    namespace = {
        "In": ["x"],
        "Out": {},
        "_i": "x",
        "math": math,
        "loss": "pat",
        "T": 5,
        "gamma": None,
        "folder": "here",
    }
    config, folder = report.notebook_parameters(namespace)
    assert config == RunConfig(loss="pat", T=5.0)
    assert folder == Path("here") / config.run_path


@pytest.mark.parametrize(
    ("namespace", "message"),
    [
        ({"losss": "ce"}, "no setting 'losss'; did you mean 'loss'"),
        ({"losses": ["ce"]}, "no setting 'losses'"),
        ({"epochs": "3"}, "epochs"),
        ({"loss": "ce", "T": 20.0}, "no parameter 'T'"),
    ],
)
def test_a_misspelt_or_mistyped_notebook_variable_is_an_error(namespace, message):
    with pytest.raises(ValueError, match=message):
        report.notebook_parameters(namespace)


PARAMETERS = """T = None
loss = "pat"
folder = "runs"
"""


@pytest.fixture
def notebook(tmp_path):
    def cell(source, tags=()):
        return {
            "cell_type": "code", "id": f"c{len(source)}", "metadata": {"tags": list(tags)}, "outputs": [],
            "execution_count": None, "source": source,
        }  # fmt: skip

    code = (
        "from patlib.experiments import report\n"
        "config, own = report.notebook_parameters(globals())\n"
        "(own / 'seen').write_text(str(config.loss_parameters['T']))"
    )
    content = {
        "cells": [cell(PARAMETERS, ["parameters"]), cell(code)],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = tmp_path / "one.ipynb"
    path.write_text(json.dumps(content))
    return path


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::ResourceWarning")
def test_papermill_runs_the_notebook_with_the_whole_configuration(notebook, tmp_path):
    config = RunConfig(T=7.0)
    executed = report.run_notebook(notebook, config, tmp_path / "runs")
    assert executed == tmp_path / "runs" / config.run_path / "notebook.ipynb"
    assert (executed.parent / "seen").read_text() == "7.0"
    assert sorted(path.name for path in executed.parent.iterdir()) == ["notebook.ipynb", "seen"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("before", ["", "## Take-aways\n\nSome.\n\n"])
def test_a_report_ends_before_the_exercises(notebook, tmp_path, before):
    content = nbformat.read(notebook, as_version=4)
    content.cells.append(nbformat.v4.new_markdown_cell(f"{before}## Exercises\n\n**1.** Why?"))
    content.cells.append(nbformat.v4.new_code_cell("assert False", metadata={"tags": ["check"]}))
    nbformat.write(content, notebook)
    cells = nbformat.read(report.run_notebook(notebook, RunConfig(T=7.0), tmp_path / "runs"), as_version=4).cells
    assert not any("Exercises" in cell.source or "assert False" in cell.source for cell in cells)
    assert (cells[-1].source == before.strip()) if before else cells[-1].cell_type == "code"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::ResourceWarning")
def test_papermill_with_a_misspelt_parameter_fails(notebook, tmp_path):
    import papermill

    with pytest.raises(papermill.PapermillExecutionError, match="no setting 'losss'; did you mean 'loss'"):
        papermill.execute_notebook(notebook, tmp_path / "out.ipynb", {"losss": "ce"}, progress_bar=False)

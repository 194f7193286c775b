import sys
from pathlib import Path

import pytest
import tables as script
import torch
from tiny_run import TINY

from patlib.data import DataError
from patlib.trainer import loop
from patlib.trainer.config import RunConfig

CPU = torch.device("cpu")
CELLS = [RunConfig(**TINY, seed=seed) for seed in range(3)]


@pytest.fixture
def tiny_plan(monkeypatch, tiny_dataset):
    monkeypatch.setattr(script, "planned", lambda kind: iter(CELLS))
    monkeypatch.setattr(script, "open_dataset", lambda config: tiny_dataset)
    monkeypatch.setattr(loop, "open_dataset", lambda config, progress=True: tiny_dataset)


def run_cells(folder, seconds):
    return script.run_cells("cpu", folder / "runs", folder / "records", script.time.monotonic() + seconds)


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_the_plan_names_each_cell_once_and_begins_with_a_seed_of_the_main_table(kind):
    cells = list(script.planned(kind))
    assert len({cell.run_path for cell in cells}) == len(cells) > 200
    assert {(cell.dataset, cell.seed, cell.model) for cell in cells[:8]} == {("camvid", 0, "segnet")}
    assert len({cell.loss for cell in cells[:8]}) == 8
    assert {cell.seed for cell in cells} == {0, 1, 2}


def test_records_are_kept_without_weights_and_not_run_again(tiny_plan, tmp_path):
    assert run_cells(tmp_path, 1000)["done"] == 3
    kept = sorted(path.name for path in (tmp_path / "records").rglob("*") if path.is_file())
    assert kept == ["record.json"] * 3
    assert run_cells(tmp_path, 1000) == {"done": 0, "there": 3, "failed": 0, "busy": 0, "no data": 0, "left": 0}


def test_nothing_is_begun_when_the_time_is_over(tiny_plan, tmp_path):
    assert run_cells(tmp_path, -1)["left"] == 3


def test_a_cell_that_would_not_end_in_time_is_left(tiny_plan, tmp_path, monkeypatch):
    now = iter([0.0, 0.0, 100.0, 100.0, 100.0])  # asked, begun, ended; then asked of the two others
    monkeypatch.setattr(script.time, "monotonic", lambda: next(now))
    count = script.run_cells("cpu", tmp_path / "runs", tmp_path / "records", 150.0)
    assert (count["done"], count["left"]) == (1, 2)


def test_a_failed_cell_is_counted_and_does_not_stop_the_rest(tiny_plan, tmp_path, monkeypatch):
    broken = RunConfig(**TINY, learning_rate=1e30)
    monkeypatch.setattr(script, "planned", lambda kind: iter([broken, *CELLS[:1]]))
    count = run_cells(tmp_path, 1000)
    assert (count["failed"], count["done"]) == (1, 1)
    assert not (tmp_path / "records" / broken.run_path).exists()


def test_a_dataset_that_is_not_there_is_said_once(tiny_plan, tmp_path, monkeypatch, capsys):
    def absent(config):
        raise DataError("nothing here")

    monkeypatch.setattr(script, "open_dataset", absent)
    assert run_cells(tmp_path, 1000)["no data"] == 3
    assert capsys.readouterr().out.count("synthetic: not run: nothing here") == 1


def test_only_benchmarks_without_a_file_are_run(tmp_path, monkeypatch):
    (tmp_path / "cost").mkdir()
    (tmp_path / "cost" / "cpu.json").touch()
    commands = []

    class Ended:
        returncode = 0

    monkeypatch.setattr(script.subprocess, "run", lambda command: commands.append(command) or Ended)
    script.run_benchmarks(CPU, tmp_path, -1.0)
    assert commands == []
    assert script.run_benchmarks(CPU, tmp_path, script.time.monotonic() + 1000) == 0
    assert [Path(command[1]).stem for command in commands] == ["loss", "trainer"]
    assert all(command[0] == sys.executable and "cpu" in command for command in commands)


def test_a_budget_that_is_none_is_refused(capsys):
    with pytest.raises(SystemExit):
        script.main(["--minutes", "0"])
    assert "above 0" in capsys.readouterr().err

import sys
from pathlib import Path

import gpu as script
import pytest
import torch

from patlib.experiments.queue import QueueResult

CPU = torch.device("cpu")


@pytest.fixture
def queued(monkeypatch):
    """What was handed to the queue; each failure is one run."""
    seen = []

    def run_queue(configs, runs, records, minutes, workers):
        seen.append((configs, minutes))
        return QueueResult(failed=[("a run", "its error")] if len(seen) > 1 else [])

    monkeypatch.setattr(script, "run_queue", run_queue)
    monkeypatch.setattr(script, "run_benchmarks", lambda device, records, deadline: 0)
    return seen


@pytest.mark.parametrize(("cuda", "size"), [(False, (90, 120)), (True, (360, 480))])
def test_the_studies_are_run_at_the_scale_of_the_machine(queued, monkeypatch, cuda, size):
    monkeypatch.setattr(script.torch.cuda, "is_available", lambda: cuda)
    script.main(["--minutes", "10"])
    ((configs, minutes),) = queued
    assert configs[0].image_size == size and 9.9 < minutes <= 10


def test_nothing_is_begun_when_the_benchmarks_took_all_the_time(queued):
    script.main(["--minutes", "1e-9"])
    assert queued == []


def test_a_failed_run_is_an_exit_status(queued):
    script.main(["--minutes", "10"])
    with pytest.raises(SystemExit):
        script.main(["--minutes", "10"])


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

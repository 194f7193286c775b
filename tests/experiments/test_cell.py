import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import grid_cells
import pytest
import torch
from filelock import FileLock
from grid_cells import CONFIGS, first_fails, first_waits, noted, quick, wait_until

from patlib.experiments import cell, runner
from patlib.files import write_tensors

FIRST, SECOND, *_ = CONFIGS


def start_driver(folder, cell, *workers):
    """Another process that runs CONFIGS."""
    return subprocess.Popen([sys.executable, grid_cells.__file__, str(folder), cell.__name__, *map(str, workers)])


def files_of(config, folder):
    return sorted(path.name for path in (folder / config.run_path).iterdir())


def test_a_cell_runs_once_and_leaves_no_lock(tmp_path):
    began = []
    assert cell.run_cell(quick, FIRST, tmp_path, began.append).state == "done"
    assert cell.run_cell(quick, FIRST, tmp_path, began.append).state == "there"
    assert began == [FIRST.run_name] and len(noted(FIRST, tmp_path)) == 1
    assert files_of(FIRST, tmp_path) == ["began", "record.json"]


def test_a_cell_that_fails_keeps_its_traceback_until_it_succeeds(tmp_path):
    outcome = cell.run_cell(first_fails, FIRST, tmp_path, print)
    assert outcome == ("failed", "OSError: the disk\nis full")
    assert "in first_fails" in (tmp_path / FIRST.run_path / "error.txt").read_text()
    assert cell.run_cell(quick, FIRST, tmp_path, print).state == "done"
    assert files_of(FIRST, tmp_path) == ["began", "record.json"]


def test_what_another_process_runs_is_busy_until_that_one_dies(tmp_path):
    driver = start_driver(tmp_path, first_waits)
    wait_until(lambda: noted(FIRST, tmp_path))
    assert cell.run_cell(quick, FIRST, tmp_path, print).state == "busy"
    with pytest.raises(BlockingIOError, match="going on in another process"), cell.hold_run(FIRST, tmp_path):
        pass
    driver.kill()
    driver.wait()
    assert cell.run_cell(quick, FIRST, tmp_path, print).state == "done"


def test_a_record_that_came_while_the_lock_was_taken_is_respected(tmp_path, monkeypatch):
    (tmp_path / FIRST.run_path).mkdir(parents=True)
    acquire = FileLock.acquire

    def late(lock, **options):
        quick(FIRST, tmp_path)  # what another process did between the first look and the lock
        return acquire(lock, **options)

    monkeypatch.setattr(FileLock, "acquire", late)
    assert cell.run_cell(quick, FIRST, tmp_path, print).state == "there"
    assert len(noted(FIRST, tmp_path)) == 1


def test_two_drivers_share_a_folder_and_repeat_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "BUSY_SECONDS", 0.05)
    other = start_driver(tmp_path, first_waits)
    wait_until(lambda: noted(FIRST, tmp_path))
    here = threading.Thread(target=runner.run_grid, args=(CONFIGS, tmp_path, False, quick))
    here.start()
    # The rest is done before the cell that the other driver holds; that one is waited for.
    wait_until(lambda: all(noted(config, tmp_path) for config in CONFIGS))
    assert here.is_alive() and not cell.is_there(FIRST, tmp_path)
    (tmp_path / "go").touch()
    here.join(600)
    assert other.wait(600) == 0
    assert [len(noted(config, tmp_path)) for config in CONFIGS] == [1] * len(CONFIGS)
    assert noted(FIRST, tmp_path) == [str(other.pid)] and noted(SECOND, tmp_path) == [str(os.getpid())]


def test_a_driver_that_was_killed_goes_on_where_it_stopped(tmp_path):
    (tmp_path / SECOND.run_path).mkdir(parents=True)
    quick(SECOND, tmp_path)
    driver = start_driver(tmp_path, first_waits)
    wait_until(lambda: noted(FIRST, tmp_path))
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    assert runner.run_grid(CONFIGS, tmp_path, False, quick) == []
    assert [len(noted(config, tmp_path)) for config in CONFIGS] == [2, 1, 1, 1, 1, 1]


def test_a_run_named_twice_is_run_once(tmp_path):
    assert runner.run_grid([FIRST, FIRST], tmp_path, False, quick) == []
    assert len(noted(FIRST, tmp_path)) == 1


def in_the_way(config, folder):
    """A file where the run's folder should be: nobody, not even root, can write there."""
    own = folder / config.run_path
    own.parent.mkdir(parents=True, exist_ok=True)
    own.touch()


def test_a_cell_that_cannot_be_written_fails_and_the_rest_is_run(tmp_path):
    in_the_way(FIRST, tmp_path)
    ((name, error),) = runner.run_grid(CONFIGS[:3], tmp_path, False, quick)
    assert name == FIRST.run_name and "File exists" in error and FIRST.run_name in error
    assert all(cell.is_there(config, tmp_path) for config in CONFIGS[1:3])


@pytest.mark.parametrize("error", [RuntimeError("no kernel\nfor this"), MemoryError("too large"), OSError("gone")])
def test_any_error_of_a_cell_is_told_by_its_first_line(error, tmp_path):
    def breaks(config, folder):
        if config == FIRST:
            raise error
        quick(config, folder)

    told = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    assert runner.run_grid([FIRST, SECOND], tmp_path, False, breaks) == [(FIRST.run_name, told)]
    assert cell.is_there(SECOND, tmp_path)


def test_a_lock_is_named_with_the_process_that_holds_it(tmp_path):
    with cell.hold_run(FIRST, tmp_path):
        lock = tmp_path / FIRST.run_path / ".lock"
        held = str(lock.stat().st_ino) in Path("/proc/locks").read_text()
        outcome = cell.run_cell(quick, FIRST, tmp_path, print)
    assert outcome.state == "busy"
    assert f"(pid {os.getpid()})" in outcome.error or not held


def leave_state(config, folder, curves):
    """The state of an interrupted run, as far as it is looked at when there is a record."""
    unfinished = folder / config.run_path / "unfinished"
    unfinished.mkdir(parents=True)
    write_tensors(unfinished / "state.safetensors", {"a": torch.zeros(1)}, {"facts": json.dumps({"curves": curves})})
    (folder / config.run_path / ".lock").touch()


def test_what_a_run_that_was_killed_after_its_record_left_is_removed_when_it_is_asked_for(tmp_path):
    leave_state(FIRST, tmp_path, [{"epoch": 1}])
    (tmp_path / FIRST.run_path / "record.json").write_text(
        '{"curves": [{"epoch": 1}], "checkpoints": {"best": {"epoch": 1}, "last": {"epoch": 1}}}'
    )
    assert runner.run_grid([FIRST], tmp_path, False, quick) == []
    assert files_of(FIRST, tmp_path) == ["record.json"]
    (tmp_path / FIRST.run_path / "unfinished").mkdir()  # of which it had removed all but the folder
    assert cell.is_done(FIRST, tmp_path) and files_of(FIRST, tmp_path) == ["record.json"]


def test_the_state_of_a_run_that_is_trained_again_stays_beside_the_old_record(tmp_path):
    leave_state(FIRST, tmp_path, [{"epoch": 1, "train_seconds": 2.0}])
    (tmp_path / FIRST.run_path / "record.json").write_text(
        '{"curves": [{"epoch": 1, "train_seconds": 1.0}], "checkpoints": {"best": {"epoch": 1}, "last": {"epoch": 1}}}'
    )
    assert cell.is_done(FIRST, tmp_path)
    assert files_of(FIRST, tmp_path) == ["record.json", "unfinished"]
    with cell.hold_run(FIRST, tmp_path):
        assert cell.is_done(FIRST, tmp_path)  # and no error where another process holds it

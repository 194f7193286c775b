import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import fake_worker
import pytest
from alive import is_alive
from grid_cells import wait_until

from patlib.experiments import queue
from patlib.experiments.cell import hold_run
from patlib.trainer.config import RunConfig
from patlib.trainer.state import FOLDER

CONFIGS = [RunConfig(seed=seed, accelerator="cpu") for seed in range(4)]
TINY = {
    "model_width": 2, "epochs": 1, "batch_size": 8, "image_height": 16, "image_width": 20, "accelerator": "cpu",
}  # fmt: skip


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run CONFIGS, each with an action of the fake worker; what is said goes into ``run.said``."""
    monkeypatch.setattr(queue, "WORKER", (sys.executable, fake_worker.__file__))
    monkeypatch.setattr(queue, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(queue, "GRACE_SECONDS", 0.5)
    runs, records = tmp_path / "runs", tmp_path / "records"
    runs.mkdir()

    def run(*actions, minutes=30.0, workers=1, configs=CONFIGS):
        plan = {c.seed: (action, str(c.run_path)) for c, action in zip(configs, actions, strict=False)}
        (runs / "plan.json").write_text(json.dumps(plan))
        return queue.run_queue(configs[: len(actions)], runs, records, minutes, workers, 0, run.said.append)

    run.said = []
    return run


def began(folder):
    """(seed, process, threads, nice) of each run that a worker began, in order."""
    path = folder / "runs" / "began"
    return [tuple(map(int, line.split())) for line in path.read_text().splitlines()] if path.exists() else []


def test_runs_are_made_in_order_and_their_records_kept_without_anything_else(run, tmp_path):
    result = run("done", "done", "done")
    assert (result.done, result.left, result.failed) == (3, 0, [])
    assert [seed for seed, *_ in began(tmp_path)] == [0, 1, 2]
    kept = sorted(path.relative_to(tmp_path / "records") for path in (tmp_path / "records").rglob("*.*"))
    assert kept == sorted(config.run_path / "record.json" for config in CONFIGS[:3])
    assert [line.split()[1] for line in run.said] == ["began", "done"] * 3
    assert "0 left" in run.said[-1]


def test_what_has_a_record_here_or_among_the_kept_is_not_run_again(run, tmp_path):
    run("done", "done")
    (tmp_path / "runs" / CONFIGS[0].run_path / "record.json").unlink()
    (tmp_path / "records" / CONFIGS[1].run_path / "record.json").unlink()
    result = run("done", "done")
    assert (result.there, result.done) == (2, 0) and len(began(tmp_path)) == 2
    assert (tmp_path / "records" / CONFIGS[1].run_path / "record.json").exists()


def test_a_run_that_was_begun_before_goes_first(run, tmp_path):
    (tmp_path / "runs" / CONFIGS[2].run_path / FOLDER).mkdir(parents=True)
    run("done", "done", "done")
    assert [seed for seed, *_ in began(tmp_path)] == [2, 0, 1]


def test_a_run_that_fails_is_listed_and_the_next_goes_on(run, tmp_path):
    result = run("fail", "crash", "die", "done")
    assert result.done == 1 and [name for name, _ in result.failed] == [config.run_name for config in CONFIGS[:3]]
    reasons = [reason for _, reason in result.failed]
    assert reasons[:2] == ["ValueError: the reason", "RuntimeError: before it could say anything"]
    assert "signal 9" in reasons[2]
    assert not (tmp_path / "records" / CONFIGS[0].run_path / "record.json").exists()


def test_a_dataset_that_is_not_here_is_said_once_and_its_runs_are_skipped(run, tmp_path):
    result = run("no data", "no data", "no data", workers=2)
    assert result.without_data == 3 and result.failed == []
    assert sum("synthetic is not run: nothing here" in line for line in run.said) == 1
    assert len(began(tmp_path)) <= 2


def test_at_the_deadline_runs_are_stopped_even_one_that_will_not(run, tmp_path, monkeypatch):
    begun = [tmp_path / "runs" / config.run_path / "unfinished" for config in CONFIGS[:2]]

    def clock():
        """An hour passes as soon as both runs are under way, however long that takes here."""
        return time.monotonic() + 3600 * all(map(Path.exists, begun))

    monkeypatch.setattr(queue, "time", SimpleNamespace(monotonic=clock, sleep=time.sleep, strftime=time.strftime))
    result = run("hang", "stubborn", "done", workers=2)
    assert (result.done, result.left) == (0, 3)
    assert not any(is_alive(process) for _, process, *_ in began(tmp_path))
    assert queue.state_of(CONFIGS[0], tmp_path / "runs", tmp_path / "records") == "started"


def test_a_run_whose_lock_another_process_holds_is_left_to_it(run, tmp_path):
    with hold_run(CONFIGS[0], tmp_path / "runs"):
        result = run("done", "done")
    assert (result.done, result.elsewhere, result.left) == (1, 1, 0)
    assert [seed for seed, *_ in began(tmp_path)] == [1]


def test_a_run_that_another_process_ended_meanwhile_counts_as_there(run, tmp_path, monkeypatch):
    monkeypatch.setattr(queue, "BUSY_SECONDS", 0.0)
    look = queue._Queue._next

    def ends_elsewhere(self):
        config = look(self)
        other = tmp_path / "runs" / CONFIGS[1].run_path
        other.mkdir(parents=True, exist_ok=True)
        (other / "record.json").write_text(json.dumps(fake_worker.record(CONFIGS[1].model_dump())))
        return config

    monkeypatch.setattr(queue._Queue, "_next", ends_elsewhere)
    result = run("done", "done")
    assert (result.done, result.there) == (1, 1) and len(began(tmp_path)) == 1
    assert (tmp_path / "records" / CONFIGS[1].run_path / "record.json").exists()


def test_an_interruption_leaves_no_process(run, tmp_path, monkeypatch):
    look = queue._Queue._next

    def interrupted(self):
        if len(began(tmp_path)) == 2:
            raise KeyboardInterrupt
        return look(self)

    monkeypatch.setattr(queue._Queue, "_next", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("hang", "hang", workers=3)
    assert len(began(tmp_path)) == 2 and not any(is_alive(process) for _, process, *_ in began(tmp_path))


@pytest.mark.parametrize(("options", "message"), [({"workers": 0}, "workers"), ({"minutes": 0}, "minutes")])
def test_no_worker_and_no_time_are_refused(run, options, message):
    with pytest.raises(ValueError, match=f"{message} must be"):
        run("done", **options)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_real_workers_train_and_stop_when_the_queue_is_killed(tmp_path):
    short, endless = RunConfig(**TINY), RunConfig(**{**TINY, "epochs": 100000})
    code = (
        "from patlib.trainer.config import RunConfig; from patlib.experiments.queue import run_queue\n"
        f"configs = [RunConfig(**{TINY!r}), RunConfig(**{ {**TINY, 'epochs': 100000}!r})]\n"
        f"run_queue(configs, {str(tmp_path / 'runs')!r}, {str(tmp_path / 'records')!r}, 10.0, 2, 0)"
    )
    environment = {**os.environ, "PATLIB_CACHE": str(tmp_path / "cache")}
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: (tmp_path / "records" / short.run_path / "record.json").exists())
        wait_until(lambda: (tmp_path / "runs" / endless.run_path / FOLDER / "state.safetensors").exists())
        assert len(workers_of(tmp_path)) == 1
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    wait_until(lambda: not workers_of(tmp_path))


def workers_of(folder):
    """Processes that name the folder of runs on the command line of a worker."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if b"patlib.experiments.worker" in words and str(folder / "runs").encode() in words:
            found.append(path.parent.name)
    return found

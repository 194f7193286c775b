"""Many at once, links that were planted, and machines that give little: each is whole, or refused in one sentence."""

import json
import os
import sys
import time

import pytest
import victims
from test_kills import files_below

from patlib.datasets import DataError, prepare, synthetic
from patlib.experiments import runner
from patlib.files import write_json
from patlib.trainer.config import RunConfig

CONFIG = RunConfig(accelerator="cpu")


def wait_until(condition):
    end = time.monotonic() + victims.HANGS_SECONDS
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="starts processes from a server of forks")
def test_readers_of_a_record_that_is_written_find_it_whole(trials, tmp_path, tiny_run):
    _, record = tiny_run
    for trial in trials("read a record that is written", short=1):
        path, until = tmp_path / "record.json", tmp_path / f"until-{trial.seed}"
        write_json(path, {**record, "writer": [0, 0]})
        answers = [tmp_path / f"answer-{number}" for number in range(3)]
        processes = [victims.start(victims.write_records, path, record, until) for _ in range(2)]
        processes += [victims.start(victims.read_records, path, until, answer) for answer in answers]
        wait_until(lambda answers=answers: all(answer.exists() for answer in answers))  # each has read once
        time.sleep(trial.rng.uniform(0.2, 2))
        for writer in processes[: trial.rng.randint(0, 2)]:
            writer.kill()
            trial.counts["kills"] += 1
        time.sleep(0.5)
        until.touch()
        for process in processes:
            process.join()
        assert all(process.exitcode == 0 for process in processes[2:])
        reads = [json.loads(answer.read_text()) for answer in answers]
        assert all(number > 0 for number, _ in reads) and any(writers != [0] for _, writers in reads)
        trial.counts["reads"] += sum(number for number, _ in reads)
        for answer in answers:
            answer.unlink()
        write_json(path, record)
        assert not [name for name in os.listdir(tmp_path) if name.startswith(".record")]


def test_links_that_were_planted_are_not_written_through(trials, tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "COUNTS", {"train": 2, "val": 1, "test": 1})
    for trial in trials("plant links", short=3):
        place = tmp_path / str(trial.seed)
        own, cache = place / "runs" / CONFIG.run_path, place / "cache"
        own.mkdir(parents=True)
        cache.mkdir()
        victim = place / "precious"
        victim.write_text("precious")

        def quick(config, folder, trial=trial):
            write_json(folder / config.run_path / "record.json", {"seed": trial.seed})

        token = f"{trial.rng.getrandbits(64):016x}"
        names = [own / f".record.json.{token}", own / "record.json", place / "runs" / f".grid.{token}"]
        names += [
            cache / f".synthetic-4x5-seed0-work-{token[:8]}",
            cache / f".other-work-{token[:8]}",
            cache / ".third.lock",
        ]
        (cache / ".third-work-abc").mkdir()
        for name in trial.rng.sample(names, 3):
            name.symlink_to(trial.rng.choice([victim, place / "nowhere", place]))
        runner.run_grid([CONFIG], place / "runs", progress=False, job=quick)
        prepare("synthetic", (4, 5), cache=cache, progress=False)
        assert victim.read_text() == "precious" and not (place / "nowhere").exists()


def test_a_lock_that_is_a_link_is_refused_by_name(tmp_path):
    own = tmp_path / CONFIG.run_path
    own.mkdir(parents=True)
    (tmp_path / "precious").write_text("precious")
    (own / ".lock").symlink_to(tmp_path / "precious")
    ((_, error),) = runner.run_grid([CONFIG], tmp_path, progress=False, job=lambda config, folder: None)
    assert str(own / ".lock") in error and "\n" not in error
    assert (tmp_path / "precious").read_text() == "precious"


def test_too_few_file_descriptors_are_one_sentence(monkeypatch, tmp_path):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (40, 40))
    with pytest.raises(ValueError, match=r"2 workers need 80 open files, and this process may have 40: .*ulimit -n"):
        runner.run_grid([CONFIG], tmp_path, progress=False, workers=2)
    assert files_below(tmp_path) == {}


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("PATLIB_CACHE", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 987654)
    with pytest.raises(DataError, match="no home folder; set PATLIB_CACHE"):
        prepare("synthetic", (4, 5), progress=False)

"""A disk that is full or read-only: what was there stays, the error names it, and what follows is whole."""

import errno
import os
import shutil
import subprocess

import pytest
from test_kills import files_below
from tiny_run import TINY

from patlib import datasets
from patlib.datasets import DataError, synthetic
from patlib.experiments import runner
from patlib.files import write_json
from patlib.losses import LOSSES
from patlib.trainer import fit, loop
from patlib.trainer.config import RunConfig


@pytest.fixture
def disk(tmp_path):
    """A disk of 4 MB, in memory; a skip where this process may not mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("there is no command to mount a disk with")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
def few_scenes(monkeypatch):
    monkeypatch.setattr(synthetic, "COUNTS", {"train": 12, "val": 4, "test": 4})


def fill(disk, free):
    """Leave so many bytes on a disk, to within a page; returns the file that takes the rest."""
    filler = disk / "filler"
    filler.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - free)))
    return filler


def one_sentence(error, disk):
    """Whether an error is a message that a user can mend and that names the disk."""
    return isinstance(error, OSError | DataError) and str(disk) in str(error) and "full" in str(error)


def test_a_full_disk_costs_a_run_nothing(trials, disk, tmp_path, tiny_dataset):
    for trial in trials("fill the disk of a run", short=6):
        config = RunConfig(**{**TINY, "loss": trial.rng.choice(list(LOSSES)), "seed": trial.seed % 10})
        fit(config, tmp_path / "alone", tiny_dataset, progress=False)
        filler = fill(disk, trial.rng.randint(0, 150_000))
        try:
            fit(config, disk / "run", tiny_dataset, progress=False)
        except OSError as error:
            assert one_sentence(error, disk)
            trial.counts["full"] += 1
        filler.unlink()
        fit(config, disk / "run", tiny_dataset, progress=False)
        assert files_below(disk / "run") == files_below(tmp_path / "alone")
        shutil.rmtree(disk / "run")


def test_a_full_disk_keeps_the_old_record(trials, disk):
    path = disk / "record.json"
    for trial in trials("fill the disk of a record", short=20):
        path.unlink(missing_ok=True)
        write_json(path, {"old": 1})
        filler = fill(disk, trial.rng.randint(0, 60_000))
        new = {"new": [trial.rng.random() for _ in range(trial.rng.randint(1, 3000))]}
        try:
            write_json(path, new)
            assert '"new"' in path.read_text()
        except OSError as error:
            assert one_sentence(error, disk) and path.read_text() == '{\n "old": 1\n}\n'
            trial.counts["full"] += 1
        filler.unlink()
        assert os.listdir(disk) == ["record.json"]


def test_a_full_disk_leaves_no_half_of_a_preparation(trials, disk, few_scenes):
    for trial in trials("fill the disk of a preparation", short=6):
        size = (trial.rng.randint(8, 60), trial.rng.randint(8, 60))
        filler = fill(disk, trial.rng.randint(0, 300_000))
        try:
            datasets.prepare("synthetic", size, cache=disk / "cache", progress=False)
        except DataError as error:
            assert one_sentence(error, disk)
            trial.counts["full"] += 1
            assert not (disk / "cache").exists() or os.listdir(disk / "cache") == []
        filler.unlink()
        datasets.prepare("synthetic", size, cache=disk / "cache", progress=False)
        shutil.rmtree(disk / "cache")


def test_a_preparation_has_its_space_before_it_decodes_anything(disk, few_scenes, monkeypatch):
    drawn = synthetic._draw

    def while_another_fills_the_disk(*arguments):
        fill(disk, 30_000)  # the manifest is yet to come
        return drawn(*arguments)

    monkeypatch.setattr(synthetic, "_draw", while_another_fills_the_disk)
    datasets.prepare("synthetic", (40, 60), cache=disk / "cache", progress=False)


def test_a_full_disk_fails_cells_and_no_grid(trials, disk, tiny_dataset, monkeypatch):
    monkeypatch.setattr(loop, "open_dataset", lambda config, progress: tiny_dataset)
    for trial in trials("fill the disk of a grid", short=2):
        configs = [RunConfig(**{**TINY, "epochs": 1, "loss": loss}) for loss in trial.rng.sample(list(LOSSES), 3)]
        filler = fill(disk, trial.rng.randint(0, 200_000))
        failures = runner.run_grid(configs, disk / "runs", progress=False)
        assert all(str(disk) in error and "full" in error for _, error in failures), failures
        trial.counts["full"] += len(failures)
        filler.unlink()
        assert runner.run_grid(configs, disk / "runs", progress=False) == []
        assert all(
            sorted(os.listdir(disk / "runs" / config.run_path))
            == ["best.safetensors", "last.safetensors", "record.json"]
            for config in configs
        )
        shutil.rmtree(disk / "runs")


def test_what_may_only_be_read_is_read_and_named_where_it_must_be_written(
    trials, disk, tiny_dataset, few_scenes, monkeypatch
):
    monkeypatch.setattr(loop, "open_dataset", lambda config, progress: tiny_dataset)
    datasets.prepare("synthetic", (8, 8), cache=disk / "cache", progress=False)
    fit(RunConfig(**TINY), disk / "done", tiny_dataset, progress=False)
    before = files_below(disk)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)

    def read():
        assert len(datasets.prepare("synthetic", (8, 8), cache=disk / "cache", progress=False).splits["val"]) == 4

    refused = {
        "another preparation": lambda: datasets.prepare("synthetic", (9, 9), cache=disk / "cache", progress=False),
        "a new run": lambda: fit(RunConfig(**TINY), disk / "new", tiny_dataset, progress=False),
        "a run again": lambda: fit(RunConfig(**TINY), disk / "done", tiny_dataset, progress=False),
        "a record": lambda: write_json(disk / "done" / "record.json", {}),
    }
    for trial in trials("write to a disk that is read-only", short=5):
        read()
        name = trial.rng.choice([*refused, "a grid"])
        if name == "a grid":
            ((_, error),) = runner.run_grid([RunConfig(**TINY)], disk, progress=False)
            assert str(disk) in error, error
        else:
            with pytest.raises(OSError, match=str(disk)) as caught:
                refused[name]()
            assert caught.value.errno == errno.EROFS, name
        assert files_below(disk) == before

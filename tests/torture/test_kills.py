"""Whatever is killed, and whenever, goes on and ends as if it had been left alone, and leaves nothing else behind."""

import json
import os
import sys
from pathlib import Path

import pytest
import victims
from alive import is_alive

from patlib.files import sha256
from patlib.losses import LOSSES
from patlib.models import MODELS
from patlib.trainer.config import RunConfig
from patlib.trainer.state import weights_path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="starts processes from a server of forks")
SIZE = (16, 20)
SMALL = {
    "dataset": "synthetic", "image_height": 16, "image_width": 20, "batch_size": 8, "epochs": 3, "accelerator": "cpu",
}  # fmt: skip
WHOLE_RUN = ["best.safetensors", "last.safetensors", "record.json"]


def without_times(record):
    curves = [{name: value for name, value in row.items() if not name.endswith("_seconds")} for row in record["curves"]]
    return {**record, "curves": curves}


def files_below(folder):
    """Every file below a folder, with its content; the times of records aside."""
    return {
        str(path.relative_to(folder)): without_times(json.loads(path.read_text()))
        if path.name == "record.json"
        else sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """The prepared scenes."""
    folder = tmp_path_factory.mktemp("scenes") / "cache"
    victims.whole(victims.prepare, folder, SIZE)
    return folder


def attack(trial, tmp_path, function, *arguments):
    """Let something end in one folder; kill it several times in another, then let it end: the folders must be equal."""
    alone, other = tmp_path / f"alone-{trial.seed}", tmp_path / f"killed-{trial.seed}"
    touches, seconds = victims.whole(function, alone, *arguments)
    for _ in range(trial.rng.randint(2, 6)):
        trial.counts["kills"] += victims.killed(trial.rng, touches, seconds, function, other, *arguments)
    victims.whole(function, other, *arguments)
    assert files_below(other) == files_below(alone), arguments
    return other


@pytest.mark.parametrize("devices", [1, 2])
def test_a_killed_run_ends_as_one_left_alone(devices, trials, tmp_path, cache):
    # Groups are for the long form: test_resume.py kills one whose processes are no forks.
    for trial in trials(f"kill a run of {devices} process{'es' * (devices > 1)}", short=2 if devices == 1 else 0):
        settings = {
            **SMALL, "loss": trial.rng.choice(list(LOSSES)), "model": trial.rng.choice(list(MODELS)),
            "model_width": 2, "devices": devices, "seed": trial.rng.randint(0, 9),
            "precision": trial.rng.choice(["fp32", "fp32", "bf16"]),
        }  # fmt: skip
        keep_seconds = trial.rng.choice([-1.0, 0.05, 180.0])
        other = attack(trial, tmp_path, victims.grid, [settings], cache, keep_seconds)
        assert sorted(os.listdir(other / RunConfig(**settings).run_path)) == WHOLE_RUN


def test_a_run_killed_while_it_writes_its_last_files_ends_as_one_left_alone(trials, tmp_path, cache):
    settings = {**SMALL, "model_width": 2, "epochs": 1}
    arguments = ([settings], cache, 180.0)
    for trial in trials("kill a run at its end", short=1):
        alone = tmp_path / f"alone-{trial.seed}"
        touches, _ = victims.whole(victims.grid, alone, *arguments)
        other = tmp_path / f"killed-{trial.seed}"
        for _ in range(trial.rng.randint(1, 3)):
            at = touches - trial.rng.randrange(30)
            process = victims.start(victims.grid, other, *arguments, below=other, at=at)
            process.join()
            trial.counts["kills"] += process.exitcode != 0
        victims.whole(victims.grid, other, *arguments)
        assert files_below(other) == files_below(alone)
        assert sorted(os.listdir(other / RunConfig(**settings).run_path)) == WHOLE_RUN


def test_a_run_that_is_killed_while_it_is_made_again_costs_nothing_that_was_there(trials, tmp_path, cache):
    settings = {**SMALL, "model_width": 2, "epochs": 2}
    for trial in trials("kill a run that is made again", short=0):
        alone, other = tmp_path / f"alone-{trial.seed}", tmp_path / f"killed-{trial.seed}"
        for folder in (alone, other):
            victims.whole(victims.again, folder, settings, cache)
        touches, seconds = victims.whole(victims.again, alone, settings, cache)
        own = other / RunConfig(**settings).run_path
        for _ in range(trial.rng.randint(2, 5)):
            trial.counts["kills"] += victims.killed(trial.rng, touches, seconds, victims.again, other, settings, cache)
            what_is_there_is_whole(own)
        victims.whole(victims.again, other, settings, cache)
        assert files_below(other) == files_below(alone)
        assert sorted(os.listdir(own)) == WHOLE_RUN


def what_is_there_is_whole(own):
    """The record, the old or the new one, with the weights that it names."""
    record = json.loads((own / "record.json").read_text())
    for name, checkpoint in record["checkpoints"].items():
        assert sha256(weights_path(own, name, record)) == checkpoint["sha256"]


def test_a_killed_grid_ends_as_one_left_alone(trials, tmp_path, cache):
    for trial in trials("kill a grid", short=0):
        losses = trial.rng.sample(list(LOSSES), 3)
        settings = [{**SMALL, "epochs": 1, "model_width": 1, "loss": loss} for loss in losses]
        attack(trial, tmp_path, victims.grid, settings, cache, 180.0)


def test_a_killed_preparation_is_made_anew_and_leaves_nothing(trials, tmp_path):
    for trial in trials("kill a preparation", short=3):
        size = (trial.rng.randint(4, 12), trial.rng.randint(4, 12))
        attack(trial, tmp_path, victims.prepare, size)
        assert len(os.listdir(tmp_path / f"killed-{trial.seed}")) == 1


def test_a_killed_queue_makes_every_run_once_at_a_time(trials, tmp_path):
    for trial in trials("kill a queue", short=1):
        settings = [{**SMALL, "seed": seed} for seed in range(5)]
        for name in ("alone", "killed"):
            runs = tmp_path / f"{name}-{trial.seed}" / "runs"
            runs.mkdir(parents=True)
            plan = {each["seed"]: str(RunConfig(**each).run_path) for each in settings}
            (runs / "plan.json").write_text(json.dumps(plan))
        attack_on_queue(trial, settings, tmp_path)


def attack_on_queue(trial, settings, tmp_path):
    alone, other = tmp_path / f"alone-{trial.seed}", tmp_path / f"killed-{trial.seed}"
    _, seconds = victims.whole(victims.queued, alone, settings)
    for _ in range(trial.rng.randint(1, 4)):
        process = victims.start(victims.queued, other, settings)
        process.join(trial.rng.uniform(0, seconds))
        process.kill()
        process.join()
        trial.counts["kills"] += process.exitcode != 0
    victims.whole(victims.queued, other, settings)
    never_twice_at_once(other / "runs" / "log")
    (alone / "runs" / "log").unlink()
    (other / "runs" / "log").unlink()
    assert files_below(other) == files_below(alone)
    assert not list(other.rglob("unfinished"))


def never_twice_at_once(log: Path):
    """No run begins while another process is at it, unless that one was killed."""
    running: dict[str, str] = {}
    for line in log.read_text().splitlines():
        what, seed, process = line.split()
        if what == "begins":
            assert seed not in running or not is_alive(running[seed]), line
            running[seed] = process
        else:
            del running[seed]


def test_fifty_kills_leave_nothing_that_grows(trials, tmp_path):
    for trial in trials("fifty kills of a preparation", short=1):
        folder = tmp_path / str(trial.seed)
        sizes = [(8, 10), (9, 9), (10, 8)]
        for _ in range(50 if os.environ.get("PATLIB_TORTURE_MINUTES") else 8):
            size, at = trial.rng.choice(sizes), trial.rng.randint(2, 30)
            process = victims.start(victims.prepare, folder, size, below=folder, at=at)
            process.join()
            trial.counts["kills"] += process.exitcode != 0
        for size in sizes:
            victims.whole(victims.prepare, folder, size)
        assert len(os.listdir(folder)) == len(sizes), os.listdir(folder)

"""A run that was stopped goes on as if it had not been: the same weights and the same record, bit for bit."""

import json
import os
import random
import re
import signal
import subprocess
import sys
from itertools import count

import pytest
import torch
from group_processes import processes_of, wait_until
from safetensors.torch import load_file
from tiny_run import TINY
from torch import nn

from patlib.losses import LOSSES
from patlib.models import MODELS
from patlib.trainer import fit, loop, state
from patlib.trainer.config import RunConfig


class Stopped(BaseException):
    """What takes the place of a kill."""


def without_times(record):
    curves = [{name: value for name, value in row.items() if not name.endswith("_seconds")} for row in record["curves"]]
    return {**record, "curves": curves}


def assert_the_same(folder, other):
    for name in ("last.safetensors", "best.safetensors"):
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name
    records = [json.loads((place / "record.json").read_text()) for place in (folder, other)]
    assert without_times(records[0]) == without_times(records[1])
    assert sorted(os.listdir(folder)) == ["best.safetensors", "last.safetensors", "record.json"]


@pytest.fixture
def stopped_after_each_keeping(monkeypatch):
    """Every call of fit is stopped when it has kept its state ``times`` times, at every step of every epoch."""

    def stop(times):
        keep = loop.keep
        kept = count(1)

        def keep_and_stop(run):
            keep(run)
            if next(kept) % times == 0:
                raise Stopped

        monkeypatch.setattr(loop, "keep", keep_and_stop)
        monkeypatch.setattr(loop, "KEEP_SECONDS", -1.0)

    return stop


def fit_until_done(*arguments, **options):
    """Returns how many times it was stopped."""
    for stops in count():
        try:
            fit(*arguments, **options, progress=False)
        except Stopped:
            continue
        return stops


@pytest.mark.parametrize(
    "settings", [{"loss": loss} for loss in LOSSES] + [{"model": model} for model in MODELS if model != "segnet"]
)
def test_a_run_stopped_within_and_between_epochs_ends_as_one_left_alone(
    settings, tiny_dataset, tmp_path, stopped_after_each_keeping
):
    config = RunConfig(**{**TINY, **settings, "epochs": 3})
    fit(config, tmp_path / "alone", tiny_dataset, progress=False)
    stopped_after_each_keeping(times=2)
    assert fit_until_done(config, tmp_path / "stopped", tiny_dataset) == 4  # of 9 steps
    assert_the_same(tmp_path / "stopped", tmp_path / "alone")


def test_a_run_in_bf16_goes_on_too(tiny_dataset, tmp_path, stopped_after_each_keeping):
    config = RunConfig(**{**TINY, "precision": "bf16", "loss": "blv"})
    fit(config, tmp_path / "alone", tiny_dataset, progress=False)
    stopped_after_each_keeping(times=1)
    assert fit_until_done(config, tmp_path / "stopped", tiny_dataset) == 6
    assert_the_same(tmp_path / "stopped", tmp_path / "alone")


def test_a_network_of_ones_own_goes_on_with_tied_weights_and_frozen_ones(
    tiny_dataset, tmp_path, stopped_after_each_keeping
):
    def network():
        torch.manual_seed(3)
        shared = nn.Conv2d(3, 3, 1)
        frozen = nn.Conv2d(3, 3, 1).requires_grad_(False)
        return nn.Sequential(shared, frozen, shared, nn.Conv2d(3, 10, 1))

    config = RunConfig(**{**TINY, "loss": "ce"})
    fit(config, tmp_path / "alone", tiny_dataset, progress=False, network=network())
    stopped_after_each_keeping(times=4)
    for _ in range(2):
        again = network()
        try:
            fit(config, tmp_path / "stopped", tiny_dataset, progress=False, network=again)
        except Stopped:
            continue
    assert_the_same(tmp_path / "stopped", tmp_path / "alone")
    best = load_file(tmp_path / "alone" / "best.safetensors")
    assert all(torch.equal(best[name], tensor) for name, tensor in again.state_dict().items())


def test_going_on_is_said_and_starting_anew_can_be_asked_for(
    tiny_dataset, tmp_path, stopped_after_each_keeping, capsys
):
    config = RunConfig(**TINY)
    stopped_after_each_keeping(times=5)
    for _ in range(2):
        with pytest.raises(Stopped):
            fit(config, tmp_path, tiny_dataset, progress=False, resume=False)
    fit(config, tmp_path, tiny_dataset)
    assert "going on from epoch 2 of 2, step 3" in capsys.readouterr().out


def test_what_a_finished_run_left_stays_until_the_next_one_is_done(tiny_dataset, tmp_path, stopped_after_each_keeping):
    config = RunConfig(**TINY)
    fit(config, tmp_path, tiny_dataset, progress=False)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    stopped_after_each_keeping(times=4)
    with pytest.raises(Stopped):
        fit(RunConfig(**{**TINY, "seed": 1}), tmp_path, tiny_dataset, progress=False)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    fit(RunConfig(**{**TINY, "seed": 1}), tmp_path, tiny_dataset, progress=False)
    assert json.loads((tmp_path / "record.json").read_text())["config"]["seed"] == 1


@pytest.fixture
def interrupted(tiny_dataset, tmp_path, stopped_after_each_keeping):
    """The folder of a run that was stopped in its second epoch."""
    stopped_after_each_keeping(times=4)
    with pytest.raises(Stopped):
        fit(RunConfig(**TINY), tmp_path, tiny_dataset, progress=False)
    return tmp_path


@pytest.mark.parametrize("name", ["state.safetensors", "rank0-000004.safetensors", "best-001.safetensors"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "gone"])
def test_a_damaged_state_is_named_and_refused(name, damage, interrupted, tiny_dataset):
    path = interrupted / "unfinished" / name
    content = bytearray(path.read_bytes())
    if damage == "gone":
        if name == "state.safetensors":
            pytest.skip("without it there is nothing to go on from")
        path.unlink()
    else:
        content[-7] ^= 4
        path.write_bytes({"flipped": content, "cut": content[:-9], "empty": b""}[damage])
    with pytest.raises(state.StateError, match=r"state\.safetensors cannot be used .* or call fit\("):
        fit(RunConfig(**TINY), interrupted, tiny_dataset, progress=False)
    assert path.exists() == (damage != "gone")  # nothing was removed for it
    assert not (interrupted / "record.json").exists()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"loss": "ce"}, "loss = 'pat', and this one's loss = 'ce'"),
        ({"seed": 3}, "seed"),
        ({"model_width": 3}, "width"),
    ],
)
def test_the_state_of_another_configuration_is_refused(setting, said, interrupted, tiny_dataset):
    with pytest.raises(state.StateError, match=f"is of another run: its config has.*{re.escape(said)}"):
        fit(RunConfig(**{**TINY, **setting}), interrupted, tiny_dataset, progress=False)


def test_the_state_of_another_dataset_of_the_same_name_and_size_is_refused(interrupted, tiny_dataset):
    split = tiny_dataset.splits["train"]
    images = split.images.copy()
    images[0, 0, 0, 0] ^= 1
    changed = type(split)(images, split.masks, split.names)
    other = type(tiny_dataset)(
        tiny_dataset.spec, tiny_dataset.size, {**tiny_dataset.splits, "train": changed}, tiny_dataset.folder,
        tiny_dataset.manifest,
    )  # fmt: skip
    with pytest.raises(state.StateError, match="its dataset has digest"):
        fit(RunConfig(**TINY), interrupted, other, progress=False)


def test_the_state_is_three_times_the_weights(tiny_dataset, tmp_path, stopped_after_each_keeping):
    config = RunConfig(**{**TINY, "model_width": 16})
    stopped_after_each_keeping(times=1)
    with pytest.raises(Stopped):
        fit(config, tmp_path, tiny_dataset, progress=False)
    size = (tmp_path / "unfinished" / "state.safetensors").stat().st_size
    fit_until_done(config, tmp_path, tiny_dataset)
    assert size < 3.03 * (tmp_path / "last.safetensors").stat().st_size


RUN = """
import sys; from pathlib import Path
from patlib.trainer import fit, loop; from patlib.trainer.config import RunConfig
loop.KEEP_SECONDS = float(sys.argv[3])
print("ready", flush=True)
fit(RunConfig(**{settings}), Path(sys.argv[1]), progress=False, resume=sys.argv[2] == "on")
"""


@pytest.mark.parametrize("devices", [1, 2])
def test_a_run_that_is_killed_at_random_moments_ends_as_one_left_alone(devices, tmp_path, monkeypatch):
    monkeypatch.setenv("PATLIB_CACHE", str(tmp_path / "cache"))
    settings = {
        "model_width": 2, "epochs": 4, "batch_size": 8, "image_height": 16, "image_width": 20, "accelerator": "cpu",
        "devices": devices, "loss": "blv",
    }  # fmt: skip
    command = [sys.executable, "-c", RUN.replace("{settings}", repr(settings))]
    subprocess.run([*command, tmp_path / "alone", "anew", "1000"], check=True)
    chance = random.Random(devices)
    kills = 0
    while True:
        process = subprocess.Popen([*command, tmp_path / "killed", "on", "0.2"], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"ready\n"
        try:
            process.wait(chance.uniform(1, 4) * devices if kills < 3 - devices else None)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            wait_until(lambda: not processes_of(tmp_path / "killed"))  # a group ends with its parent
            continue
        finally:
            process.stdout.close()
        break
    assert process.returncode == 0
    assert kills >= 1
    assert_the_same(tmp_path / "killed", tmp_path / "alone")

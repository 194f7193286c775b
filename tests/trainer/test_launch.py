import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from group_processes import processes_of, wait_until
from group_run import run
from safetensors.torch import load_file

from patlib.trainer import fit, launch
from patlib.trainer.config import RunConfig
from patlib.trainer.state import FOLDER, StateError

SCRIPT = Path(__file__).with_name("group_run.py")
TINY = {
    "model_width": 2, "epochs": 1, "batch_size": 8, "image_height": 16, "image_width": 20, "accelerator": "cpu",
    "devices": 2,
}  # fmt: skip


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PATLIB_CACHE", str(tmp_path / "cache"))


LOSSES = ("ce", "pat", "cbfocal")


@pytest.fixture(scope="module")
def of_two_processes(tmp_path_factory):
    """The folder that holds the run of each loss; one start of two processes serves them all."""
    folder = tmp_path_factory.mktemp("two")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run([*command, SCRIPT, folder, "2", *LOSSES], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return folder


@pytest.mark.parametrize("loss", LOSSES)
def test_two_processes_train_the_weights_of_one_and_measure_the_same(loss, of_two_processes, tmp_path):
    run(str(tmp_path), 1, loss)
    folders = (tmp_path, of_two_processes / loss)
    one, two = (json.loads((folder / "record.json").read_text()) for folder in folders)
    for curve, other in zip(one["curves"], two["curves"], strict=True):
        assert other["train_loss"] == pytest.approx(curve["train_loss"], rel=1e-5)
        assert other["val_cross_entropy"] == pytest.approx(curve["val_cross_entropy"], rel=1e-5)
        assert np.abs(np.subtract(other["val_forgotten"] or 0, curve["val_forgotten"] or 0)).sum() <= 4
    for split in ("train", "val", "test"):
        measured, other = (record["checkpoints"]["last"]["splits"][split] for record in (one, two))
        assert np.sum(other["confusion"]) == np.sum(measured["confusion"])
        assert np.abs(np.subtract(other["confusion"], measured["confusion"])).sum() <= 4  # pixels at a tie
        assert other["released_miou"] == pytest.approx(measured["released_miou"], abs=0.01)
    weights, others = (load_file(folder / "last.safetensors") for folder in folders)
    for name, tensor in weights.items():
        torch.testing.assert_close(others[name], tensor, rtol=1e-4, atol=1e-5)


def test_fit_starts_the_processes_itself(own_cache, tmp_path):
    config = RunConfig(**TINY, loss="blv")
    record = fit(config, tmp_path / "run", progress=False)
    assert record == json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["config"]["devices"] == 2
    files = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert files == ["best.safetensors", "last.safetensors", "record.json"]


def test_the_error_of_a_process_is_raised_here(own_cache, tmp_path):
    state = tmp_path / "run" / FOLDER / "state.safetensors"
    state.parent.mkdir(parents=True)
    state.write_bytes(b"no state")
    with pytest.raises(StateError, match=r"state\.safetensors"):
        fit(RunConfig(**TINY), tmp_path / "run", progress=False)
    assert state.read_bytes() == b"no state" and not (tmp_path / "run" / "record.json").exists()


def test_the_first_error_is_kept_and_one_of_an_unknown_kind_travels_as_its_text(tmp_path):
    class Local(Exception):
        """Known to nobody else."""

    launch.keep_error(Local("the cause"), tmp_path / "error.json")
    launch.keep_error(ValueError("a consequence"), tmp_path / "error.json")
    assert [path.name for path in tmp_path.iterdir()] == ["error.json"]
    error = launch.read_error(tmp_path / "error.json")
    assert type(error) is RuntimeError and "Local: the cause" in str(error)


def test_a_process_that_dies_is_reported(own_cache, tmp_path, monkeypatch):
    monkeypatch.setattr(launch.sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match=r"a process of 2 died \(exit status 1\)"):
        fit(RunConfig(**TINY), tmp_path / "run", progress=False)


def test_a_process_that_is_killed_is_not_hidden_by_what_the_others_say(own_cache, tmp_path):
    config = RunConfig(**{**TINY, "epochs": 100000})

    def kill_one():
        wait_until(lambda: (tmp_path / "run" / FOLDER / "state.safetensors").exists())
        os.kill(int(processes_of(tmp_path / "run")[0]), signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    with pytest.raises(RuntimeError, match=r"a process of 2 died \(exit status -9\)"):
        fit(config, tmp_path / "run", progress=False)
    killer.join()


def test_the_processes_share_the_threads_of_the_one_that_starts_them(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    assert [environment["OMP_NUM_THREADS"] for environment in launch._environments(2)] == ["4", "4"]


def test_objects_that_cannot_travel_are_refused(tiny_dataset, tmp_path):
    with pytest.raises(ValueError, match="torchrun --nproc-per-node 2"):
        fit(RunConfig(**TINY), tmp_path, tiny_dataset, progress=False)


def test_a_group_of_another_size_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(ValueError, match="devices is 2 in a group of 3 processes"):
        fit(RunConfig(**TINY), tmp_path, progress=False)


def test_more_devices_than_images_in_a_batch_are_refused():
    with pytest.raises(ValueError, match="9 devices cannot share a batch of 8"):
        RunConfig(devices=9)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_group_stops_when_the_process_that_started_it_is_killed(own_cache, tmp_path):
    code = (
        "import sys; from patlib.trainer.config import RunConfig; from patlib.trainer import fit\n"
        f"fit(RunConfig(**{ {**TINY, 'epochs': 100000}!r}), sys.argv[1], progress=False)"
    )
    folder = tmp_path / "killed"
    parent = subprocess.Popen([sys.executable, "-c", code, str(folder)])
    wait_until(lambda: (folder / FOLDER / "state.safetensors").exists())
    assert len(processes_of(folder)) == 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not processes_of(folder))

"""What a run leaves and when: the record last, the first of equal epochs, the state within long epochs only."""

import json
import os
import shutil
import time
from contextlib import suppress
from itertools import count
from types import SimpleNamespace

import pytest
import torch
from tiny_run import TINY
from torch import nn

from patlib.files import read_tensors, sha256
from patlib.trainer import NonFiniteError, fit, loop, predict, run, state
from patlib.trainer.config import RunConfig


class Failed(Exception):
    """A disk that is full, or a kill."""


def classifier():
    """A pixel-wise classifier, without the running means that change while its weights stand still."""
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 10, 1))


@pytest.fixture
def kept_at(monkeypatch):
    """(epochs done, steps of the next) at each keeping of the state."""
    moments, keep = [], loop.keep

    def keep_and_tell(run):
        moments.append((run.epoch, len(run.losses)))
        keep(run)

    monkeypatch.setattr(loop, "keep", keep_and_tell)
    return moments


def test_in_short_epochs_the_state_is_kept_at_their_ends_alone(tiny_dataset, tmp_path, kept_at):
    fit(RunConfig(**TINY), tmp_path, tiny_dataset, progress=False)
    assert kept_at == [(1, 0), (2, 0)]


def test_in_long_epochs_the_state_is_kept_within_them_too(tiny_dataset, tmp_path, kept_at, monkeypatch):
    monkeypatch.setattr(loop, "KEEP_SECONDS", -1.0)
    record = fit(RunConfig(**TINY), tmp_path, tiny_dataset, progress=False)
    assert kept_at == [(0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0)]
    assert all(row["train_seconds"] > 0 for row in record["curves"])


def test_an_epoch_is_long_when_three_minutes_have_gone_since_the_last_keeping(tiny_dataset, tmp_path, monkeypatch):
    minutes, told, began = [0.0], [], time.perf_counter()
    clock = SimpleNamespace(perf_counter=lambda: began + 60 * minutes[0])
    for module in (loop, run):
        monkeypatch.setattr(module, "time", clock)
    keep = loop.keep
    monkeypatch.setattr(loop, "keep", lambda run: (told.append((minutes[0], len(run.losses))), keep(run)))

    def forward(self, images, _forward=nn.Sequential.forward):
        minutes[0] += 1.25 * self.training
        return _forward(self, images)

    network = type("Slow", (nn.Sequential,), {"forward": forward})(*classifier())
    config = RunConfig(**{**TINY, "batch_size": 1, "epochs": 1})
    record = fit(config, tmp_path, tiny_dataset, progress=False, network=network)
    assert told == [(1.25 * step, step % 10) for step in (3, 6, 9, 10)]
    assert record["curves"][0]["train_seconds"] == pytest.approx(60 * 12.5)


def test_of_epochs_that_score_alike_the_first_is_the_best(tiny_dataset, tmp_path):
    config = RunConfig(**{**TINY, "epochs": 4, "learning_rate": 1e-30})
    record = fit(config, tmp_path, tiny_dataset, progress=False, network=classifier())
    assert len({row["val_miou"] for row in record["curves"]}) == 1
    assert record["checkpoints"]["best"]["epoch"] == 1
    assert record["checkpoints"]["last"]["epoch"] == 4


def test_a_run_that_is_killed_while_it_replaces_another_leaves_a_record_and_its_weights(
    tiny_dataset, tmp_path, monkeypatch
):
    folder, first, second = tmp_path / "run", RunConfig(**TINY), RunConfig(**{**TINY, "seed": 1})
    fit(first, folder, tiny_dataset, progress=False)
    finish = loop._finish
    monkeypatch.setattr(loop, "_finish", lambda run: kill())
    with pytest.raises(Failed):
        fit(second, folder, tiny_dataset, progress=False)
    monkeypatch.setattr(loop, "_finish", finish)
    monkeypatch.setattr(loop, "_train", None)  # whoever goes on trains nothing
    folder.rename(tmp_path / "before")
    seeds = []
    for at in range(1, 99):
        shutil.copytree(tmp_path / "before", folder)
        with monkeypatch.context() as patch:
            touches = count(1)
            for name in ("replace", "unlink", "rmdir"):
                patch.setattr(os, name, killing(getattr(os, name), touches, at))
            with suppress(Failed):
                fit(second, folder, tiny_dataset, progress=False)
        record = json.loads((folder / "record.json").read_text())
        seeds.append(record["config"]["seed"])
        for checkpoint, stated in record["checkpoints"].items():
            assert sha256(state.weights_path(folder, checkpoint, record)) == stated["sha256"], f"at touch {at}"
            assert seeds[-1] == 0 or predict.load_model(folder, record, checkpoint) is not None
        if seeds[-1] == 0:
            fit(second, folder, tiny_dataset, progress=False)
        elif state.is_of_the_record(folder):
            state.settle(folder)
        assert sorted(os.listdir(folder)) == ["best.safetensors", "last.safetensors", "record.json"]
        record = json.loads((folder / "record.json").read_text())
        for checkpoint, stated in record["checkpoints"].items():
            assert sha256(folder / f"{checkpoint}.safetensors") == stated["sha256"], f"after a kill at touch {at}"
        shutil.rmtree(folder)
        if next(touches) <= at:
            break
    assert seeds.count(0) > 1 and seeds.count(1) > 5  # before and after the record was replaced


def kill():
    raise Failed


def killing(function, touches, at):
    def touch(*arguments, **settings):
        if next(touches) == at:
            kill()
        return function(*arguments, **settings)

    return touch


class Counting(nn.Conv2d):
    """A network that counts its training steps, and has a buffer that no logit depends on."""

    def __init__(self):
        super().__init__(3, 10, 1)
        self.register_buffer("spare", torch.zeros(3))
        self.steps = 0

    def forward(self, images):
        self.steps += self.training
        return super().forward(images)


@pytest.mark.parametrize(
    ("epoch", "good"), [(1, "none: it was the first epoch"), (3, r"state\.safetensors \(after epoch 2\)")]
)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_told_though_every_loss_is(epoch, good, value, tiny_dataset, tmp_path):
    class Spoilt(Counting):
        """Its buffer goes wrong in a step of some epoch."""

        def forward(self, images):
            logits = super().forward(images)
            if self.steps == 3 * epoch:
                self.spare[1] = value
            return logits

    config = RunConfig(**{**TINY, "epochs": 4})
    with pytest.raises(NonFiniteError, match=rf"a weight is infinite or NaN after epoch {epoch}\. .*{good}.*Lower"):
        fit(config, tmp_path, tiny_dataset, progress=False, network=Spoilt())
    assert not (tmp_path / "record.json").exists()


@pytest.mark.parametrize("what", ["the loss is nan", "a weight is infinite or NaN"])
def test_what_is_not_finite_takes_no_good_states_place_within_an_epoch(what, tiny_dataset, tmp_path, monkeypatch):
    class Sudden(Counting):
        """Goes wrong at the fifth step: the second of the second epoch."""

        def forward(self, images):
            logits = super().forward(images)
            wrong = float("nan") if self.steps == 5 else 1
            self.spare *= 1 if "loss" in what else wrong
            return logits * (wrong if "loss" in what else 1)

    monkeypatch.setattr(loop, "KEEP_SECONDS", -1.0)
    kept = r"state\.safetensors \(after epoch 1 and 1 steps\)"
    with pytest.raises(NonFiniteError, match=rf"{what} at epoch 2, step 2 of 3\. Last good weights: .*{kept}"):
        fit(RunConfig(**TINY), tmp_path, tiny_dataset, progress=False, network=Sudden())
    tensors, _ = read_tensors(tmp_path / "unfinished" / "state.safetensors")
    assert all(tensor.isfinite().all() for tensor in tensors.values())


def test_a_moment_that_is_not_finite_is_told_though_every_weight_is(tiny_dataset, tmp_path, monkeypatch):
    network = classifier()
    network[0].weight.register_hook(lambda gradient: torch.full_like(gradient, 1e25))
    with pytest.raises(NonFiniteError, match=r"a moment of Adam is infinite or NaN after epoch 1\. Last good weights"):
        fit(RunConfig(**TINY), tmp_path, tiny_dataset, progress=False, network=network)
    assert all(tensor.isfinite().all() for tensor in network.state_dict().values())
    monkeypatch.setattr(loop, "KEEP_SECONDS", -1.0)
    with pytest.raises(NonFiniteError, match="a moment of Adam is infinite or NaN at epoch 1, step 1 of 3"):
        fit(RunConfig(**TINY), tmp_path, tiny_dataset, progress=False, network=network)


def test_a_loss_that_is_not_finite_is_told_with_its_step_and_images(tiny_dataset, tmp_path):
    class Sudden(nn.Conv2d):
        """Goes wrong at the fifth step: the second of the second epoch."""

        steps = 0

        def forward(self, images):
            self.steps += self.training
            return super().forward(images) * (float("nan") if self.steps == 5 else 1)

    order = torch.Generator().manual_seed(0)
    for _ in range(2):
        rows = torch.randperm(10, generator=order)
        torch.rand(10, generator=order)
    images = ", ".join(f"train-{row}" for row in rows[4:8].tolist())
    with pytest.raises(NonFiniteError, match=f"the loss is nan at epoch 2, step 2 of 3, on the images {images}. Last"):
        fit(RunConfig(**TINY), tmp_path, tiny_dataset, progress=False, network=Sudden(3, 10, 1))

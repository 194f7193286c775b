"""A run as one object: what it is at its beginning, and that a second one takes up all that the first has come to."""

import dataclasses

import numpy as np
import pytest
import torch
from tiny_run import TINY
from torch import nn

from patlib import datasets
from patlib.datasets import Split
from patlib.losses import BLV
from patlib.trainer import run as run_module
from patlib.trainer import state
from patlib.trainer.config import RunConfig
from patlib.trainer.evaluate import evaluate
from patlib.trainer.run import dataset_facts, keep, open_dataset, open_run, take_up


def begin(folder, dataset, network=None, **settings):
    return open_run(RunConfig(**{**TINY, **settings}), folder, dataset, network)


def train(run, steps):
    """So many steps on the first rows, and what an epoch's end does to the run."""
    for _ in range(steps):
        images, masks = run.splits["train"].batch(torch.arange(4))
        value = run.loss(run.model(images), masks)
        run.fabric.backward(value)
        run.optimizer.step()
        run.optimizer.zero_grad()
        run.schedule.step()
        run.losses.append(value.detach())


def test_a_run_begins_with_adam_and_a_cosine_over_all_its_steps(tiny_dataset, tmp_path):
    run = begin(tmp_path, tiny_dataset, epochs=5, batch_size=4, learning_rate=0.02)
    assert type(run.optimizer.optimizer) is torch.optim.Adam
    assert (run.steps_an_epoch, run.steps) == (3, 0)
    rates = []
    for _ in range(15):
        train(run, 1)
        rates.append(run.optimizer.param_groups[0]["lr"])
    assert run.steps == 15
    assert rates == pytest.approx([0.01 * (1 + np.cos(np.pi * done / 15)) for done in range(1, 16)], abs=1e-12)


def test_a_run_counts_the_steps_of_whole_epochs_and_of_the_one_under_way(tiny_dataset, tmp_path):
    run = begin(tmp_path, tiny_dataset, batch_size=4)
    run.epoch, run.losses = 2, [torch.zeros(())] * 2
    assert run.steps == 8


def test_network_loss_and_data_are_those_configured(tiny_dataset, tmp_path):
    run = begin(tmp_path, tiny_dataset, loss="blv", sigma=0.25, model="unet", seed=3)
    assert type(run.loss) is BLV and run.loss.sigma == 0.25 and run.loss.training
    assert run.loss.class_pixels[:3].tolist() == tiny_dataset.class_pixels[:3].tolist()
    assert run.class_pixels.tolist() == tiny_dataset.class_pixels.tolist()
    assert all(
        weight.is_contiguous(memory_format=torch.channels_last)
        for weight in run.network.parameters()
        if weight.ndim > 1
    )
    assert {name: len(split.names) for name, split in run.splits.items()} == {"train": 10, "val": 3, "test": 3}
    assert torch.equal(run.order.get_state(), torch.Generator().manual_seed(3).get_state())
    assert (run.settings["model"], run.settings["model_width"]) == ("unet", 2)


def test_the_dataset_is_prepared_as_the_configuration_says(monkeypatch):
    asked = []
    monkeypatch.setattr(datasets, "prepare", lambda *arguments, **named: asked.append((arguments, named)))
    config = RunConfig(
        dataset="camvid", protocol="published", data_seed=4, seed=9, image_height=32, image_width=48, void_class=True
    )
    open_dataset(config, progress=False)
    named = {"protocol": "published", "seed": 4, "progress": False, "void_class": True}
    assert asked == [(("camvid", (32, 48)), named)]
    open_dataset(RunConfig())
    assert asked[1] == (
        ("synthetic", None), {"protocol": None, "seed": 0, "progress": True, "void_class": False}
    )  # fmt: skip


def test_where_a_run_is_made_does_not_make_it_another(tiny_dataset, tmp_path):
    identity = begin(tmp_path, tiny_dataset).identity()
    assert begin(tmp_path, tiny_dataset, accelerator="auto").identity()["config"] == identity["config"]
    assert begin(tmp_path, tiny_dataset, seed=1).identity() != identity
    own = [begin(tmp_path, tiny_dataset, nn.Conv2d(3, 10, size, padding="same")).identity() for size in (1, 3)]
    assert own[0]["config"] == own[1]["config"] and own[0] != own[1]  # told apart by the shapes of their weights


def changed(dataset, part):
    """The dataset with one thing changed in one image of its training split."""
    train = dataset.splits["train"]
    images, masks, names = train.images.copy(), train.masks.copy(), list(train.names)
    if part == "image":
        images[4, 3, 2, 1] ^= 1
    elif part == "mask":
        masks[4, 3, 2] ^= 1
    elif part == "name":
        names[4] = "another"
    elif part == "order":
        for rows in (images, masks):
            rows[[0, 1]] = rows[[1, 0]]
        names[:2] = names[1::-1]
    split = Split(images, masks, tuple(names))
    splits = {**dataset.splits, "train": split}
    if part == "split":
        splits = {**dataset.splits, "train": dataset.splits["val"], "val": dataset.splits["train"]}
    return dataclasses.replace(dataset, splits=splits)


def test_a_record_tells_datasets_apart_by_image_mask_name_order_and_split(tiny_dataset):
    facts = dataset_facts(tiny_dataset)
    assert facts["images"] == {"train": 10, "val": 3, "test": 3} and facts["size"] == [16, 20]
    assert facts["class_pixels"] == tiny_dataset.class_pixels.tolist()
    assert dataset_facts(changed(tiny_dataset, "nothing")) == facts
    parts = ("image", "mask", "name", "order", "split")
    digests = {dataset_facts(changed(tiny_dataset, part))["digest"] for part in parts}
    assert len(digests | {facts["digest"]}) == 6


@pytest.fixture
def kept(tiny_dataset, tmp_path):
    """A run that was kept in the second step of its second epoch."""
    run = begin(tmp_path, tiny_dataset, learning_rate=0.02, epochs=4)
    train(run, 3)
    evaluate(run.network, run.splits["val"], 10, 4, run.forgetting)
    run.forgetting.next_epoch()
    run.epoch, run.losses, run.seconds, run.curves = 1, [], 2.5, [{"epoch": 1, "val_miou": 0.5}]
    torch.rand(5, generator=run.order)
    run.order_before = run.order.get_state()
    torch.rand(5, generator=run.order)  # the order of the epoch under way has been drawn
    run.network.train()
    train(run, 2)
    keep(run)
    return run


def test_a_run_takes_up_all_that_was_kept(kept, tiny_dataset, tmp_path):
    random = torch.get_rng_state()
    run = begin(tmp_path, tiny_dataset, learning_rate=0.02, epochs=4)
    torch.rand(7)
    before = run.kept
    assert take_up(run)
    assert torch.equal(torch.get_rng_state(), random)
    for name, tensor in kept.network.state_dict().items():
        assert torch.equal(run.network.state_dict()[name], tensor), name
    assert run.optimizer.param_groups[0]["lr"] == kept.optimizer.param_groups[0]["lr"] != 0.02
    assert run.schedule.state_dict() == kept.schedule.state_dict()
    for new, old in zip(run.network.parameters(), kept.network.parameters(), strict=True):
        moments, expected = run.optimizer.optimizer.state[new], kept.optimizer.optimizer.state[old]
        assert moments.keys() == expected.keys() == {"step", "exp_avg", "exp_avg_sq"}
        for moment, value in expected.items():
            assert torch.equal(moments[moment], value) and moments[moment].stride() == value.stride()
            assert moments[moment].dtype == value.dtype and not moments[moment].requires_grad
    assert (run.epoch, run.steps, run.seconds, run.curves) == (1, 5, 2.5, kept.curves)
    assert torch.equal(torch.stack(run.losses), torch.stack(kept.losses))
    assert torch.equal(run.order.get_state(), kept.order_before)  # the epoch's order is drawn again
    assert torch.equal(run.order_before, kept.order_before)
    assert all(torch.equal(*pair) for pair in zip(run.forgetting.before, kept.forgetting.before, strict=True))
    assert before == run.kept < kept.kept + 60
    train(run, 1)
    torch.set_rng_state(random)
    train(kept, 1)
    assert run.losses[-1].item() == kept.losses[-1].item()


def test_best_is_taken_up_as_it_was(kept, tiny_dataset, tmp_path):
    kept.best = 1, state.write_tensors(state.best_path(tmp_path, 1), dict(kept.network.named_parameters()))
    keep(kept)
    run = begin(tmp_path, tiny_dataset, learning_rate=0.02, epochs=4)
    take_up(run)
    assert run.best == kept.best


def test_without_a_state_a_run_begins_and_leftovers_are_swept(tiny_dataset, tmp_path):
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "best-001.safetensors").write_text("left by a process that was killed")
    assert not take_up(begin(tmp_path, tiny_dataset))
    assert not (tmp_path / "unfinished").exists()


def test_leftovers_beside_a_state_are_swept(kept, tiny_dataset, tmp_path):
    (tmp_path / "unfinished" / "best-009.safetensors").write_text("of an epoch whose state was not kept")
    assert take_up(begin(tmp_path, tiny_dataset, learning_rate=0.02, epochs=4))
    names = sorted(path.name for path in (tmp_path / "unfinished").iterdir())
    assert names == ["rank0-000005.safetensors", "state.safetensors"]


def test_machines_are_listed_once_each_time_they_change(kept, tiny_dataset, tmp_path, monkeypatch):
    def go_on(facts=None):
        if facts:
            monkeypatch.setattr(run_module, "machine_facts", lambda device: facts)
        run = begin(tmp_path, tiny_dataset, learning_rate=0.02, epochs=4)
        take_up(run)
        keep(run)
        return run.machines

    first = kept.machines[0]
    assert go_on() == [first]
    other = {**first, "torch": "0.1"}
    assert go_on(other) == [first, other]
    assert go_on(other) == [first, other]
    assert go_on(first) == [first, other, first]

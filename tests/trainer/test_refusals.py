"""What a run refuses at its start, and what it refuses to keep at its end."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from tiny_run import TINY
from torch import nn
from torch.utils.data import DataLoader

from patlib.trainer import NonFiniteError, fit
from patlib.trainer.config import RunConfig


def with_masks(dataset, **masks):
    """The dataset with other masks in some splits, or without a split where they are None."""
    splits = dict(dataset.splits)
    for name, value in masks.items():
        split = splits.pop(name)
        if value is not None:
            splits[name] = dataclasses.replace(split, masks=np.full_like(split.masks, value))
    return dataclasses.replace(dataset, splits=splits)


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_split_without_a_labelled_pixel_is_refused_before_training(split, tiny_dataset, tmp_path):
    with pytest.raises(ValueError, match=rf"the split '{split}' of the dataset 'synthetic', .*no labelled pixel"):
        fit(RunConfig(**TINY), tmp_path, with_masks(tiny_dataset, **{split: 255}), progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_without_a_validation_split_is_refused(tiny_dataset, tmp_path):
    with pytest.raises(ValueError, match="has no split 'val', by which the best epoch is chosen: it has train, test"):
        fit(RunConfig(**TINY), tmp_path, with_masks(tiny_dataset, val=None), progress=False)


def test_a_data_loader_is_no_dataset(tmp_path):
    with pytest.raises(ValueError, match=r"got DataLoader\. The trainer makes batches itself"):
        fit(RunConfig(**TINY), tmp_path, DataLoader([1, 2]), progress=False)


def test_what_is_undefined_is_null_in_the_record(tiny_dataset, tmp_path):
    # No labelled test pixel; of the training pixels none is of the first three classes.
    dataset = with_masks(tiny_dataset, test=255, train=5)
    record = fit(RunConfig(**{**TINY, "epochs": 1, "loss": "ce"}), tmp_path, dataset, progress=False)
    splits = record["checkpoints"]["best"]["splits"]
    assert splits["test"]["cross_entropy"] is None and splits["test"]["released_miou"] is None
    assert splits["train"]["cross_entropy"] > 0 and splits["train"]["released_miou"] is None
    text = (tmp_path / "record.json").read_text()
    assert "NaN" not in text and json.loads(text) == record


class Overflowing(nn.Conv2d):
    """Its weights are finite, and its logits are not once it no longer trains."""

    def forward(self, images):
        return super().forward(images) if self.training else super().forward(images) * float("inf")


def test_logits_that_are_not_finite_end_the_run_without_a_record(tiny_dataset, tmp_path):
    with pytest.raises(NonFiniteError, match="the validation cross-entropy is nan after epoch 1"):
        fit(RunConfig(**TINY), tmp_path, tiny_dataset, progress=False, network=Overflowing(3, 10, 1))
    assert list(tmp_path.rglob("record.json")) == []


class DarkImagesOverflow(nn.Conv2d):
    def forward(self, images):
        return super().forward(images) + torch.where(images.amax() == 0, torch.inf, 0.0)


def test_a_test_split_with_logits_that_are_not_finite_leaves_no_record(tiny_dataset, tmp_path):
    test = tiny_dataset.splits["test"]
    dark = dataclasses.replace(test, images=np.zeros_like(test.images))
    dataset = dataclasses.replace(tiny_dataset, splits={**tiny_dataset.splits, "test": dark})
    with pytest.raises(NonFiniteError, match="the cross-entropy of the 3 images from test-0 on is nan"):
        fit(RunConfig(**TINY), tmp_path, dataset, progress=False, network=DarkImagesOverflow(3, 10, 1))
    assert list(tmp_path.rglob("record.json")) == []


@pytest.mark.parametrize(("accelerator", "backend"), [("cuda", torch.cuda), ("mps", torch.backends.mps)])
def test_an_accelerator_that_is_not_there_is_one_message(accelerator, backend, tiny_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(backend, "is_available", lambda: False)
    with pytest.raises(ValueError, match=f"accelerator '{accelerator}', but torch finds none here: use 'auto' or"):
        fit(RunConfig(**{**TINY, "accelerator": accelerator}), tmp_path, tiny_dataset, progress=False)

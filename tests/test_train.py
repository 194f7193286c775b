import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_run import TINY

from patlib import data
from patlib.config import RunConfig
from patlib.losses import LOSSES
from patlib.metrics import confusion_scores
from patlib.train import DeviceSplit, NonFiniteLossError, evaluate, fit, load_model, mirror, open_dataset


def test_a_run_leaves_its_record_and_both_checkpoints(tiny_run):
    folder, record = tiny_run
    assert sorted(path.name for path in folder.iterdir()) == ["best.safetensors", "last.safetensors", "record.json"]
    assert json.loads((folder / "record.json").read_text()) == record
    assert [row["epoch"] for row in record["curves"]] == [1, 2]
    assert record["loss_parameters"]["T"] == 20.0
    assert {"torch", "python", "device", "commit"} <= record["machine"].keys()


def test_the_record_counts_every_valid_pixel_of_every_split(tiny_run, tiny_dataset):
    _, record = tiny_run
    for checkpoint in ("best", "last"):
        for name, split in tiny_dataset.splits.items():
            confusion = np.array(record["checkpoints"][checkpoint]["splits"][name]["confusion"])
            assert confusion.sum() == (split.masks != 255).sum()


def test_best_weights_score_what_the_record_says(tiny_run, tiny_dataset):
    folder, record = tiny_run
    model = load_model(folder, record)
    split = DeviceSplit(tiny_dataset.splits["val"], torch.device("cpu"))
    measured = evaluate(model, split, 10, batch_size=4).confusion.tolist()
    assert measured == record["checkpoints"]["best"]["splits"]["val"]["confusion"]
    best = record["checkpoints"]["best"]["epoch"]
    assert record["curves"][best - 1]["val_miou"] == max(row["val_miou"] for row in record["curves"])
    assert confusion_scores(torch.tensor(measured))["miou"].item() == pytest.approx(
        record["curves"][best - 1]["val_miou"], abs=1e-6
    )


def test_training_lowers_the_loss(tiny_dataset, tmp_path):
    config = RunConfig(**{**TINY, "epochs": 12, "loss": "ce", "learning_rate": 1e-2})
    curves = fit(config, tmp_path, tiny_dataset, progress=False)["curves"]
    assert curves[-1]["train_loss"] < 0.8 * curves[0]["train_loss"]


def test_the_same_seed_gives_the_same_weights_and_another_does_not(tiny_dataset, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        fit(RunConfig(**{**TINY, "loss": "blv", "seed": seed}), tmp_path / name, tiny_dataset, progress=False)
    first, again, other = (load_file(tmp_path / name / "last.safetensors") for name in "abc")
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_trains(loss, tiny_dataset, tmp_path):
    record = fit(RunConfig(**{**TINY, "loss": loss, "epochs": 1}), tmp_path, tiny_dataset, progress=False)
    assert np.isfinite(record["curves"][0]["train_loss"])


def test_bf16_trains(tiny_dataset, tmp_path):
    record = fit(RunConfig(**{**TINY, "precision": "bf16", "epochs": 1}), tmp_path, tiny_dataset, progress=False)
    assert np.isfinite(record["curves"][0]["train_loss"])


def test_fp16_without_cuda_is_refused_rather_than_replaced(tiny_dataset, tmp_path):
    with pytest.raises(ValueError, match="'fp16' needs a CUDA device"):
        fit(RunConfig(**{**TINY, "precision": "fp16"}), tmp_path, tiny_dataset, progress=False)


def test_a_loss_that_is_not_finite_names_step_images_and_last_good_weights(tiny_dataset, tmp_path):
    config = RunConfig(**{**TINY, "learning_rate": 1e30})
    with pytest.raises(
        NonFiniteLossError, match=r"epoch \d, step \d of 3, on the images train-\d.*last good checkpoint"
    ):
        fit(config, tmp_path, tiny_dataset, progress=False)
    assert not (tmp_path / "record.json").exists()


def test_void_as_a_class_is_trained_measured_and_loaded_again(tmp_path, monkeypatch):
    monkeypatch.setenv("PATLIB_CACHE", str(tmp_path / "cache"))
    config = RunConfig(**{**TINY, "epochs": 1, "image_height": 16, "image_width": 20, "void_class": True})
    dataset = open_dataset(config, progress=False)
    record = fit(config, tmp_path / "run", dataset, progress=False)
    assert record["dataset"]["classes"] == [*data.get_spec("synthetic").classes, "void"]
    assert np.shape(record["checkpoints"]["best"]["splits"]["test"]["confusion"]) == (11, 11)
    assert load_model(tmp_path / "run", record)(torch.zeros(1, 3, 16, 20)).shape == (1, 11, 16, 20)


def test_mirroring_turns_image_and_mask_together():
    masks = torch.arange(2 * 3 * 4).view(2, 3, 4)
    images = masks.unsqueeze(1).float().expand(2, 3, 3, 4)
    turned, turned_masks = mirror(images, masks, torch.tensor([True, False]))
    assert torch.equal(turned_masks[0], masks[0].flip(-1))
    assert torch.equal(turned_masks[1], masks[1])
    assert torch.equal(turned[:, 0].long(), turned_masks)


def test_batches_cover_a_split_once_and_in_order(tiny_dataset):
    split = DeviceSplit(tiny_dataset.splits["train"], torch.device("cpu"))
    batches = list(split.in_order(4))
    assert [len(images) for images, _ in batches] == [4, 4, 2]
    assert torch.equal(torch.cat([masks for _, masks in batches]).byte(), split.masks)
    images = torch.cat([images for images, _ in batches])
    assert images.shape == (10, 3, 16, 20)
    assert 0 <= images.min() <= images.max() <= 1
    expected = tiny_dataset.splits["train"].images[3, 2, 1] / 255
    assert np.allclose(images[3, :, 2, 1].numpy(), expected, atol=1e-6)

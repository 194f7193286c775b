import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_run import TINY
from torch import nn

from patlib import data
from patlib.config import RunConfig
from patlib.losses import LOSSES
from patlib.metrics import confusion_scores
from patlib.models import MODELS
from patlib.runs import read_records
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


def test_the_record_keeps_the_released_mean_iou_of_every_split(tiny_run):
    for checkpoint in tiny_run[1]["checkpoints"].values():
        assert all(0 <= measured["released_miou"] <= 1 for measured in checkpoint["splits"].values())


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


@pytest.mark.parametrize("model", MODELS)
def test_every_model_trains_and_loads(model, tiny_dataset, tmp_path):
    record = fit(RunConfig(**{**TINY, "model": model, "epochs": 1}), tmp_path, tiny_dataset, progress=False)
    assert np.isfinite(record["curves"][0]["train_loss"])
    assert type(load_model(tmp_path, record)) is MODELS[model]
    assert read_records(tmp_path) == [record]


def own_network():
    """A pixel-wise linear classifier, under a name of its own."""

    class PixelWise(nn.Sequential):
        pass

    torch.manual_seed(3)
    return PixelWise(nn.Conv2d(3, 10, 1))


def test_a_network_of_ones_own_trains_in_place(tiny_dataset, tmp_path):
    network, untrained = own_network(), own_network()
    config = RunConfig(**{**TINY, "loss": "ce", "epochs": 8, "learning_rate": 0.1})
    record = fit(config, tmp_path, tiny_dataset, progress=False, network=network)
    assert record["curves"][-1]["train_loss"] < 0.8 * record["curves"][0]["train_loss"]
    assert record["parameters"] == 40
    split = DeviceSplit(tiny_dataset.splits["val"], torch.device("cpu"))
    best = record["checkpoints"]["best"]["splits"]["val"]["confusion"]
    assert evaluate(network, split, 10, batch_size=4).confusion.tolist() == best
    assert evaluate(untrained, split, 10, batch_size=4).confusion.tolist() != best


def test_the_record_of_a_network_of_ones_own_claims_no_model(tiny_dataset, tmp_path):
    record = fit(RunConfig(**TINY), tmp_path, tiny_dataset, progress=False, network=own_network())
    config = record["config"]
    assert (config["model"], config["model_width"], config["released_head"]) == ("PixelWise", None, None)
    assert config["loss"] == "pat"
    assert read_records(tmp_path) == [record]
    with pytest.raises(ValueError, match="PixelWise is no model of patlib: build it yourself"):
        load_model(tmp_path, record)


def test_a_network_of_ones_own_needs_a_folder_of_its_own(tiny_dataset):
    with pytest.raises(ValueError, match="name a folder for your own network"):
        fit(RunConfig(**TINY), dataset=tiny_dataset, progress=False, network=own_network())


def test_a_network_whose_logits_do_not_fit_is_named(tiny_dataset, tmp_path):
    with pytest.raises(ValueError, match="10"):
        fit(RunConfig(**TINY), tmp_path, tiny_dataset, progress=False, network=nn.Conv2d(3, 4, 1))


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

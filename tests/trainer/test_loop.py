import json

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file
from tiny_run import TINY
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from patlib import datasets
from patlib.losses import LOSSES, PixelLoss, build_loss
from patlib.metrics import confusion_scores, segmentation
from patlib.models import MODELS
from patlib.trainer import NonFiniteError, fit, load_model, open_dataset
from patlib.trainer.batches import DeviceSplit, shuffled
from patlib.trainer.config import RunConfig
from patlib.trainer.evaluate import evaluate
from patlib.trainer.records import read_records
from patlib.trainer.step import train_epoch


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
    config = RunConfig(**TINY).model_copy(update={"learning_rate": 1e30})  # unchecked: a configuration refuses it
    with pytest.raises(NonFiniteError, match=r"epoch \d, step \d of 3, on the images train-\d.*Last good weights"):
        fit(config, tmp_path, tiny_dataset, progress=False)
    assert not (tmp_path / "record.json").exists()


def test_void_as_a_class_is_trained_measured_and_loaded_again(tmp_path, monkeypatch):
    monkeypatch.setenv("PATLIB_CACHE", str(tmp_path / "cache"))
    config = RunConfig(**{**TINY, "epochs": 1, "image_height": 16, "image_width": 20, "void_class": True})
    dataset = open_dataset(config, progress=False)
    record = fit(config, tmp_path / "run", dataset, progress=False)
    assert record["dataset"]["classes"] == [*datasets.get_spec("synthetic").classes, "void"]
    assert np.shape(record["checkpoints"]["best"]["splits"]["test"]["confusion"]) == (11, 11)
    assert load_model(tmp_path / "run", record)(torch.zeros(1, 3, 16, 20)).shape == (1, 11, 16, 20)


class Readings(TorchDispatchMode):
    """Names of the operations that hand a value of the device to the host, or make a shape depend on one."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name in ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal", "bincount"):
            self.names.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("loss", LOSSES)
def test_an_epoch_and_its_metrics_ask_the_device_for_nothing(loss, tiny_dataset, monkeypatch):
    # On the CPU alone labels are checked by reading them.
    monkeypatch.setattr(PixelLoss, "_check_labels", lambda self, *labels: None)
    monkeypatch.setattr(segmentation, "check_labels", lambda *arguments: None)
    fabric = Fabric(accelerator="cpu", devices=1)
    model, optimizer = fabric.setup(network := own_network(), torch.optim.Adam(network.parameters(), fused=True))
    split = DeviceSplit(tiny_dataset.splits["train"], fabric.device)
    function = build_loss(loss, 10, tiny_dataset.class_pixels)
    rows, mirrored = shuffled(10, torch.Generator(), augment=True)
    with Readings() as readings:
        losses: list[torch.Tensor] = []
        train_epoch(fabric, model, function, optimizer, split, rows, mirrored, 4, losses.append)
        evaluate(network, split, 10, 4)
    assert readings.names == []
    with Readings() as readings:
        assert torch.stack(losses).isfinite().all()
    assert readings.names == ["_local_scalar_dense"]

import json
import re
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_run import TINY

from patlib.datasets import Split
from patlib.files import write_tensors
from patlib.trainer import RunConfig, fit, load_model
from patlib.trainer.predict import predictions_of


@pytest.fixture(scope="module")
def two_runs(tiny_dataset, tmp_path_factory):
    """A folder with a run of each of two losses, whose names sort otherwise than the losses do."""
    folder = tmp_path_factory.mktemp("runs")
    for place, loss in (("a", "pat"), ("b", "ce")):
        settings = {**TINY, "loss": loss, "epochs": 3, "learning_rate": 0.05}
        fit(RunConfig(**settings), folder / place, tiny_dataset, progress=False)
        last = folder / place / "last.safetensors"
        other = write_tensors(last, {name: tensor + 1 for name, tensor in load_file(last).items()})  # surely not best
        record = json.loads((folder / place / "record.json").read_text())
        record["checkpoints"]["last"]["sha256"] = other
        (folder / place / "record.json").write_text(json.dumps(record))
    return folder


@pytest.mark.parametrize("checkpoint", ["best", "last"])
def test_a_loaded_network_has_the_weights_of_its_file_and_predicts(checkpoint, two_runs):
    record = json.loads((two_runs / "b" / "record.json").read_text())
    model = load_model(two_runs / "b", record, checkpoint)
    assert not any(module.training for module in model.modules())
    stored = load_file(two_runs / "b" / f"{checkpoint}.safetensors")
    assert all(torch.equal(stored[name], tensor) for name, tensor in model.state_dict().items())
    assert model.state_dict().keys() == stored.keys()


def test_a_damaged_file_of_weights_is_named(two_runs, tmp_path):
    shutil.copytree(two_runs / "a", tmp_path / "run")
    path = tmp_path / "run" / "best.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    with pytest.raises(ValueError, match=r"best\.safetensors is damaged"):
        load_model(tmp_path / "run", record)


def test_weights_that_are_not_those_of_the_record_are_refused(two_runs, tmp_path):
    shutil.copytree(two_runs / "a", tmp_path / "run")
    shutil.copyfile(two_runs / "a" / "last.safetensors", tmp_path / "run" / "best.safetensors")
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    with pytest.raises(ValueError, match=r"best\.safetensors holds other weights than those .*SHA-256 differs"):
        load_model(tmp_path / "run", record)
    del record["checkpoints"]["best"]["sha256"]  # as the first records were written
    load_model(tmp_path / "run", record)


def test_predictions_are_the_labels_of_all_runs_in_the_order_of_the_losses(two_runs, tiny_dataset):
    split = tiny_dataset.splits["train"]
    split = Split(np.concatenate([split.images] * 2), np.concatenate([split.masks] * 2), split.names * 2)
    for checkpoint in ("best", "last"):
        predicted = predictions_of(two_runs, split, checkpoint)
        assert list(predicted) == ["ce", "pat"]
        for place, loss in (("a", "pat"), ("b", "ce")):
            record = json.loads((two_runs / place / "record.json").read_text())
            model = load_model(two_runs / place, record, checkpoint)
            with torch.no_grad():
                logits = model(torch.from_numpy(split.images.copy()).permute(0, 3, 1, 2) / 255)
            assert predicted[loss].dtype == np.uint8 and predicted[loss].shape == (20, 16, 20)
            assert (predicted[loss] == logits.argmax(1).numpy()).mean() > 0.99  # but for ties


def test_two_runs_of_one_loss_and_no_run_at_all_are_refused(two_runs, tiny_dataset, tmp_path):
    shutil.copytree(two_runs / "a", tmp_path / "one")
    shutil.copytree(two_runs / "a", tmp_path / "two")
    with pytest.raises(ValueError, match="holds two runs of 'pat'; name a folder"):
        predictions_of(tmp_path, tiny_dataset.splits["val"])
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / 'none'} holds no finished run")):
        predictions_of(tmp_path / "none", tiny_dataset.splits["val"])

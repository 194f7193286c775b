"""The networks of finished runs, and what they predict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from patlib.datasets import Split
from patlib.files import read_tensors, sha256
from patlib.losses import LOSSES
from patlib.models import build_model
from patlib.trainer.batches import DeviceSplit
from patlib.trainer.config import RunConfig
from patlib.trainer.records import MODEL_SETTINGS, read_record
from patlib.trainer.state import weights_path


def load_model(folder: str | Path, record: dict[str, Any], checkpoint: str = "best") -> nn.Module:
    """The network of a finished run on the CPU, in evaluation mode; ``checkpoint`` is "best" or "last".

    Raises ValueError for the record of a network that was handed to :func:`patlib.trainer.fit`, and for a file that is
    damaged or does not have the SHA-256 that the record states.
    """
    if record["config"]["model_width"] is None:
        raise ValueError(
            f"{record['config']['model']} is no model of patlib: build it yourself, then "
            f"load_state_dict(safetensors.torch.load_file('{Path(folder) / checkpoint}.safetensors'))"
        )
    config = RunConfig(**{name: record["config"][name] for name in MODEL_SETTINGS if name in record["config"]})
    model = build_model(config.model, len(record["dataset"]["classes"]), config.model_width, config.released_head)
    path, stated = weights_path(Path(folder), checkpoint, record), record["checkpoints"][checkpoint].get("sha256")
    weights, _ = read_tensors(path)
    if stated is not None and sha256(path) != stated:  # which the first records did not state
        raise ValueError(
            f"{path} holds other weights than those that its record was made with (SHA-256 differs): restore the file, "
            "or train the run again"
        )
    model.load_state_dict(weights)
    return model.eval()


def predictions_of(folder: str | Path, split: Split, checkpoint: str = "best") -> dict[str, np.ndarray]:
    """What the finished runs below a folder predict for the images of a split: labels (M,H,W) uint8, by loss.

    The losses stand in the order of :data:`~patlib.losses.LOSSES`, then those of one's own, and the CPU computes.
    Raises ValueError if there is no finished run, or more than one run of a loss.
    """
    on_device = DeviceSplit(split, torch.device("cpu"))
    predicted: dict[str, np.ndarray] = {}
    for path in sorted(Path(folder).rglob("record.json")):
        record = read_record(path)
        loss = record["config"]["loss"]
        if loss in predicted:
            raise ValueError(f"{folder} holds two runs of {loss!r}; name a folder with one run a loss")
        model = load_model(path.parent, record, checkpoint)
        with torch.no_grad():
            labels = [model(images).argmax(1) for images, _ in on_device.in_order(16)]
        predicted[loss] = torch.cat(labels).numpy().astype(np.uint8)
    if not predicted:
        raise ValueError(f"{folder} holds no finished run (a folder with record.json and {checkpoint}.safetensors)")
    return {loss: predicted[loss] for loss in (*LOSSES, *predicted) if loss in predicted}

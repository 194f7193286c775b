"""A training run on the tiny dataset with a network without batch norm: one process of a group, or one by itself.

python group_run.py FOLDER DEVICES LOSS ...: a run of each loss, in a folder of its name. The images of the dataset hold
very different numbers of valid pixels.
"""

import dataclasses
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

from patlib.datasets import PreparedDataset, Split, get_spec
from patlib.trainer import fit
from patlib.trainer.config import RunConfig


def dataset() -> PreparedDataset:
    generator = np.random.default_rng(0)
    spec = dataclasses.replace(get_spec("synthetic"), classes=("a", "b", "c"), palette=((0, 0, 0),) * 3)
    splits = {}
    for name, number in {"train": 9, "val": 4, "test": 3}.items():
        masks = generator.integers(0, 3, (number, 16, 20)).astype(np.uint8)
        images = generator.integers(0, 256, (number, 16, 20, 3)).astype(np.uint8)
        for image, mask in enumerate(masks):
            mask[: 3 * image % 16] = 255
        splits[name] = Split(images, masks, tuple(str(number) for number in range(number)))
    counts = {name: {"class_pixels": [300, 200, 100]} for name in splits}
    return PreparedDataset(spec, (16, 20), splits, Path(tempfile.gettempdir()), {"splits": counts})


def run(folder: str, devices: int, loss: str) -> None:
    """Batches of 4: the last of training has one image, and validation is one batch, so that one of two has none."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 3, 1))
    config = RunConfig(loss=loss, epochs=3, batch_size=4, learning_rate=1e-2, accelerator="cpu", devices=devices)
    fit(config, folder, dataset(), progress=False, network=network)


if __name__ == "__main__":
    for loss in sys.argv[3:]:
        run(f"{sys.argv[1]}/{loss}", int(sys.argv[2]), loss)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()

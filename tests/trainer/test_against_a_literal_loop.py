"""``fit`` beside a training loop of plain torch: the same weights, bit for bit, and the same numbers.

The loop takes losses and models from the library, which have tests of their own, and nothing from the trainer.
"""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_run import TINY

from patlib.losses import LOSSES, build_loss
from patlib.models import build_model
from patlib.trainer import fit
from patlib.trainer.config import RunConfig

SIZE = 4
"""Images in a batch: ten images give two whole batches and one of two."""


def literal_loop(dataset, name, epochs=2, seed=0, learning_rate=1e-3, augment=True):
    """The weights after each epoch, the loss of each step, and the labels (M,H,W) of the validation split by epoch."""
    torch.manual_seed(seed)
    network = build_model("segnet", 10, width=2).to(memory_format=torch.channels_last)
    loss = build_loss(name, 10, dataset.class_pixels)
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs * 3)
    order = torch.Generator().manual_seed(seed)
    weights, losses, labels = [], [], []
    for _ in range(epochs):
        network.train()
        rows = torch.randperm(10, generator=order)
        mirrored = (torch.rand(10, generator=order) < 0.5) & augment
        for start in range(0, 10, SIZE):
            images, masks = [], []
            for row, turned in zip(rows[start : start + SIZE], mirrored[start : start + SIZE], strict=True):
                image, mask = dataset.splits["train"].images[row], dataset.splits["train"].masks[row]
                images.append(image[:, ::-1] if turned else image)
                masks.append(mask[:, ::-1] if turned else mask)
            optimizer.zero_grad()
            value = loss(network(as_input(images)), torch.from_numpy(np.stack(masks)).long())
            value.backward()
            optimizer.step()
            schedule.step()
            losses.append(value.item())
        weights.append({key: tensor.clone() for key, tensor in network.state_dict().items()})
        network.eval()
        with torch.no_grad():
            labels.append(network(as_input(dataset.splits["val"].images)).argmax(1).numpy())
    return weights, losses, labels


def as_input(images):
    """Images (N,3,H,W) float32 in [0, 1], channels-last, from uint8 (N,H,W,3)."""
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    return pixels.to(memory_format=torch.channels_last)


def scores(labels, masks):
    """Mean IoU over the classes that occur or are predicted, pixel accuracy, and the confusion matrix (L,L)."""
    valid = masks != 255
    ious = []
    for label in range(10):
        true, predicted = (masks == label) & valid, (labels == label) & valid
        if (true | predicted).any():
            ious.append((true & predicted).sum() / (true | predicted).sum())
    confusion = [[int(((masks == row) & (labels == column)).sum()) for column in range(10)] for row in range(10)]
    return np.mean(ious), (labels == masks)[valid].mean(), confusion


def assert_the_same(fitted, literal):
    assert fitted.keys() == literal.keys()
    for key, tensor in literal.items():
        assert torch.equal(fitted[key], tensor), f"{key} differs by {(fitted[key] - tensor).abs().max()}"


@pytest.mark.parametrize(
    ("loss", "settings"),
    [(loss, {}) for loss in LOSSES]
    + [("ce", {"augment": False}), ("pat", {"seed": 5, "learning_rate": 1e-2, "epochs": 3})],
)
def test_fit_ends_in_the_weights_of_a_literal_loop(loss, settings, tiny_dataset, tmp_path):
    config = RunConfig(**{**TINY, "batch_size": SIZE, "loss": loss, **settings})
    record = fit(config, tmp_path, tiny_dataset, progress=False)
    weights, losses, labels = literal_loop(tiny_dataset, loss, **settings)
    assert_the_same(load_file(tmp_path / "last.safetensors"), weights[-1])
    masks = tiny_dataset.splits["val"].masks
    for epoch, row in enumerate(record["curves"]):
        assert row["train_loss"] == np.mean(losses[3 * epoch : 3 * epoch + 3])
        miou, accuracy, confusion = scores(labels[epoch], masks)
        assert row["val_miou"] == pytest.approx(miou, abs=1e-12)
        assert row["val_pixel_acc"] == pytest.approx(accuracy, abs=1e-12)
        assert row["val_confusion"] == confusion
    # The first of the epochs with the highest mean IoU.
    best = int(np.argmax([scores(predicted, masks)[0] for predicted in labels]))
    assert record["checkpoints"]["best"]["epoch"] == best + 1
    assert_the_same(load_file(tmp_path / "best.safetensors"), weights[best])
    assert json.loads((tmp_path / "record.json").read_text()) == record


def test_forgotten_pixels_are_those_right_before_and_wrong_now(tiny_dataset, tmp_path):
    config = RunConfig(**{**TINY, "batch_size": SIZE, "loss": "ce", "epochs": 4, "learning_rate": 0.05})
    curves = fit(config, tmp_path, tiny_dataset, progress=False)["curves"]
    _, _, labels = literal_loop(tiny_dataset, "ce", epochs=4, learning_rate=0.05)
    masks = tiny_dataset.splits["val"].masks
    forgotten = [
        [int(((before == masks) & (now != masks) & (masks == label)).sum()) for label in range(10)]
        for before, now in pairwise(labels)
    ]
    assert [row["val_forgotten"] for row in curves] == [None, *forgotten]
    assert np.sum(forgotten) > 0
    learnt = [int(((before != masks) & (now == masks)).sum()) for before, now in pairwise(labels)]
    assert learnt != [sum(row) for row in forgotten]  # counted the other way round it would be another number

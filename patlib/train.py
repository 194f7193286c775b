"""The training loop: data resident on the device, no host synchronisation between an epoch's steps, one record a run.

Nothing here knows a loss or a dataset by name. Lightning Fabric chooses device and precision.
"""

from __future__ import annotations

import functools
import platform
import subprocess
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lightning_fabric import Fabric, seed_everything
from safetensors.torch import load_file
from torch import Tensor, nn
from torchmetrics import Metric
from tqdm import tqdm

from patlib import data
from patlib.config import RunConfig
from patlib.data import IGNORE_INDEX, PreparedDataset, Split
from patlib.files import write_json, write_weights
from patlib.losses import PixelLoss, build_loss, loss_parameters
from patlib.metrics import ReleasedMeanIoU, SegmentationMetrics
from patlib.models import build_model, count_parameters

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
PRECISIONS: dict[str, Precision] = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


class NonFiniteLossError(RuntimeError):
    """The training loss became infinite or NaN; the message names the step, the images and the last good weights."""


class DeviceSplit:
    """A split as uint8 tensors on a device: images (M,3,H,W) and masks (M,H,W), so that no worker decodes anything."""

    def __init__(self, split: Split, device: torch.device) -> None:
        self.names = split.names
        self.images = torch.from_numpy(np.array(split.images)).to(device).permute(0, 3, 1, 2)
        self.masks = torch.from_numpy(np.array(split.masks)).to(device)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N,3,H,W) float in [0, 1], channels-last, and labels (N,H,W) int64 of the given rows."""
        images = self.images[index].float().div_(255).contiguous(memory_format=torch.channels_last)
        return images, self.masks[index].long()

    def in_order(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All batches, in the order of the split."""
        for index in torch.arange(len(self.names), device=self.masks.device).split(batch_size):
            yield self.batch(index)


def mirror(images: Tensor, masks: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Flip left to right those images (N,3,H,W) and masks (N,H,W) that ``chosen`` (N,) bool names."""
    return (
        torch.where(chosen.view(-1, 1, 1, 1), images.flip(-1), images),
        torch.where(chosen.view(-1, 1, 1), masks.flip(-1), masks),
    )


def fit(
    config: RunConfig,
    folder: str | Path | None = None,
    dataset: PreparedDataset | None = None,
    progress: bool = True,
    network: nn.Module | None = None,
) -> dict[str, Any]:
    """Train as ``config`` says; leave ``best.safetensors``, ``last.safetensors`` and ``record.json`` in ``folder``.

    "best" is the epoch with the highest validation mIoU. The record (also returned) holds the configuration, the
    versions and the machine, the curves, and of both checkpoints the confusion matrix and the cross-entropy on
    every split: everything a table needs. ``folder`` is the configuration's own below ``runs`` if None; ``dataset``
    saves opening it again for several runs.

    ``network`` is any module that maps images (N,3,H,W) to logits (N,L,H,W), trained in place of the configured model
    from the weights it has; afterwards it holds the best ones. The record then names its class, and no width.

    Raises :class:`NonFiniteLossError` at the end of the epoch in which the loss stopped being finite, and ValueError
    for fp16 without CUDA, in whose place Fabric would quietly compute in bf16, and for a ``network`` without a folder.
    """
    _commit()  # asked before training: the repository may move on while a long run goes
    if network is not None and folder is None:
        raise ValueError(f"name a folder for your own network: {config.run_path} belongs to {config.model!r}")
    folder = Path(folder) if folder is not None else Path("runs") / config.run_path
    folder.mkdir(parents=True, exist_ok=True)
    dataset = dataset or open_dataset(config, progress)
    num_classes = dataset.spec.num_classes
    fabric = _fabric(config)
    settings = config.model_dump()
    if network is None:
        network = build_model(config.model, num_classes, config.model_width, config.released_head)
    else:
        settings |= {"model": type(network).__name__, "model_width": None, "released_head": None}
    network = network.to(memory_format=torch.channels_last)
    loss = _loss(config, dataset, fabric.device)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    # compile() is applied in place, so that `network` stays a plain module whose weights can be saved.
    if config.compile:
        network.compile()
        loss.compile()
    model, optimizer = fabric.setup(network, optimizer)
    splits = {name: DeviceSplit(split, fabric.device) for name, split in dataset.splits.items()}

    order = torch.Generator().manual_seed(config.seed)
    total = config.epochs * -(-len(splits["train"].names) // config.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer.optimizer, T_max=total)
    if fabric.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(fabric.device)
    (folder / "record.json").unlink(missing_ok=True)  # from here on it would speak of other weights
    curves: list[dict[str, float]] = []
    best = -1.0
    quiet = {} if progress else {"disable": True}  # not disable=False, which would overrule the variable TQDM_DISABLE
    with tqdm(total=total, desc=f"{config.loss} on {config.dataset}", unit="step", **quiet) as bar:
        for epoch in range(config.epochs):
            started = time.perf_counter()
            losses, batches = [], _shuffled(splits["train"], order, config)
            model.train()
            for index, mirrored in batches:
                images, masks = splits["train"].batch(index.to(fabric.device, non_blocking=True))
                images, masks = mirror(images, masks, mirrored.to(fabric.device, non_blocking=True))
                value = loss(model(images), masks)
                fabric.backward(value)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                schedule.step()
                losses.append(value.detach())
                bar.update()
            # Read back together: asking for each loss would make the device wait for the host at every step.
            history = torch.stack(losses).tolist()
            if not np.isfinite(history).all():
                raise _non_finite(history, batches, splits["train"].names, epoch, folder)
            trained = time.perf_counter()
            scores = evaluate(model, splits["val"], num_classes, config.batch_size).compute()
            curves.append({
                "epoch": epoch + 1,
                "train_loss": float(np.mean(history)),
                "val_miou": float(scores["miou"]),
                "val_pixel_acc": float(scores["pixel_acc"]),
                "val_cross_entropy": float(scores["cross_entropy"]),
                "train_seconds": trained - started,
                "val_seconds": time.perf_counter() - trained,
            })  # fmt: skip
            write_weights(folder / "last.safetensors", network)
            if curves[-1]["val_miou"] > best:
                best = curves[-1]["val_miou"]
                write_weights(folder / "best.safetensors", network)
            bar.set_postfix(loss=f"{curves[-1]['train_loss']:.3f}", val_miou=f"{curves[-1]['val_miou']:.3f}")

    checkpoints = {}
    for name, epoch in (("last", config.epochs), ("best", 1 + int(np.argmax([row["val_miou"] for row in curves])))):
        network.load_state_dict(load_file(folder / f"{name}.safetensors"))
        checkpoints[name] = {
            "epoch": epoch, "splits": {split: _measured(model, rows, config, dataset) for split, rows in splits.items()}
        }  # fmt: skip
    record = {
        "config": settings,
        "loss_parameters": {**loss_parameters(config.loss), **config.loss_parameters},
        "dataset": _facts(dataset),
        "parameters": count_parameters(network),
        "curves": curves,
        "checkpoints": checkpoints,
        "machine": _machine(fabric.device),
    }
    write_json(folder / "record.json", record)
    return record


def _fabric(config: RunConfig) -> Fabric:
    if config.precision == "fp16" and (config.accelerator in ("cpu", "mps") or not torch.cuda.is_available()):
        raise ValueError("precision 'fp16' needs a CUDA device, and none was found or chosen; use 'bf16' or 'fp32'")
    seed_everything(config.seed, verbose=False)
    return Fabric(accelerator=config.accelerator, devices=1, precision=PRECISIONS[config.precision])


def _loss(config: RunConfig, dataset: PreparedDataset, device: torch.device) -> PixelLoss:
    counts = torch.from_numpy(dataset.class_pixels)
    loss = build_loss(config.loss, dataset.spec.num_classes, counts, IGNORE_INDEX, **config.loss_parameters)
    if device.type == "mps":
        loss = loss.float()  # MPS has no float64, in which the class tables are kept
    return loss.to(device)


def _shuffled(split: DeviceSplit, order: torch.Generator, config: RunConfig) -> list[tuple[Tensor, Tensor]]:
    """An epoch's batches: rows (N,) of the split, and which of them to mirror (N,). Drawn on the CPU on any device."""
    rows = torch.randperm(len(split.names), generator=order)
    mirrored = torch.rand(len(rows), generator=order) < (0.5 if config.augment else 0.0)
    return list(zip(rows.split(config.batch_size), mirrored.split(config.batch_size), strict=True))


def open_dataset(config: RunConfig, progress: bool = True) -> PreparedDataset:
    """The dataset a configuration names, prepared at its size."""
    return data.prepare(
        config.dataset,
        config.image_size,
        protocol=config.protocol,
        seed=config.data_seed,
        progress=progress,
        void_class=config.void_class,
    )


@torch.no_grad()
def evaluate(
    model: nn.Module, split: DeviceSplit, num_classes: int, batch_size: int, *others: Metric
) -> SegmentationMetrics:
    """Metrics of a model over a whole split; ``others`` see the same batches. Leaves the model in evaluation mode."""
    model.eval()
    metrics = SegmentationMetrics(num_classes, IGNORE_INDEX).to(split.masks.device)
    for images, masks in split.in_order(batch_size):
        logits = model(images)
        for metric in (metrics, *others):
            metric.update(logits, masks)
    return metrics


def load_model(folder: str | Path, record: dict[str, Any], checkpoint: str = "best") -> nn.Module:
    """The network of a finished run on the CPU, in evaluation mode; ``checkpoint`` is "best" or "last".

    Raises ValueError for the record of a network that was handed to :func:`fit`.
    """
    if record["config"]["model_width"] is None:
        raise ValueError(
            f"{record['config']['model']} is no model of patlib: build it yourself, then "
            f"load_state_dict(safetensors.torch.load_file('{Path(folder) / checkpoint}.safetensors'))"
        )
    config = RunConfig(**record["config"])
    model = build_model(config.model, len(record["dataset"]["classes"]), config.model_width, config.released_head)
    model.load_state_dict(load_file(Path(folder) / f"{checkpoint}.safetensors"))
    return model.eval()


def _measured(model: nn.Module, split: DeviceSplit, config: RunConfig, dataset: PreparedDataset) -> dict[str, Any]:
    released = ReleasedMeanIoU(IGNORE_INDEX).to(split.masks.device)
    metrics = evaluate(model, split, dataset.spec.num_classes, config.batch_size, released)
    return {
        "confusion": metrics.confusion.tolist(),
        "cross_entropy": float(metrics.compute()["cross_entropy"]),
        "released_miou": float(released.compute()),
    }


def _non_finite(
    history: list[float], batches: list[tuple[Tensor, Tensor]], names: tuple[str, ...], epoch: int, folder: Path
) -> NonFiniteLossError:
    step = int(np.argmin(np.isfinite(history)))
    images = ", ".join(names[row] for row in batches[step][0].tolist())
    good = f"{folder / 'last.safetensors'} (after epoch {epoch})" if epoch else "none: it was the first epoch"
    return NonFiniteLossError(
        f"the loss is {history[step]} at epoch {epoch + 1}, step {step + 1} of {len(batches)}, on the images {images}; "
        f"last good checkpoint: {good}. Lower learning_rate, or use precision='fp32'."
    )


def _facts(dataset: PreparedDataset) -> dict[str, Any]:
    return {
        "name": dataset.spec.name,
        "classes": list(dataset.spec.classes),
        "size": list(dataset.size),
        "class_pixels": dataset.class_pixels.tolist(),
        "images": {name: len(split) for name, split in dataset.splits.items()},
    }


def _machine(device: torch.device) -> dict[str, Any]:
    on_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else f"{device.type} ({platform.machine()})",
        "threads": torch.get_num_threads(),
        "peak_memory_bytes": torch.cuda.max_memory_allocated(device) if on_gpu else None,
        "commit": _commit(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("patlib", "torch", "lightning-fabric", "torchmetrics", "numpy")},
    }


@functools.cache
def _commit() -> str | None:
    """The commit the library was loaded from, marked when files differed from it; None outside a repository."""
    root = Path(__file__).parent.parent
    if not (root / ".git").exists():  # installed, perhaps inside somebody else's repository
        return None
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        answer = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()

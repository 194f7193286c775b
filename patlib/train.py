"""The training loop: data resident on the device, no host synchronisation between an epoch's steps, one record a run.

Nothing here knows a loss or a dataset by name. Lightning Fabric chooses device and precision.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file
from torch import Tensor, nn
from tqdm import tqdm

from patlib import data, processes
from patlib.config import RunConfig
from patlib.data import IGNORE_INDEX, PreparedDataset
from patlib.devices import check_devices, open_fabric, share_buffers, spread, sum_over_group
from patlib.evaluation import evaluate, measure
from patlib.files import write_json, write_weights
from patlib.losses import PixelLoss, build_loss, loss_parameters
from patlib.machine import commit, machine_facts
from patlib.models import build_model, count_parameters
from patlib.resident import DeviceSplit, shuffled


class NonFiniteLossError(RuntimeError):
    """The training loss became infinite or NaN; the message names the step, the images and the last good weights."""


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

    With several devices each batch is shared among processes of their own (:mod:`patlib.processes`): loss and metrics
    are those of the whole batch. Started by ``torchrun``, ``fit`` is one of them.

    Raises :class:`NonFiniteLossError` at the end of the epoch in which the loss stopped being finite, and ValueError
    for devices or a precision that are not there, and for a ``network`` without a folder.
    """
    commit()  # asked before training: the repository may move on while a long run goes
    if network is not None and folder is None:
        raise ValueError(f"name a folder for your own network: {config.run_path} belongs to {config.model!r}")
    folder = Path(folder) if folder is not None else Path("runs") / config.run_path
    folder.mkdir(parents=True, exist_ok=True)
    check_devices(config)
    if config.devices > 1 and not processes.inside_group():
        if network is not None or dataset is not None:
            raise ValueError(
                "a network or dataset object cannot be handed to other processes: leave it out, or start your own "
                f"script with `torchrun --nproc-per-node {config.devices}` and call fit in it"
            )
        open_dataset(config, progress)  # prepared once, before all processes open it
        return processes.fit_in_processes(config, folder, progress)
    fabric = open_fabric(config)
    dataset = dataset or open_dataset(config, progress and fabric.is_global_zero)
    num_classes = dataset.spec.num_classes
    settings = config.model_dump()
    if network is None:
        network = build_model(config.model, num_classes, config.model_width, config.released_head)
    else:
        settings |= {"model": type(network).__name__, "model_width": None, "released_head": None}
    network = spread(network.to(memory_format=torch.channels_last), fabric, config.seed)
    loss = _loss(config, dataset, fabric.device)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=fabric.device.type != "mps")
    # compile() is applied in place, so that `network` stays a plain module whose weights can be saved.
    if config.compile:
        torch.compiler.reset()  # the runs of a grid would otherwise use up the number of versions of one function
        network.compile()
        loss.compile()
    model, optimizer = fabric.setup(network, optimizer)
    splits = {
        name: DeviceSplit(split, fabric.device, fabric.global_rank, fabric.world_size)
        for name, split in dataset.splits.items()
    }

    order = torch.Generator().manual_seed(config.seed)
    images = len(splits["train"].names)
    total = config.epochs * -(-images // config.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer.optimizer, T_max=total)
    if fabric.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(fabric.device)
    if fabric.is_global_zero:
        (folder / "record.json").unlink(missing_ok=True)  # from here on it would speak of other weights
    curves: list[dict[str, float]] = []
    best = -1.0
    hidden = not (progress and fabric.is_global_zero)
    quiet = {"disable": True} if hidden else {}  # not disable=False, which would overrule the variable TQDM_DISABLE
    with tqdm(total=total, desc=f"{config.loss} on {config.dataset}", unit="step", **quiet) as bar:

        def after_step() -> None:
            schedule.step()
            bar.update()

        for epoch in range(config.epochs):
            started = time.perf_counter()
            rows, mirrored = shuffled(images, order, config.augment)
            losses = train_epoch(
                fabric, model, loss, optimizer, splits["train"], rows, mirrored, config.batch_size, after_step
            )
            # Read back together: asking for each loss would make the device wait for the host at every step.
            history = losses.tolist()
            if not np.isfinite(history).all():
                raise _non_finite(history, rows.split(config.batch_size), splits["train"].names, epoch, folder)
            trained = time.perf_counter()
            share_buffers(network, fabric)
            with fabric.autocast():
                scores = evaluate(network, splits["val"], num_classes, config.batch_size).compute()
            curves.append({
                "epoch": epoch + 1,
                "train_loss": float(np.mean(history)),
                "val_miou": float(scores["miou"]),
                "val_pixel_acc": float(scores["pixel_acc"]),
                "val_cross_entropy": float(scores["cross_entropy"]),
                "train_seconds": trained - started,
                "val_seconds": time.perf_counter() - trained,
            })  # fmt: skip
            improved, best = curves[-1]["val_miou"] > best, max(best, curves[-1]["val_miou"])
            if fabric.is_global_zero:
                for name in ("last", "best") if improved else ("last",):
                    write_weights(folder / f"{name}.safetensors", network)
            bar.set_postfix(loss=f"{curves[-1]['train_loss']:.3f}", val_miou=f"{curves[-1]['val_miou']:.3f}")

    fabric.barrier()  # the files are there
    checkpoints = {}
    for name, epoch in (("last", config.epochs), ("best", 1 + int(np.argmax([row["val_miou"] for row in curves])))):
        network.load_state_dict(load_file(folder / f"{name}.safetensors"))
        with fabric.autocast():
            measured = {split: measure(network, rows, num_classes, config.batch_size) for split, rows in splits.items()}
        checkpoints[name] = {"epoch": epoch, "splits": measured}
    record = {
        "config": settings,
        "loss_parameters": {**loss_parameters(config.loss), **config.loss_parameters},
        "dataset": _facts(dataset),
        "parameters": count_parameters(network),
        "curves": curves,
        "checkpoints": checkpoints,
        "machine": machine_facts(fabric.device),
    }
    if fabric.is_global_zero:
        write_json(folder / "record.json", record)
    fabric.barrier()
    return record


def train_epoch(
    fabric: Fabric,
    model: nn.Module,
    loss: PixelLoss,
    optimizer: torch.optim.Optimizer,
    split: DeviceSplit,
    rows: Tensor,
    mirrored: Tensor,
    batch_size: int,
    after_step: Callable[[], object] = lambda: None,
) -> Tensor:
    """One pass over the rows (M,) of a split; returns the loss of each batch, on the device, unread.

    Between the first step and the last nothing is copied from the device or to it, and nothing waits for it. (On
    several GPUs PyTorch's synchronised batch norm does.)
    """
    model.train()
    losses = []
    batches = zip(rows.to(fabric.device).split(batch_size), mirrored.to(fabric.device).split(batch_size), strict=True)
    for index, flipped in batches:
        value = _batch_loss(fabric, model, loss, split, index, flipped)
        fabric.backward(value)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(value.detach())
        after_step()
    # A process's loss is its part of the whole batch's, times their number: the mean is the whole batch's.
    return sum_over_group(torch.stack(losses), fabric) / fabric.world_size


def _batch_loss(
    fabric: Fabric, model: nn.Module, loss: PixelLoss, split: DeviceSplit, index: Tensor, mirrored: Tensor
) -> Tensor:
    if fabric.world_size == 1:
        images, masks = split.batch(index, mirrored)
        return loss(model(images), masks)
    own, flipped = split.share(index), split.share(mirrored)
    # Fewer images than processes: this one takes part with an image that counts in no loss, only in batch statistics.
    spare = not len(own)
    images, masks = split.batch(index[:1], mirrored[:1]) if spare else split.batch(own, flipped)
    if spare:
        masks = torch.full_like(masks, IGNORE_INDEX)
    part = loss.normaliser(masks != IGNORE_INDEX) * (not spare)
    whole = sum_over_group(part, fabric).clamp_min(1)
    # Gradients are averaged over the processes, and the whole batch's gradient is their sum.
    return loss(model(images), masks, whole / fabric.world_size)


def _loss(config: RunConfig, dataset: PreparedDataset, device: torch.device) -> PixelLoss:
    counts = torch.from_numpy(dataset.class_pixels)
    loss = build_loss(config.loss, dataset.spec.num_classes, counts, IGNORE_INDEX, **config.loss_parameters)
    if device.type == "mps":
        loss = loss.float()  # MPS has no float64, in which the class tables are kept
    return loss.to(device)


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


def _non_finite(
    history: list[float], batches: tuple[Tensor, ...], names: tuple[str, ...], epoch: int, folder: Path
) -> NonFiniteLossError:
    step = int(np.argmin(np.isfinite(history)))
    images = ", ".join(names[row] for row in batches[step].tolist())
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

"""A run under way as one object: what it trains, on what, and how far it has come; its state is kept and taken up."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from patlib import datasets
from patlib.datasets import IGNORE_INDEX, PreparedDataset
from patlib.losses import PixelLoss, build_loss
from patlib.models import build_model
from patlib.trainer import state
from patlib.trainer.batches import DeviceSplit
from patlib.trainer.checks import check_dataset, check_loss
from patlib.trainer.config import RunConfig
from patlib.trainer.evaluate import Forgetting
from patlib.trainer.group import open_fabric, prepare_for_group
from patlib.trainer.machine import machine_facts
from patlib.trainer.moments import load_moments, named_moments


@dataclass
class Run:
    """One process's share of a run."""

    config: RunConfig
    folder: Path
    settings: dict[str, Any]
    """The configuration as the record states it, in which a network that was handed over has no width, and a loss that
    was handed over stands as it prints itself."""
    dataset: dict[str, Any]
    """What the record states about the dataset."""
    fabric: Fabric
    network: nn.Module
    """The network; its weights are those of ``model``, which is Fabric's view of it."""
    model: nn.Module
    loss: PixelLoss
    optimizer: Any
    schedule: torch.optim.lr_scheduler.LRScheduler
    splits: dict[str, DeviceSplit]
    class_pixels: Tensor
    order: torch.Generator
    forgetting: Forgetting

    epoch: int = 0
    """Epochs that are done."""
    losses: list[Tensor] = field(default_factory=list)
    """The loss of each step of the epoch under way, on the device and not read back."""
    curves: list[dict[str, Any]] = field(default_factory=list)
    best: tuple[int, str] | None = None
    """The best epoch so far and the SHA-256 of its weights' file."""
    machines: list[dict[str, Any]] = field(default_factory=list)
    """The machine of each stretch of the run, if it was continued on another or with other versions."""
    seconds: float = 0.0
    """Training time, in seconds, that the epoch under way had taken before it was last taken up."""
    kept: float = field(default_factory=time.perf_counter)
    """When the state was last kept, on the clock of ``time.perf_counter``."""
    kept_steps: int = 0
    """Steps done in all when the state was last kept; 0 if there is none."""

    def __post_init__(self) -> None:
        self.order_before = self.order.get_state()  # of the epoch under way

    @property
    def steps_an_epoch(self) -> int:
        """Batches of the training split, the last and smaller one among them."""
        return -(-len(self.splits["train"].names) // self.config.batch_size)

    @property
    def steps(self) -> int:
        """Steps done in all."""
        return self.epoch * self.steps_an_epoch + len(self.losses)

    def identity(self) -> dict[str, Any]:
        """What must be the same for a state to be this run's."""
        settings = {name: value for name, value in self.settings.items() if name != "accelerator"}
        shapes = {name: list(tensor.shape) for name, tensor in self.network.state_dict().items()}
        return {
            "config": settings, "dataset": self.dataset, "device": self.fabric.device.type, "weights": shapes,
        }  # fmt: skip


def open_run(
    config: RunConfig, folder: Path, dataset: PreparedDataset, network: nn.Module | None, loss: PixelLoss | None = None
) -> Run:
    """A run at its beginning, with all that it needs; ``network`` and ``loss``, if given, replace the configured ones.

    Raises ValueError for a dataset on which no run could end (:func:`check_dataset`), and for a loss that does not fit.
    """
    check_dataset(dataset)
    fabric = open_fabric(config)
    settings = config.model_dump()
    if network is None:
        network = build_model(config.model, dataset.spec.num_classes, config.model_width, config.released_head)
    else:
        settings |= {"model": type(network).__name__, "model_width": None, "released_head": None}
    network = prepare_for_group(network.to(memory_format=torch.channels_last), fabric, config.seed)
    if loss is None:
        counts = torch.from_numpy(dataset.class_pixels)
        loss = build_loss(config.loss, dataset.spec.num_classes, counts, IGNORE_INDEX, **config.loss_parameters)
    else:
        check_loss(loss, dataset)
        settings = {name: value for name, value in settings.items() if name not in config.loss_parameters}
        settings["loss"] = repr(loss)
    loss = (loss.float() if fabric.device.type == "mps" else loss).to(fabric.device)  # MPS lacks the tables' float64
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
    steps = config.epochs * -(-len(splits["train"].names) // config.batch_size)
    return Run(
        config=config, folder=folder, settings=settings, dataset=dataset_facts(dataset), fabric=fabric,
        network=network, model=model, loss=loss, optimizer=optimizer, splits=splits,
        schedule=torch.optim.lr_scheduler.CosineAnnealingLR(optimizer.optimizer, T_max=steps),
        class_pixels=torch.from_numpy(dataset.class_pixels),
        order=torch.Generator().manual_seed(config.seed),
        forgetting=Forgetting(dataset.spec.num_classes).to(fabric.device),
        machines=[machine_facts(fabric.device)],
    )  # fmt: skip


def keep(run: Run) -> None:
    """Write the state of the run to its folder.

    The chapter ``notebooks/10_the_trainer.md`` forgets each part of the state in turn, and shows what follows.
    """
    buffers = dict(run.network.named_buffers()) if run.fabric.world_size > 1 else {}
    own = {
        "random": torch.get_rng_state(),
        "losses": torch.stack(run.losses) if run.losses else torch.zeros(0),
        "right": run.forgetting.packed(),
        **{f"buffer {name}": tensor for name, tensor in buffers.items()},
    }
    if run.fabric.device.type == "cuda":
        own["random on the device"] = torch.cuda.get_rng_state(run.fabric.device)
    facts = {
        **run.identity(),
        "epoch": run.epoch,
        "steps": run.steps,
        "seconds": run.seconds,
        "curves": run.curves,
        "best": run.best,
        "schedule": run.schedule.state_dict(),
        "learning_rate": run.optimizer.param_groups[0]["lr"],
        "scaler": run.fabric.strategy.precision.state_dict(),
        "machines": run.machines,
    }
    shared = {
        **run.network.state_dict(),
        **named_moments(run.network, run.optimizer.optimizer),
        "order": run.order_before,
    }
    state.write_state(run.folder, state.State(shared, own, facts), run.steps, run.best, run.fabric)
    run.kept, run.kept_steps = time.perf_counter(), run.steps


def spoilt(run: Run) -> str:
    """What of the weights and the optimiser's moments is infinite or NaN, or nothing.

    Finite weights do not answer for the moments: the square of a gradient above 1.8e19 is infinite, and Adam, which
    divides by its root, then leaves that weight where it is for good.
    """
    moments = named_moments(run.network, run.optimizer.optimizer)
    for what, tensors in {"a weight": run.network.state_dict(), "a moment of Adam": moments}.items():
        # Each answer would make the host wait for the device, so one is asked for.
        if not torch.stack([tensor.isfinite().all().to(run.fabric.device) for tensor in tensors.values()]).all():
            return what
    return ""


def take_up(run: Run) -> bool:
    """Continue from the state that an interrupted run left in the folder; returns whether there was one.

    Raises StateError for a state that cannot be used.
    """
    found = state.read_state(run.folder, run.fabric, run.identity())
    run.fabric.barrier()  # all have read it
    if run.fabric.is_global_zero:
        state.sweep(run.folder, found)
    run.fabric.barrier()
    if found is None:
        return False
    shared, own, facts = found
    run.network.load_state_dict({name: shared[name] for name in run.network.state_dict()})
    load_moments(run.network, run.optimizer.optimizer, shared, facts["learning_rate"])
    for name, buffer in run.network.named_buffers():
        if f"buffer {name}" in own:
            buffer.copy_(own[f"buffer {name}"])
    run.schedule.load_state_dict(facts["schedule"])
    run.fabric.strategy.precision.load_state_dict(facts["scaler"])
    run.order.set_state(shared["order"])
    run.order_before = shared["order"]
    run.epoch, run.curves, run.seconds = facts["epoch"], facts["curves"], facts["seconds"]
    run.best = tuple(facts["best"]) if facts["best"] else None
    run.losses = list(own["losses"].to(run.fabric.device))
    run.kept_steps = run.steps
    run.forgetting.unpack(own["right"], run.splits["val"], run.config.batch_size)
    run.machines = facts["machines"] + [now for now in run.machines if now != facts["machines"][-1]]
    torch.set_rng_state(own["random"])
    if run.fabric.device.type == "cuda":
        torch.cuda.set_rng_state(own["random on the device"], run.fabric.device)
    return True


def open_dataset(config: RunConfig, progress: bool = True) -> PreparedDataset:
    """The dataset that a configuration names, prepared at the size that it states. Raises what ``prepare`` raises.

    Example:
        >>> from patlib.trainer import RunConfig, open_dataset
        >>> config = RunConfig(dataset="synthetic", image_height=16, image_width=24)
        >>> open_dataset(config, progress=False).size
        (16, 24)
    """
    return datasets.prepare(
        config.dataset,
        config.image_size,
        protocol=config.protocol,
        seed=config.data_seed,
        progress=progress,
        void_class=config.void_class,
    )


def dataset_facts(dataset: PreparedDataset) -> dict[str, Any]:
    """What a record states about a dataset; the digest tells datasets of the same name and size apart."""
    return {
        "name": dataset.spec.name,
        "classes": list(dataset.spec.classes),
        "size": list(dataset.size),
        "class_pixels": dataset.class_pixels.tolist(),
        "images": {name: len(split) for name, split in dataset.splits.items()},
        "digest": dataset.digest,
    }

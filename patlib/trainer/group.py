"""The devices of a run: whether this machine has them, Fabric on them, and what a group of processes shares."""

from __future__ import annotations

import os
from typing import Literal

import torch
from lightning_fabric import Fabric, seed_everything
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from torch import Tensor, nn

from patlib.trainer.config import RunConfig

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
PRECISIONS: dict[str, Precision] = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


def inside_group() -> bool:
    """Whether this process is one of a group that ``torchrun`` or :mod:`patlib.trainer.launch` started."""
    return torch.distributed.is_torchelastic_launched()


def check_devices(config: RunConfig) -> None:
    """Raise ValueError for devices or a precision that this machine does not have.

    Inside a group it is also raised if the number of processes differs from the configuration's number of devices.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(config.accelerator, True):
        raise ValueError(f"accelerator {config.accelerator!r}, but torch finds none here: use 'auto' or 'cpu'")
    on_cuda = config.accelerator in ("auto", "cuda") and there["cuda"]
    if config.precision == "fp16" and not on_cuda:
        # Fabric would quietly compute in bf16.
        raise ValueError("precision 'fp16' needs a CUDA device, and none was found or chosen; use 'bf16' or 'fp32'")
    if on_cuda and config.devices > torch.cuda.device_count():
        raise ValueError(f"devices is {config.devices}, but {torch.cuda.device_count()} CUDA devices are visible")
    group = int(os.environ["WORLD_SIZE"]) if inside_group() else config.devices
    if group != config.devices:
        raise ValueError(f"devices is {config.devices} in a group of {group} processes; make both the same")


def open_fabric(config: RunConfig) -> Fabric:
    """Set the seed and return Fabric on the configured devices; inside a group this process is one of its ranks."""
    seed_everything(config.seed, verbose=False)
    shared = config.devices > 1
    fabric = Fabric(
        accelerator=config.accelerator,
        devices=config.devices,
        strategy="ddp" if shared else "auto",
        plugins=TorchElasticEnvironment() if shared else None,
        precision=PRECISIONS[config.precision],
    )
    fabric.launch()
    if fabric.device.type == "cuda":
        torch.backends.cudnn.benchmark = True  # every step has the same shapes
    return fabric


def prepare_for_group(network: nn.Module, fabric: Fabric, seed: int) -> nn.Module:
    """Make a network ready for a group of processes; with one process it is returned as it is.

    On GPUs batch norm then uses the statistics of the whole batch. From here on each process draws its own noise.
    """
    if fabric.world_size == 1:
        return network
    torch.manual_seed(seed + fabric.global_rank)  # the weights have been drawn alike by now
    # PyTorch has synchronised batch norm on GPUs only. On CPUs each process normalises its part of the batch by itself.
    return nn.SyncBatchNorm.convert_sync_batchnorm(network) if fabric.device.type == "cuda" else network


def share_buffers(network: nn.Module, fabric: Fabric) -> None:
    """Give all processes the running statistics of the first; they differ where each normalises its own part."""
    if fabric.world_size > 1:
        for buffer in network.buffers():
            torch.distributed.broadcast(buffer, 0)


def sum_over_group(value: Tensor, fabric: Fabric) -> Tensor:
    """The sum of a tensor over all processes, in place; nothing is read back to the host."""
    if fabric.world_size > 1:
        torch.distributed.all_reduce(value)
    return value

"""A run in this process, or in a group of processes of this machine, one for each device.

The processes of a group are started anew and are no forks or threads of this one. So a group can be started from a
notebook, from a Dask worker and after CUDA has been used. The processes are given the environment that ``torchrun``
gives, but find each other through a file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn

from patlib.datasets import DataError, PreparedDataset
from patlib.files import temporary_folder
from patlib.losses import PixelLoss
from patlib.trainer.checks import check_dataset
from patlib.trainer.config import RunConfig
from patlib.trainer.group import check_devices, inside_group
from patlib.trainer.loop import fit_rank
from patlib.trainer.machine import commit
from patlib.trainer.run import open_dataset
from patlib.trainer.state import StateError
from patlib.trainer.step import NonFiniteError

TRAVELS = {kind.__name__: kind for kind in (ValueError, NonFiniteError, StateError, DataError)}
"""Errors that keep their type on the way from a group's process to this one; others become a RuntimeError."""


def fit(
    config: RunConfig,
    folder: str | Path | None = None,
    dataset: PreparedDataset | None = None,
    progress: bool = True,
    network: nn.Module | None = None,
    resume: bool = True,
    loss: PixelLoss | None = None,
) -> dict[str, Any]:
    """Train as ``config`` says; leave ``best.safetensors``, ``last.safetensors`` and ``record.json`` in ``folder``.

    The chapter ``notebooks/10_the_trainer.md`` builds it from a loop of 28 lines that ends in the same weights.

    "best" is the epoch with the highest validation mIoU. The record, which is also returned, holds everything that a
    table needs: the configuration, the versions and the machine, the curves, and for both checkpoints what
    :func:`~patlib.trainer.evaluate.measure` keeps of every split. If ``folder`` is None, the run has its own folder
    below ``runs``. A ``dataset`` that is handed over need not be opened again for each of several runs.

    A run that was stopped goes on from its last epoch when ``fit`` is called again with the same configuration and
    folder; in a long epoch it goes on from a point at most three minutes before it was stopped. On a CPU its weights
    and its record, apart from times, are then exactly those of a run that was not stopped. ``resume=False`` starts
    anew. What an earlier run left in the folder stays until this one is done.

    ``network`` is any module that maps images (N,3,H,W) to logits (N,L,H,W). It is trained in place of the configured
    model, from the weights that it has, and holds the best weights afterwards. The record then names its class, and no
    width. ``loss`` is any :class:`~patlib.losses.PixelLoss`, such as a method of your own, and takes the place of the
    configured loss in the same way. The record then states it as it prints itself, and no ``loss_parameters``. A loss
    of another library is put into one by a few lines, which the error for it shows.

    With several devices each batch is shared among as many processes, and loss and metrics are those of the whole
    batch. Called in a process that ``torchrun`` started, ``fit`` does that process's share.

    Raises :class:`NonFiniteError` at the end of the epoch in which a loss, a weight or the validation cross-entropy
    stopped being finite or, in a long one, before its state would be kept, :class:`StateError` for an interrupted run's
    state that is damaged or another run's, and ValueError for devices or a precision that are not there, for a
    ``dataset`` that is not a prepared one or lacks a labelled pixel in its train or val split, for a ``loss`` that does
    not fit the dataset, and for a ``network``, a ``loss``, or a ``dataset`` of another name than the configuration's,
    without a folder.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import numpy as np
        >>> from patlib.datasets import from_pairs
        >>> from patlib.trainer import RunConfig, fit
        >>> mask = np.arange(16 * 16).reshape(16, 16) // 32 % 2
        >>> image = (100 + 100 * mask).astype(np.uint8)
        >>> dataset = from_pairs(
        ...     [(image, mask)] * 10, classes=["soil", "crop"], size=(16, 16),
        ...     name="stripes", progress=False,
        ... )
        >>> config = RunConfig(loss="ce", model_width=1, epochs=1)
        >>> with TemporaryDirectory() as folder:
        ...     record = fit(config, folder, dataset, progress=False)
        >>> record["dataset"]["name"], record["dataset"]["images"]
        ('stripes', {'train': 8, 'val': 1, 'test': 1})
    """
    commit()  # asked before training: the repository may move on while a long run goes
    for what, given, configured in (("network", network, config.model), ("loss", loss, config.loss)):
        if given is not None and folder is None:
            raise ValueError(f"name a folder for your own {what}: {config.run_path} belongs to {configured!r}")
    if dataset is not None:
        check_dataset(dataset)
    if dataset is not None and folder is None and dataset.spec.name != config.dataset_name:
        raise ValueError(
            f"name a folder for your own dataset, such as folder={f'runs/{dataset.spec.name}/{config.run_name}'!r}: "
            f"{config.run_path} belongs to {config.dataset_name!r}"
        )
    folder = Path(folder) if folder is not None else Path("runs") / config.run_path
    folder.mkdir(parents=True, exist_ok=True)
    check_devices(config)
    if config.devices == 1 or inside_group():
        return fit_rank(config, folder, dataset, progress, network, resume, loss)
    if network is not None or loss is not None or dataset is not None:
        raise ValueError(
            "a network, loss or dataset object cannot be handed to other processes: leave it out, or start your own "
            f"script with `torchrun --nproc-per-node {config.devices}` and call fit in it"
        )
    open_dataset(config, progress)  # prepared once, before all processes open it
    return _fit_in_group(config, folder, progress, resume)


def _fit_in_group(config: RunConfig, folder: Path, progress: bool, resume: bool) -> dict[str, Any]:
    """Run :func:`~patlib.trainer.loop.fit_rank` in ``config.devices`` processes of this machine; returns the record.

    Raises what the first of them to fail raised, and RuntimeError if one was killed. When this process dies they stop.
    """
    asked = {"config": config.model_dump(), "folder": str(folder.resolve()), "progress": progress, "resume": resume}
    with temporary_folder("group") as place:
        (place / "group.json").write_text(json.dumps(asked))
        command = [sys.executable, "-m", "patlib.trainer.rank", str(place)]
        # Standard input of each is a pipe from this process. When this process ends the pipe closes, and so do they.
        group = [
            subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
            for environment in _environments(config.devices)
        ]
        try:
            while any(process.poll() is None for process in group) and not any(process.returncode for process in group):
                time.sleep(0.05)
        finally:
            killed = [process.returncode for process in group if (process.returncode or 0) < 0]
            for process in group:
                process.kill()  # no effect on a process that has ended; the others wait for the one that failed
                process.communicate()
        error = read_error(place / "error.json")
    if error is not None and not killed:
        raise error
    if codes := killed or [process.returncode for process in group if process.returncode]:
        died = f"a process of {config.devices} died (exit status {codes[0]}), for want of memory perhaps"
        raise RuntimeError(died) from error  # the error is that of a process that missed the one that died
    record: dict[str, Any] = json.loads((folder / "record.json").read_text())
    return record


def _environments(count: int) -> list[dict[str, str]]:
    common = {
        # Fabric wants an address; the group is opened through a file before it asks, and nothing listens there.
        "TORCHELASTIC_RUN_ID": "patlib", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0", "GROUP_RANK": "0",
        "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count),
        # What the processes send each other stays on this machine.
        "GLOO_SOCKET_IFNAME": "lo" if sys.platform == "linux" else "lo0",
    }  # fmt: skip
    threads = {"OMP_NUM_THREADS": str(max(1, torch.get_num_threads() // count))}
    # The group shares the threads that OMP_NUM_THREADS gave this process.
    return [{**os.environ, **threads, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]


def keep_error(error: Exception, path: Path) -> None:
    """Leave an error for the process that started the group, unless another process has left one before."""
    content = {"kind": type(error).__name__, "message": str(error), "traceback": traceback.format_exception(error)}
    own = path.with_name(f"{path.name}-{os.getpid()}")
    own.write_text(json.dumps(content))
    # The other processes fail next because this one is missing, so only the first failure is the cause.
    with suppress(FileExistsError):
        os.link(own, path)
    own.unlink()


def read_error(path: Path) -> Exception | None:
    """The error that :func:`keep_error` left, if any."""
    if not path.exists():
        return None
    left = json.loads(path.read_text())
    if left["kind"] in TRAVELS:
        return TRAVELS[left["kind"]](left["message"])
    return RuntimeError("".join(left["traceback"]))

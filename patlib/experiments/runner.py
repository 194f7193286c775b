"""Run folders, their records, what they predict, and many runs one after the other.

A run owns one folder: ``record.json``, ``best.safetensors``, ``last.safetensors`` and, when papermill ran it, the
executed notebook. The record is written last, so a folder with a record is a finished run.
"""

from __future__ import annotations

import difflib
import json
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from patlib.cells import Cell, Outcome, is_there, run_cell
from patlib.data import Split
from patlib.losses import LOSSES
from patlib.progress import GridProgress, last_line
from patlib.trainer.config import RunConfig

REPORT = Path(__file__).parent.parent / "notebooks" / "08_one_run.ipynb"
BUSY_SECONDS = 1.0  # between two looks at what another process is running
Record = dict[str, Any]
Execute = Callable[[list[RunConfig], Path, Callable[[str], object]], Iterator[tuple[RunConfig, Outcome]]]
MODEL_SETTINGS = ("model", "model_width", "released_head")


def read_records(folder: str | Path) -> list[Record]:
    """Every record below a folder, sorted by path; ValueError for a file that is not a whole record."""
    return [read_record(path) for path in sorted(Path(folder).rglob("record.json"))]


def read_record(path: str | Path) -> Record:
    """One record; ValueError for a file that is not a whole one."""
    try:
        record = json.loads(Path(path).read_text())
        settings = record["config"]
        if settings["model_width"] is None:  # of a network that was handed to fit: no configuration builds it
            settings = {name: value for name, value in settings.items() if name not in MODEL_SETTINGS}
        RunConfig(**settings)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a run record ({error}); remove it and run that cell again") from error
    return record


def run_grid(
    configs: Iterable[RunConfig],
    folder: str | Path,
    progress: bool = True,
    cell: Cell | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
) -> list[tuple[str, str]]:
    """Run each configuration in its own folder below ``folder``; one that has a record there is not run again.

    A run that fails leaves ``error.txt`` with its traceback and does not stop the rest. Returns (run name, last line
    of the error) of those that failed. Several processes may be given the same folder: none repeats what another did,
    and what another is doing is left to it, and tried again at the end.

    ``cell`` is what a run does: :func:`plain_cell` if None, or :func:`report_cell`, or any function that can be
    pickled. The runs go one after another in this process, or on ``workers`` processes of this machine (then a script
    needs ``if __name__ == "__main__":``), or on the workers of the Dask ``scheduler`` at an address. Raises ValueError
    or ConnectionError as :mod:`patlib.cluster` does.
    """
    if workers is not None and scheduler is not None:
        raise ValueError("--workers starts processes here and --scheduler names a cluster: give one of them")
    if workers is not None and workers < 1:
        raise ValueError(f"--workers must be at least 1, got {workers}")
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    cells = list(configs)
    left = [config for config in cells if not is_there(config, folder)]
    if not left:
        return []
    failures = []
    with (
        _executor(cell, left, workers, scheduler, progress) as execute,
        GridProgress(len(cells), len(cells) - len(left), progress) as shown,
    ):
        while left:
            busy = []
            for config, outcome in execute(left, folder, shown.started):
                shown.finished(config.run_name, outcome)
                if outcome.state == "failed":
                    failures.append((config.run_name, last_line(outcome.error)))
                elif outcome.state == "busy":
                    busy.append(config)
            left = busy
            if left:
                time.sleep(BUSY_SECONDS)
                shown.retrying()
    return failures


@contextmanager
def _executor(
    cell: Cell | None, configs: list[RunConfig], workers: int | None, scheduler: str | None, progress: bool
) -> Iterator[Execute]:
    """A function that runs cells, wherever they are to run, and yields each with its outcome."""
    if workers is None and scheduler is None:
        yield partial(_one_after_another, cell or partial(plain_cell, progress=progress))
        return
    from patlib import cluster

    with cluster.open_cluster(workers, scheduler, configs) as client:
        yield partial(cluster.run_cells, client, cell or plain_cell)


def _one_after_another(
    cell: Cell, configs: Iterable[RunConfig], folder: Path, started: Callable[[str], object]
) -> Iterator[tuple[RunConfig, Outcome]]:
    for config in configs:
        yield config, run_cell(cell, config, folder, started)


def plain_cell(config: RunConfig, folder: Path, progress: bool = False) -> None:
    """Train in this process, and leave the record and the weights."""
    from patlib.trainer import fit

    fit(config, folder / config.run_path, progress=progress)


def report_cell(config: RunConfig, folder: Path) -> None:
    """Execute notebook 08 as the run's report: :func:`run_notebook`."""
    check_report()
    run_notebook(REPORT, config, folder, progress=False)


def check_report() -> None:
    """ValueError if notebook 08 is not there, as when patlib was installed without its repository."""
    if not REPORT.is_file():
        raise ValueError(f"the report's notebook is not at {REPORT}: use --plain, or run from a checkout")


def predictions_of(folder: str | Path, split: Split, checkpoint: str = "best") -> dict[str, np.ndarray]:
    """What the finished runs below a folder predict for the images of a split: labels (M,H,W) uint8, by loss.

    In the order of :data:`~patlib.losses.LOSSES`, on the CPU. ValueError if there is no run, or two of one loss.
    """
    import torch

    from patlib.trainer import load_model
    from patlib.trainer.batches import DeviceSplit

    resident = DeviceSplit(split, torch.device("cpu"))
    predicted: dict[str, np.ndarray] = {}
    for path in sorted(Path(folder).rglob("record.json")):
        record = read_record(path)
        loss = record["config"]["loss"]
        if loss in predicted:
            raise ValueError(f"{folder} holds two runs of {loss!r}; name a folder with one run a loss")
        model = load_model(path.parent, record, checkpoint)
        with torch.no_grad():
            labels = [model(images).argmax(1) for images, _ in resident.in_order(16)]
        predicted[loss] = torch.cat(labels).numpy().astype(np.uint8)
    if not predicted:
        raise ValueError(f"{folder} holds no finished run (a folder with record.json and {checkpoint}.safetensors)")
    return {loss: predicted[loss] for loss in LOSSES if loss in predicted}


def notebook_parameters(namespace: Mapping[str, Any]) -> tuple[RunConfig, Path]:
    """Configuration and run folder from the variables of a notebook that so far holds nothing but parameters.

    Papermill only warns about a parameter that a notebook does not have. Here every public variable with a plain value
    must be a field of :class:`~patlib.trainer.config.RunConfig` or ``folder``, below which the run gets its own: a
    misspelt name raises ValueError, and so does a wrong type.
    """
    plain = (str, int, float, bool, list, tuple, dict, type(None))
    jupyter_names = ("In", "Out")
    given: dict[str, Any] = {
        name: value
        for name, value in namespace.items()
        if isinstance(value, plain) and not name.startswith("_") and name not in jupyter_names
    }
    folder = given.pop("folder", "runs")
    for name in given:
        if name not in RunConfig.model_fields:
            close = difflib.get_close_matches(name, RunConfig.model_fields, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else "."
            raise ValueError(
                f"unknown parameter {name!r}{hint} Known: folder, {', '.join(RunConfig.model_fields)}. "
                "(In a live notebook: restart the kernel if it is a variable of your own.)"
            )
    config = RunConfig(**given)
    return config, Path(folder) / config.run_path


def run_notebook(notebook: str | Path, config: RunConfig, folder: str | Path, progress: bool = True) -> Path:
    """Execute the parameterised notebook with papermill; returns the executed one, in the run's folder.

    It is named ``notebook.ipynb`` only when every cell has run. One that failed is kept as ``failed.ipynb``, with the
    error in its place, and ValueError tells which.
    """
    import papermill
    from jupyter_client.manager import AsyncKernelManager

    class QuietKernel(AsyncKernelManager):
        """What a kernel says outside of its notebook is about its own start and end."""

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            await super().start_kernel(stderr=subprocess.DEVNULL, **options)

    own = Path(folder).resolve() / config.run_path
    own.mkdir(parents=True, exist_ok=True)
    parameters = {**config.model_dump(), "folder": str(Path(folder).resolve())}
    # Judged by whether papermill returns: an interrupted notebook's own metadata can look complete.
    unfinished = own / "failed.ipynb"
    try:
        papermill.execute_notebook(
            notebook, unfinished, parameters, progress_bar=progress, kernel_manager_class=QuietKernel
        )
    except papermill.PapermillExecutionError as error:
        raise ValueError(f"{error.ename}: {error.evalue} (in cell {error.exec_count} of {unfinished})") from error
    return unfinished.replace(own / "notebook.ipynb")

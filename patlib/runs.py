"""Run folders, their records, what they predict, and many runs one after the other.

A run owns one folder: ``record.json``, ``best.safetensors``, ``last.safetensors`` and, when papermill ran it, the
executed notebook. The record is written last, so a folder with a record is a finished run.
"""

from __future__ import annotations

import difflib
import json
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from patlib.config import RunConfig
from patlib.data import Split
from patlib.losses import LOSSES

Record = dict[str, Any]
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


def run_grid(configs: Iterable[RunConfig], folder: str | Path, progress: bool = True) -> list[tuple[str, str]]:
    """Run each configuration in its own folder below ``folder``; one that has a record there is not run again.

    A run that fails leaves ``error.txt`` with its traceback and does not stop the rest. Returns (run name, last line
    of the error) of those that failed.
    """
    from patlib.train import fit, open_dataset

    failures = []
    for config in configs:
        own = Path(folder) / config.run_path
        if (own / "record.json").exists():
            continue
        try:
            fit(config, own, open_dataset(config, progress), progress)
            (own / "error.txt").unlink(missing_ok=True)
        except Exception as error:
            own.mkdir(parents=True, exist_ok=True)
            (own / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
            failures.append((config.run_name, f"{type(error).__name__}: {error}"))
    return failures


def predictions_of(folder: str | Path, split: Split, checkpoint: str = "best") -> dict[str, np.ndarray]:
    """What the finished runs below a folder predict for the images of a split: labels (M,H,W) uint8, by loss.

    In the order of :data:`~patlib.losses.LOSSES`, on the CPU. ValueError if there is no run, or two of one loss.
    """
    import torch

    from patlib.train import DeviceSplit, load_model

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
    must be a field of :class:`~patlib.config.RunConfig` or ``folder``, below which the run gets its own: a misspelt
    name raises ValueError, and so does a wrong type.
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


def run_notebook(notebook: str | Path, config: RunConfig, folder: str | Path) -> Path:
    """Execute the parameterised notebook with papermill; returns the executed one, in the run's folder.

    It is named ``notebook.ipynb`` only when every cell has run. One that failed is kept as ``failed.ipynb``, with the
    error in its place, and ValueError tells which.
    """
    import papermill

    own = Path(folder).resolve() / config.run_path
    own.mkdir(parents=True, exist_ok=True)
    parameters = {**config.model_dump(), "folder": str(Path(folder).resolve())}
    # Judged by whether papermill returns: an interrupted notebook's own metadata can look complete.
    unfinished = own / "failed.ipynb"
    try:
        papermill.execute_notebook(notebook, unfinished, parameters)
    except papermill.PapermillExecutionError as error:
        raise ValueError(f"{error.ename}: {error.evalue} (in cell {error.exec_count} of {unfinished})") from error
    return unfinished.replace(own / "notebook.ipynb")

"""Run folders, their records, and many runs one after the other.

A run owns one folder: ``record.json``, ``best.safetensors``, ``last.safetensors`` and, when papermill ran it, the
executed notebook. The record is written last, so a folder with a record is a finished run.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from patlib.config import RunConfig
from patlib.files import replacing

Record = dict[str, Any]


def read_records(folder: str | Path) -> list[Record]:
    """Every record below a folder, sorted by path; ValueError for a file that is not a whole record."""
    records = []
    for path in sorted(Path(folder).rglob("record.json")):
        try:
            record = json.loads(path.read_text())
            RunConfig(**record["config"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a run record ({error}); remove it and run that cell again") from error
        records.append(record)
    return records


def run_grid(configs: Iterable[RunConfig], folder: str | Path, progress: bool = True) -> list[tuple[str, str]]:
    """Run each configuration in its own folder below ``folder``; one that has a record there is not run again.

    A run that fails leaves ``error.txt`` with its traceback and does not stop the rest. Returns (run name, last line
    of the error) of those that failed.
    """
    from patlib.train import fit, open_dataset

    failures = []
    for config in configs:
        run_folder = Path(folder) / config.dataset / config.run_name
        if (run_folder / "record.json").exists():
            continue
        try:
            fit(config, run_folder, open_dataset(config, progress), progress)
            (run_folder / "error.txt").unlink(missing_ok=True)
        except Exception as error:
            run_folder.mkdir(parents=True, exist_ok=True)
            (run_folder / "error.txt").write_text(traceback.format_exc())
            failures.append((config.run_name, f"{type(error).__name__}: {error}"))
    return failures


def notebook_parameters(namespace: Mapping[str, Any]) -> RunConfig:
    """The configuration stated by the variables of a notebook whose first cells hold nothing but parameters.

    Papermill only warns about a parameter that the notebook does not have. Here every public variable must be a
    field of :class:`~patlib.config.RunConfig`: a misspelt name raises ValueError, and so does a wrong type.
    """
    jupyter_names = {"In", "Out", "exit", "quit", "open", "get_ipython"}
    given = {
        name: value
        for name, value in namespace.items()
        if not name.startswith("_") and name not in jupyter_names and type(value).__name__ != "module"
    }
    return RunConfig(**given)


def run_notebook(notebook: str | Path, config: RunConfig, folder: str | Path) -> Path:
    """Execute a parameterised notebook with papermill into the run's folder; returns the executed notebook.

    The notebook is named ``notebook.ipynb`` only when every cell has run; one that failed is kept beside it as
    ``failed.ipynb`` with the error in place, and papermill's exception is raised.
    """
    import papermill

    run_folder = Path(folder) / config.dataset / config.run_name
    run_folder.mkdir(parents=True, exist_ok=True)
    parameters = config.model_dump(exclude_defaults=True)
    executed = run_folder / "notebook.ipynb"
    with replacing(executed) as temporary:
        try:
            papermill.execute_notebook(
                notebook, temporary, {**parameters, "folder": str(run_folder)}, cwd=Path(notebook).parent,
                log_output=False,
            )  # fmt: skip
        except BaseException:
            if temporary.exists():
                temporary.replace(run_folder / "failed.ipynb")
            raise
    return executed

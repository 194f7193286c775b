"""The record of a run: read back from its folder.

A run owns one folder: ``record.json``, ``best.safetensors``, ``last.safetensors`` and, when papermill ran it, the
executed notebook. The record is written last, so a folder with a record is a finished run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from patlib.trainer.config import RunConfig

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

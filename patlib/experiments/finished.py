"""The records of the runs that a table names, where they are finished and can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from patlib.trainer.config import RunConfig
from patlib.trainer.records import Record, read_record

Runs = Mapping[tuple[Any, ...], RunConfig]
"""Runs under the words of their row in a table, and their seed."""
DATA_SETTINGS = ("dataset", "protocol", "data_seed", "image_height", "image_width", "void_class")
"""What a configuration says about the data: where it is equal, images and masks must be."""


def finished_records(runs: Runs, folder: str | Path) -> Iterator[tuple[tuple[Any, ...], Record]]:
    """The key and the record of each run that is finished.

    Raises ValueError for records of one dataset, as their configurations state it, whose images or masks differ. The
    first records state no digest of these, and are not compared.
    """
    first: dict[tuple[Any, ...], tuple[str, Path]] = {}
    for key, config in runs.items():
        path = Path(folder) / config.run_path / "record.json"
        if not path.exists():
            continue
        record = read_record(path, config)
        if (digest := record["dataset"].get("digest")) is not None:
            known, other = first.setdefault(tuple(getattr(config, name) for name in DATA_SETTINGS), (digest, path))
            if known != digest:
                raise ValueError(
                    f"{path} and {other} are of runs on different images or masks, though both are said to be of "
                    f"{config.dataset_name!r} at one size: their scores cannot be compared. Make one of them again"
                )
        yield key, record

"""One cell of a grid: a run that no two processes do at once, and whose error stays in its folder.

Whoever runs a cell holds a lock of the operating system on a file in the run's folder. The kernel lets go of it when
the holder dies, however it dies, so a lock never outlives its run.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, NamedTuple

from filelock import FileLock, Timeout

from patlib.files import lock_holder
from patlib.trainer import state
from patlib.trainer.config import RunConfig

Job = Callable[[RunConfig, Path], object]
"""What a cell does: given its configuration and the folder of all runs, leave ``record.json`` in the run's folder."""


class Outcome(NamedTuple):
    """How a cell ended; "there" had a record before, "busy" is run by another process right now."""

    state: Literal["done", "there", "failed", "busy"]
    error: str = ""


def is_there(config: RunConfig, folder: Path) -> bool:
    """Whether the run has its record; not if nobody can look."""
    return os.path.exists(folder / config.run_path / "record.json")  # Path.exists raises PermissionError


def is_done(config: RunConfig, folder: Path) -> bool:
    """Whether the run has its record; what it could not remove before it was killed is removed if it has."""
    there, own = is_there(config, folder), folder / config.run_path
    if there and (state.is_of_the_record(own) or (own / ".lock").exists()):
        with suppress(OSError), hold_run(config, folder):  # unless another process trains it again
            if state.is_of_the_record(own):
                state.sweep(own, None)
    return there


@contextmanager
def hold_run(config: RunConfig, folder: Path) -> Iterator[None]:
    """Hold the lock of a run; BlockingIOError at once if another process holds it, with its pid if it can be known."""
    own = folder / config.run_path
    own.mkdir(parents=True, exist_ok=True)
    path = own / ".lock"
    try:
        lock = FileLock(path).acquire(blocking=False)
    except Timeout as error:
        raise BlockingIOError(
            f"{own} belongs to a run that is going on in another process{lock_holder(path)}; wait for it, or stop that "
            "one"
        ) from error
    with lock:
        yield
        # Safe only because whoever waits for this file, or makes a new one, looks for the record next.
        if is_there(config, folder):
            with suppress(PermissionError):  # Windows removes no open file
                path.unlink(missing_ok=True)


def run_cell(cell: Job, config: RunConfig, folder: Path, started: Callable[[str], object]) -> Outcome:
    """Run a cell unless it has a record or another process runs it; calls ``started`` with its name when it begins.

    An error becomes the outcome "failed", and ``error.txt`` with its traceback in the run's folder, if that can be
    written. So does a folder that cannot be made or locked.
    """
    try:
        if is_there(config, folder):
            return Outcome("there")
        with hold_run(config, folder):
            return Outcome("there") if is_there(config, folder) else _run(cell, config, folder, started)
    except BlockingIOError as error:
        return Outcome("busy", str(error))
    except (OSError, RuntimeError) as error:  # filelock raises the latter where a file system has no locks
        return failed(config, folder, f"{type(error).__name__}: {error}", traceback.format_exc())


def _run(cell: Job, config: RunConfig, folder: Path, started: Callable[[str], object]) -> Outcome:
    started(config.run_name)
    try:
        cell(config, folder)
    except Exception as error:
        return failed(config, folder, f"{type(error).__name__}: {error}", traceback.format_exc())
    with suppress(OSError):
        (folder / config.run_path / "error.txt").unlink(missing_ok=True)
    return Outcome("done")


def failed(config: RunConfig, folder: Path, error: str, details: str) -> Outcome:
    """The outcome of a cell that failed, whose details are kept as ``error.txt`` in the run's folder if they can be."""
    own = folder / config.run_path
    with suppress(OSError):
        own.mkdir(parents=True, exist_ok=True)
        (own / "error.txt").write_text(details, encoding="utf-8")
    return Outcome("failed", error)

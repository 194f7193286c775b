"""One cell of a grid with one seed: a run that no two processes make at once, and whose error stays in its folder.

The process that makes a run holds a lock of the operating system on a file in the run's folder. The kernel releases the
lock when that process dies, for whatever reason, so a lock never outlives its run.
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
"""How a run is made: given its configuration and the folder of all runs, leave ``record.json`` in the run's folder."""


class Outcome(NamedTuple):
    """How a run ended: "there" if it had a record before, "busy" if another process is making it right now."""

    state: Literal["done", "there", "failed", "busy"]
    error: str = ""


def is_there(config: RunConfig, folder: Path) -> bool:
    """Whether the run has its record; False for a folder that this process may not read."""
    return os.path.exists(folder / config.run_path / "record.json")  # Path.exists raises PermissionError


def is_done(config: RunConfig, folder: Path) -> bool:
    """Whether the run has its record; if so, what it was killed before it had put in its place or removed, is now."""
    there, own = is_there(config, folder), folder / config.run_path
    if there and (state.is_of_the_record(own) or (own / ".lock").exists()):
        with suppress(OSError), hold_run(config, folder):  # unless another process trains it again
            if state.is_of_the_record(own):
                state.settle(own)
    return there


@contextmanager
def hold_run(config: RunConfig, folder: Path) -> Iterator[None]:
    """Hold the lock of a run while the block lasts.

    Raises BlockingIOError at once if another process holds it, and names that process if it can be known.
    """
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
        # Removing the file is safe only because a process that locks it, or a new one, looks for the record next.
        if is_there(config, folder):
            with suppress(PermissionError):  # Windows removes no open file
                path.unlink(missing_ok=True)


def run_cell(job: Job, config: RunConfig, folder: Path, started: Callable[[str], object]) -> Outcome:
    """Make a run unless it has a record or another process makes it; ``started`` is called with its name at its start.

    An error becomes the outcome "failed", and its traceback becomes ``error.txt`` in the run's folder, if that can be
    written. A folder that cannot be made or locked is such an error, too.
    """
    try:
        if is_done(config, folder):
            return Outcome("there")
        with hold_run(config, folder):
            return Outcome("there") if is_there(config, folder) else _run(job, config, folder, started)
    except BlockingIOError as error:
        return Outcome("busy", str(error))
    except (OSError, RuntimeError) as error:  # filelock raises the latter where a file system has no locks
        return failed(config, folder, f"{type(error).__name__}: {error}", traceback.format_exc())


def _run(job: Job, config: RunConfig, folder: Path, started: Callable[[str], object]) -> Outcome:
    started(config.run_name)
    try:
        job(config, folder)
    except Exception as error:
        return failed(config, folder, f"{type(error).__name__}: {error}", traceback.format_exc())
    with suppress(OSError):
        (folder / config.run_path / "error.txt").unlink(missing_ok=True)
    return Outcome("done")


def failed(config: RunConfig, folder: Path, error: str, details: str) -> Outcome:
    """The outcome of a run that failed; its details are written to ``error.txt`` in the run's folder if possible."""
    own = folder / config.run_path
    with suppress(OSError):
        own.mkdir(parents=True, exist_ok=True)
        (own / "error.txt").write_text(details, encoding="utf-8")
    return Outcome("failed", error)

"""What a run keeps while it is under way, so that a run that was stopped can go on as if it had not been.

Everything lies in the folder ``unfinished`` of the run's own folder, which is removed when the run is done::

    state.safetensors        weights, the optimiser's moments and, as JSON, all other facts about the run so far
    rank0-000046.safetensors the random state and running means of one process after so many steps; a file a process
    best-007.safetensors     the weights of the best epoch so far
    last.safetensors         those of the last epoch, while the run writes its record

The first file names the others with their SHA-256, and is renamed into place last. So a process that is killed at any
moment leaves one whole state, either the one before or the one after. No pickle is written or read.

The weights of a finished run lie here until its record is written, and get their places beside that then. So a record
and the weights that it names are there at every moment: those of an earlier run, then those of this one.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from patlib.files import read_tensors, sha256, to_disk, write_tensors

if TYPE_CHECKING:
    from lightning_fabric import Fabric  # takes seconds to import, and who asks for FOLDER alone need not wait

FOLDER = "unfinished"


class StateError(ValueError):
    """A state that is damaged, or that belongs to another run: the message names the file and how to start anew."""


class State(NamedTuple):
    """How far a run has come, as one process keeps it."""

    shared: dict[str, Tensor]
    """Tensors that are the same in all processes."""
    own: dict[str, Tensor]
    """Tensors of this process."""
    facts: dict[str, Any]
    """Plain values: epoch, step, curves, and the facts that tell one run from another."""


def best_path(folder: Path, epoch: int) -> Path:
    """Where the weights of the best epoch so far lie."""
    return folder / FOLDER / f"best-{epoch:03d}.safetensors"


def last_path(folder: Path) -> Path:
    """Where the weights of the last epoch lie until the record is written."""
    return folder / FOLDER / "last.safetensors"


def weights_path(folder: Path, checkpoint: str, record: Mapping[str, Any]) -> Path:
    """The weights that a record names: beside it, or not yet, if its run was killed just after it had been written."""
    stated = record["checkpoints"][checkpoint]
    early = best_path(folder, stated["epoch"]) if checkpoint == "best" else last_path(folder)
    if stated.get("sha256") is not None and early.is_file() and sha256(early) == stated["sha256"]:
        return early
    return folder / f"{checkpoint}.safetensors"


def settle(folder: Path) -> None:
    """Give the weights of a folder's record their places beside it, and remove the state of that run."""
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    for checkpoint in ("best", "last"):
        if (path := weights_path(folder, checkpoint, record)).parent != folder:
            path.replace(folder / f"{checkpoint}.safetensors")
    to_disk(folder)
    sweep(folder, None)


def write_state(folder: Path, state: State, steps: int, best: tuple[int, str] | None, fabric: Fabric) -> None:
    """Write a state after ``steps`` steps in all; ``best`` is the best epoch and the SHA-256 of its file."""
    unfinished = folder / FOLDER
    unfinished.mkdir(exist_ok=True)
    write_tensors(_rank_path(folder, fabric.global_rank, steps), state.own)
    fabric.barrier()  # every process's own file is there
    if not fabric.is_global_zero:
        return
    own = [_rank_path(folder, rank, steps) for rank in range(fabric.world_size)]
    files = {path.name: sha256(path) for path in own}
    if best is not None:
        files[best_path(folder, best[0]).name] = best[1]
    text = json.dumps({**state.facts, "files": files}, allow_nan=False)
    metadata = {"facts": text, "sha256": _digest(state.shared, text)}
    write_tensors(unfinished / "state.safetensors", state.shared, metadata)
    for path in unfinished.iterdir():
        # A process that is ahead may be writing its own file of a later step already.
        step = re.fullmatch(r"rank\d+-(\d+)\.safetensors", path.name)
        if path.name not in files and (path.name.startswith("best-") or (step and int(step[1]) < steps)):
            path.unlink()


def read_state(folder: Path, fabric: Fabric, same: Mapping[str, Any]) -> State | None:
    """The state in which a run was left, or None; its facts must agree with ``same``, those of the run that asks.

    Raises StateError for files that are damaged or missing, and for the state of another run.
    """
    path = folder / FOLDER / "state.safetensors"
    if not path.exists():
        return None
    anew = f"To start anew remove the folder {path.parent}, or call fit(..., resume=False)."
    try:
        shared, metadata = read_tensors(path)
        text = metadata["facts"]
        if _digest(shared, text) != metadata["sha256"]:
            raise ValueError("its content does not have the SHA-256 that it states")
        facts = json.loads(text)
        for name, expected in facts["files"].items():
            if not (path.parent / name).is_file() or sha256(path.parent / name) != expected:
                raise ValueError(f"{name} beside it is missing or was changed")
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise StateError(f"{path} cannot be used to go on ({error}). {anew}") from error
    plain = json.loads(json.dumps(same))  # tuples as lists, as the file has them
    if different := [name for name in plain if _stated(facts.get(name)) != _stated(plain[name])]:
        was, now = _first_difference(facts.get(different[0]), plain[different[0]])
        raise StateError(f"{path} is of another run: its {different[0]} has {was}, and this one's {now}. {anew}")
    own, _ = read_tensors(_rank_path(folder, fabric.global_rank, facts["steps"]))
    return State(shared, own, facts)


def is_of_the_record(folder: Path) -> bool:
    """Whether what is unfinished in a folder belongs to its record: its run was killed after it had written that."""
    if not (folder / FOLDER).is_dir() or not (folder / "record.json").is_file():
        return False
    try:
        record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        for checkpoint in ("best", "last"):
            weights_path(folder, checkpoint, record)  # fails for what is no record
        if not (folder / FOLDER / "state.safetensors").exists():  # it was killed while it removed the state
            return True
        _, metadata = read_tensors(folder / FOLDER / "state.safetensors")
        return bool(json.loads(metadata["facts"])["curves"] == record["curves"])  # whose times no other run has
    except (OSError, ValueError, KeyError, TypeError):
        return False


def sweep(folder: Path, state: State | None) -> None:
    """Remove the files that killed processes left beside a state; all files if there is no state to go on from."""
    unfinished = folder / FOLDER
    if state is None:
        # First what names the rest: no process that is killed in between leaves a state that is not whole.
        (unfinished / "state.safetensors").unlink(missing_ok=True)
        shutil.rmtree(unfinished, ignore_errors=True)
        return
    for path in unfinished.iterdir():
        if path.name != "state.safetensors" and path.name not in state.facts["files"]:
            path.unlink()


def _rank_path(folder: Path, rank: int, steps: int) -> Path:
    return folder / FOLDER / f"rank{rank}-{steps:06d}.safetensors"


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        content = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {content.dtype} {tuple(content.shape)}".encode())
        digest.update(content.view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _stated(fact: Any) -> Any:
    """A fact without its null settings, which say the same as settings that are absent."""
    return {name: value for name, value in fact.items() if value is not None} if isinstance(fact, dict) else fact


def _first_difference(was: Any, now: Any) -> tuple[str, str]:
    if isinstance(was, dict) and isinstance(now, dict):
        name = next(key for key in {**was, **now} if was.get(key) != now.get(key))
        return f"{name} = {was.get(name)!r}", f"{name} = {now.get(name)!r}"
    return repr(was), repr(now)

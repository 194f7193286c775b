"""Weights, states and prepared arrays with flipped or missing bytes: refused by name, or the very tensors as before."""

import json

import numpy as np
import torch
from drawn_damage import damaged, edited
from hypothesis import strategies as st
from judging import refusal
from PIL import Image

from patlib.datasets import DataError, prepare
from patlib.files import read_tensors, write_tensors
from patlib.trainer.state import FOLDER, State, read_state, write_state


class Alone:
    """What a state asks of the group of processes: one."""

    global_rank, world_size, is_global_zero = 0, 1, True

    def barrier(self) -> None:
        pass


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def one_of(files: dict[str, bytes]) -> st.SearchStrategy[tuple[str, bytes]]:
    """One of some files, damaged."""
    return st.one_of([st.tuples(st.just(name), damaged(st.just(content))) for name, content in sorted(files.items())])


def content_of(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def damage(folder, files, name, content) -> None:
    """Put a folder's files back, but for one; as new files, because arrays of the old ones are mapped into memory."""
    for each, whole in (files | {name: content}).items():
        (folder / each).unlink(missing_ok=True)
        (folder / each).write_bytes(whole)


def test_damaged_tensors_are_refused_by_name_or_are_tensors(trials, tmp_path):
    path = tmp_path / "best.safetensors"
    write_tensors(path, {"weight": torch.randn(3, 4), "steps": torch.tensor(7)}, {"facts": "{}"})

    def check(name, content):
        damage(tmp_path, {}, name, content)
        found, error = refusal(lambda: read_tensors(path))
        assert error is None or str(path) in str(error), f"does not name the file: {error}"
        assert found is None or all(isinstance(tensor, torch.Tensor) for tensor in found[0].values())
        return "read" if error is None else "refused"

    trials.fuzz("weights", one_of(content_of(tmp_path)), check, short=40)


def test_a_damaged_state_is_refused_or_the_very_state(trials, tmp_path):
    same_run = {"config": {"seed": 0}}
    state = State({"weight": torch.randn(3, 4)}, {"random": torch.arange(9)}, {**same_run, "epoch": 3, "steps": 12})
    write_state(tmp_path, state, 12, None, Alone())
    folder = tmp_path / FOLDER
    whole = content_of(folder)

    def check(name, content):
        damage(folder, whole, name, content)
        found, error = refusal(lambda: read_state(tmp_path, Alone(), same_run))
        if error is None:
            assert same(found.shared, state.shared) and same(found.own, state.own) and found.facts["epoch"] == 3
            return "taken up"
        assert str(folder) in str(error) and "remove the folder" in str(error), f"says not how to mend it: {error}"
        return "refused"

    trials.fuzz("states", one_of(whole), check, short=40)


def test_a_damaged_cache_is_refused_or_the_very_arrays(trials, tmp_path):
    root, cache = tmp_path / "data", tmp_path / "cache"
    for split in ("train", "val", "test"):
        for kind in ("", "annot"):
            folder = root / "camvid" / f"{split}{kind}"
            folder.mkdir(parents=True)
            Image.fromarray(np.zeros((6, 8) if kind else (6, 8, 3), dtype=np.uint8)).save(folder / f"{split}.png")
    first = prepare("camvid", (6, 8), root, cache, progress=False)
    whole = content_of(first.folder)

    def check(name, content):
        damage(first.folder, whole, name, content)
        found, error = refusal(lambda: prepare("camvid", (6, 8), root, cache, progress=False), (DataError,))
        if error is None:
            assert found.digest == first.digest and found.class_pixels.tolist() == first.class_pixels.tolist()
            return "opened"
        assert str(first.folder) in str(error) and "Delete the folder" in str(error)
        return "refused"

    manifests = st.tuples(st.just("manifest.json"), edited(json.loads(whole["manifest.json"])))
    trials.fuzz("caches", one_of(whole) | manifests, check, short=40)

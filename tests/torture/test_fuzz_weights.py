"""Weights, states and prepared arrays with flipped or missing bytes: refused by name, or the very tensors as before."""

import json
import random
import shutil

import numpy as np
import torch
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


def damaged(content: bytes, rng: random.Random) -> bytes:
    kind = rng.random()
    if kind < 0.2:
        return content[: rng.randrange(len(content))]
    if kind < 0.25:
        return content + b"\0" * rng.choice((1, 8, 999))
    flipped = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 5))):
        # The head says what there is: half of the changes fall there.
        flipped[rng.randrange(min(len(flipped), rng.choice((16, 600, 10**9))))] ^= rng.randrange(1, 256)
    return bytes(flipped)


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_damaged_tensors_are_refused_by_name_or_are_tensors(trials, tmp_path):
    path = tmp_path / "best.safetensors"
    write_tensors(path, {"weight": torch.randn(3, 4), "steps": torch.tensor(7)}, {"facts": "{}"})
    whole = path.read_bytes()
    for trial in trials("weights", short=100):
        trial.input = trial.stored.read_bytes() if trial.stored else damaged(whole, trial.rng)
        path.write_bytes(trial.input)
        found, error = refusal(lambda: read_tensors(path))
        assert error is None or str(path) in str(error), f"does not name the file: {error}"
        trial.counts["read" if error is None else "refused"] += 1
        assert found is None or all(isinstance(tensor, torch.Tensor) for tensor in found[0].values())


def test_a_damaged_state_is_refused_or_the_very_state(trials, tmp_path):
    same_run = {"config": {"seed": 0}}
    state = State({"weight": torch.randn(3, 4)}, {"random": torch.arange(9)}, {**same_run, "epoch": 3, "steps": 12})
    write_state(tmp_path, state, 12, None, Alone())
    folder, whole = tmp_path / FOLDER, tmp_path / "whole"
    shutil.copytree(folder, whole)
    for trial in trials("states", short=60):
        shutil.rmtree(folder)
        shutil.copytree(whole, folder)
        if trial.stored:
            trial.input, name = trial.stored.read_bytes(), "state.safetensors"
        else:
            name = trial.rng.choice(sorted(path.name for path in whole.iterdir()))
            trial.input = damaged((whole / name).read_bytes(), trial.rng)
        (folder / name).write_bytes(trial.input)
        found, error = refusal(lambda: read_state(tmp_path, Alone(), same_run))
        if error is None:
            assert same(found.shared, state.shared) and same(found.own, state.own) and found.facts["epoch"] == 3
        else:
            assert str(folder) in str(error) and "remove the folder" in str(error), f"says not how to mend it: {error}"
        trial.counts["taken up" if error is None else "refused"] += 1


def test_a_damaged_cache_is_refused_or_the_very_arrays(trials, tmp_path):
    root, cache = tmp_path / "data", tmp_path / "cache"
    for split in ("train", "val", "test"):
        for kind in ("", "annot"):
            folder = root / "camvid" / f"{split}{kind}"
            folder.mkdir(parents=True)
            Image.fromarray(np.zeros((6, 8) if kind else (6, 8, 3), dtype=np.uint8)).save(folder / f"{split}.png")
    first = prepare("camvid", (6, 8), root, cache, progress=False)
    shutil.copytree(first.folder, tmp_path / "whole")
    for trial in trials("caches", short=60):
        shutil.rmtree(first.folder)
        shutil.copytree(tmp_path / "whole", first.folder)
        if trial.stored:
            trial.input, name = trial.stored.read_bytes(), "manifest.json"
        else:
            names = sorted(path.name for path in first.folder.iterdir())
            name = trial.rng.choice([*names, "manifest.json", "manifest.json", "manifest.json"])
            trial.input = damaged((tmp_path / "whole" / name).read_bytes(), trial.rng)
            if name == "manifest.json" and trial.rng.random() < 0.6:
                trial.input = json.dumps(
                    edited(json.loads((tmp_path / "whole" / name).read_text()), trial.rng)
                ).encode()
        (first.folder / name).write_bytes(trial.input)
        found, error = refusal(lambda: prepare("camvid", (6, 8), root, cache, progress=False), (DataError,))
        if error is None:
            assert found.digest == first.digest and found.class_pixels.tolist() == first.class_pixels.tolist()
        else:
            assert str(first.folder) in str(error) and "Delete the folder" in str(error)
        trial.counts["opened" if error is None else "refused"] += 1


def edited(manifest: dict, rng: random.Random) -> dict:
    """A manifest with one entry changed, at any depth."""
    part = manifest
    while True:
        key = rng.choice(list(part))
        if not isinstance(part[key], dict) or rng.random() < 0.3:
            break
        part = part[key]
    part[key] = rng.choice([None, 0, -1, 1.5, 10**30, "", "../../x", "\x1b[2J", [], [1], {}, {"a": 1}, True])
    if rng.random() < 0.2:
        del part[key]
    return manifest

"""Records that were edited, cut, flipped or mixed: refused by name, or read and tabled as numbers that are possible."""

import copy
import json
import random

import numpy as np
from judging import refusal
from tiny_run import TINY

from patlib.cli.messages import say
from patlib.experiments import tables
from patlib.trainer.config import RunConfig
from patlib.trainer.counts import unpack_counts
from patlib.trainer.records import read_record

VALUES = [
    None, True, False, 0, 1, 2, -1, -7, 0.5, -0.5, 1.5, 10**6, 2**53, 10**30, 1e308, float("nan"), float("inf"), "",
    "1", "ce", "camvid", "../../x", "/etc", "\x1b[31mred\x1b[0m", "\u202e", "a" * 300, [], [1], [[1]], {}, {"a": 1},
    [None] * 3, [[-1] * 10] * 10, [[1] * 10] * 10, [[0] * 10] * 10, {"shape": [3, 10, 10], "deflated": ""}, ["train"],
]  # fmt: skip


def places(part: object, above: tuple = ()) -> list[tuple]:
    """Where something can be changed, all levels alike: lists of numbers count once, or they would be nearly all."""
    inner = list(part) if isinstance(part, dict) else list(range(len(part))) if isinstance(part, list) else []
    if isinstance(part, list) and len(part) > 3:
        inner = [0, len(part) - 1]
    return [(*above, key) for key in inner] + [place for key in inner for place in places(part[key], (*above, key))]


def edited(record: dict, rng: random.Random) -> dict:
    record = copy.deepcopy(record)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        *above, key = rng.choice(places(record))
        part = record
        for step in above:
            part = part[step]
        kind = rng.random()
        if kind < 0.2:
            part.pop(key)
        elif kind < 0.3 and isinstance(part, dict):
            part[rng.choice(["colour", "alpha", "T", "loss_parameters", "val_confusion", "shifted", "", "\x1b[2J"])] = (
                part[key]
            )
        elif kind < 0.45 and isinstance(part[key], int | float):
            part[key] = rng.choice([-part[key], part[key] + 1, part[key] * 2, part[key] + 0.5, str(part[key])])
        elif kind < 0.5:
            for _ in range(rng.choice((3, 60))):
                part[key] = [part[key]]
        elif kind < 0.55 and isinstance(part[key], list):
            part[key] = rng.choice([part[key] * 2, part[key][:-1], part[key][::-1]])
        else:
            part[key] = copy.deepcopy(rng.choice(VALUES))
    return record


def damaged(text: bytes, rng: random.Random) -> bytes:
    kind = rng.random()
    if kind < 0.3:
        return text[: rng.randrange(len(text))]
    if kind < 0.4:
        return rng.choice(
            [
                b"[" * 100_000,
                b'{"config":' * 5_000,
                b"",
                b"null",
                b"[]",
                b"\xef\xbb\xbf{}",
                b"\xff\xfe",
                b'"' + b"a" * 99,
                b"1" * 9_000,
            ]
        )
    flipped = bytearray(text)
    for _ in range(rng.choice((1, 1, 3, 30))):
        flipped[rng.randrange(len(flipped))] ^= rng.randrange(1, 256)
    return bytes(flipped)


def test_a_record_is_refused_by_name_or_tabled_as_numbers_that_are_possible(trials, tiny_run, tmp_path, capsys):
    whole = json.loads(json.dumps(tiny_run[1]))
    config = RunConfig(**TINY)
    path = tmp_path / config.run_path / "record.json"
    path.parent.mkdir(parents=True)
    for trial in trials("records", short=100):
        if trial.stored:
            trial.input = trial.stored.read_bytes()
        elif trial.rng.random() < 0.75:
            trial.input = json.dumps(edited(whole, trial.rng)).encode()
        else:
            trial.input = damaged(json.dumps(whole).encode(), trial.rng)
        path.write_bytes(trial.input)
        record, error = refusal(lambda: read_record(path, config))
        if error is not None:
            assert isinstance(error, ValueError) and str(path) in str(error)
            trial.counts["refused"] += 1
            continue
        runs = {("a row", 0): config}
        for checkpoint in ("best", "last"):
            for split in record["checkpoints"][checkpoint]["splits"]:
                scores = tables.run_scores(runs, tmp_path, checkpoint, split)
                shares = scores[[*tables.PERCENT]].to_numpy(dtype=float)
                assert not ((shares < 0) | (shares > 100)).any(), f"a table shows {shares.tolist()} %"
                assert not (scores[["cross_entropy", "dice_err"]] < 0).any(axis=None)
                say(tables.row_summary([("a row",)], scores).to_string())
                images = record["checkpoints"][checkpoint]["splits"][split].get("images")
                assert images is None or np.all(unpack_counts(images) >= 0)
        say(tables.run_caption(runs, tmp_path))
        say(tables.run_protocol(runs, tmp_path))
        shown = capsys.readouterr().out
        assert all(char.isprintable() or char == "\n" for char in shown), "control characters reach the terminal"
        trial.counts["read"] += 1

"""Records that were edited, cut, flipped or mixed: refused by name, or read and tabled as numbers that are possible."""

import json

import numpy as np
from drawn_damage import TEXTS, damaged, edited
from hypothesis import strategies as st
from judging import refusal
from tiny_run import TINY

from patlib.cli.messages import say
from patlib.experiments import tables
from patlib.trainer.config import RunConfig
from patlib.trainer.counts import unpack_counts
from patlib.trainer.records import read_record


def test_a_record_is_refused_by_name_or_tabled_as_numbers_that_are_possible(trials, tiny_run, tmp_path, capsys):
    whole, config = json.loads(json.dumps(tiny_run[1])), RunConfig(**TINY)
    path, runs = tmp_path / config.run_path / "record.json", {("a row", 0): config}
    path.parent.mkdir(parents=True)

    def check(_, content):
        path.write_bytes(content)
        record, error = refusal(lambda: read_record(path, config))
        if error is not None:
            assert isinstance(error, ValueError) and str(path) in str(error)
            return "refused"
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
        return "read"

    changed = edited(whole)
    contents = st.one_of(changed, changed, damaged(st.just(json.dumps(whole).encode())), st.sampled_from(TEXTS))
    trials.fuzz("records", st.tuples(st.just("json"), contents), check, short=80)

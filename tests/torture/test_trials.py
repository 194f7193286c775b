"""The frame of the torture suite itself: a suite that counts wrongly would say that all is well."""

import pytest
from trials import Trials


def test_the_short_form_makes_the_same_trials_each_time():
    for _ in range(2):
        own = Trials()
        assert [trial.rng.random() < 1 and trial.seed for trial in own("an attack", short=3)] == [0, 1, 2]
        assert own.end(None) == {"trials": 3}


def test_the_long_form_goes_on_for_its_time_with_fresh_seeds():
    first, second = ([trial.seed for trial in Trials(0.05)("an attack", short=2)] for _ in range(2))
    assert len(first) > 20 and len(set(first + second)) == len(first + second)
    assert len(list(Trials(1e-9)("an attack", short=2))) == 2  # no fewer than the short form


def test_what_once_broke_something_is_tried_first(tmp_path):
    (tmp_path / "an-attack").mkdir()
    for name in ("b", "a"):
        (tmp_path / "an-attack" / name).write_bytes(name.encode())
    tried = [trial.stored for trial in Trials(corpus=tmp_path)("an attack", short=1)]
    assert tried == [tmp_path / "an-attack" / "a", tmp_path / "an-attack" / "b", None]
    assert [trial.seed for trial in Trials(only=17, corpus=tmp_path)("an attack", short=5)] == [17]


def test_a_trial_that_fails_is_counted_and_kept(tmp_path, capsys):
    own = Trials(corpus=tmp_path / "corpus")
    with pytest.raises(ValueError, match="broken"):
        for trial in own("an attack", short=5):
            trial.counts["kills"] += 2
            trial.input = b"what breaks it"
            if trial.seed == 1:
                raise ValueError("broken")
    counts = own.end(tmp_path)
    assert (counts["trials"], counts["failures"], counts["kills"]) == (2, 1, 4)
    assert (tmp_path / "an-attack" / "1").read_bytes() == b"what breaks it"
    assert "PATLIB_TORTURE_SEED=1 repeats it" in capsys.readouterr().out

"""The frame of the torture suite itself: a suite that counts wrongly would say that all is well."""

import pytest
from hypothesis import strategies as st
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


def test_a_trial_that_fails_is_counted_and_can_be_repeated(tmp_path, capsys):
    own = Trials()
    with pytest.raises(ValueError, match="broken"):
        for trial in own("an attack", short=5):
            trial.counts["kills"] += 2
            if trial.seed == 1:
                raise ValueError("broken")
    counts = own.end(tmp_path)
    assert (counts["trials"], counts["failures"], counts["kills"]) == (2, 1, 4)
    assert "PATLIB_TORTURE_SEED=1 repeats it" in capsys.readouterr().out
    assert [trial.seed for trial in Trials(only=17)("an attack", short=5)] == [17]


def fuzzed(own, short, breaks=lambda content: False):
    """What a fuzzer was fed, in turn."""
    fed = []

    def check(name, content):
        fed.append((name, content))
        if breaks(content):
            raise ValueError("broken")
        return "read"

    own.fuzz("an attack", st.tuples(st.just("png"), st.binary(max_size=99)), check, short)
    return fed


def test_the_short_form_draws_the_same_inputs_each_time_and_the_long_form_others():
    own = Trials()
    fed = fuzzed(own, 20)
    assert fed == fuzzed(Trials(), 20) and own.counts == {"trials": 20, "read": 20}
    assert len(set(fuzzed(Trials(0.01), 1)) - set(fed)) > 50


def test_what_once_broke_something_is_tried_first(tmp_path):
    (tmp_path / "an-attack").mkdir()
    for name in ("b.manifest.json", "a.png"):
        (tmp_path / "an-attack" / name).write_bytes(name.encode())
    own = Trials(corpus=tmp_path)
    assert set(fuzzed(own, 5)[:2]) == {("manifest.json", b"b.manifest.json"), ("png", b"a.png")}
    assert own.counts == {"trials": 7, "read": 7}
    with pytest.raises(ValueError, match="broken"):
        fuzzed(Trials(corpus=tmp_path), 5, breaks=lambda content: content == b"b.manifest.json")


def test_an_input_that_breaks_something_is_made_small_and_kept(tmp_path, capsys):
    own = Trials(corpus=tmp_path / "corpus")
    with pytest.raises(ValueError, match="broken"):
        fuzzed(own, 500, breaks=lambda content: len(content) > 5)
    assert own.end(tmp_path)["failures"] == 1
    assert (tmp_path / "an-attack" / "0.png").read_bytes() == bytes(6)
    assert str(tmp_path / "corpus" / "an-attack") in capsys.readouterr().out

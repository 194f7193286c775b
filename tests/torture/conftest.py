"""The torture suite. An attack is a test that asks for the fixture `trials` and loops over it to the end::

    def test_whatever_is_killed_ends_as_if_left_alone(trials, tmp_path):
        for trial in trials("kill a run", short=2):
            moment = trial.rng.uniform(0, 1)
            ...

or hands it what hypothesis draws inputs from, and what is to hold for each::

    def test_whatever_bytes_a_record_has_it_is_whole_or_refused(trials, tmp_path):
        def check(name, content):
            ...
            return "refused" if error else "read"

        trials.fuzz("records", damaged(st.just(whole)), check, short=20)

The short form, part of `make test`, makes ``short`` trials with the seeds 0, 1, 2, ..., or of so many inputs from the
seed 0: the same each time. The long form, `make torture MINUTES=30`, shares the time among all attacks and draws fresh
seeds. Fuzzers begin with what is stored in ``corpus/records``, the inputs that once broke something. A trial that fails
tells its seed, with which ``PATLIB_TORTURE_SEED=SEED pytest ...`` repeats it alone, and an input that broke something
is left in ``build/torture``, as small as hypothesis could make it.
"""

import json
import os
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from trials import Trials

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"
MINUTES = float(os.environ.get("PATLIB_TORTURE_MINUTES", 0))
SEED = os.environ.get("PATLIB_TORTURE_SEED")
BEGAN = time.strftime("%Y-%m-%d %H:%M:%S")

left = Counter()
"""How many attacks have not begun."""
rows: dict[str, Counter] = {}
"""The counts of those that are over, by name."""


def pytest_collection_finish(session):
    left["attacks"] = sum("trials" in getattr(item, "fixturenames", ()) for item in session.items)
    left["end"] = time.monotonic() + 60 * MINUTES


@pytest.fixture
def trials():
    """The trials of an attack; see the top of this file. Whatever makes a test skip comes before they begin."""
    share = max(1.0, left["end"] - time.monotonic()) / max(1, left["attacks"]) if MINUTES else 0.0
    left["attacks"] -= 1
    own = Trials(share, None if SEED is None else int(SEED))
    yield own
    if own.name:
        rows.setdefault(own.name, Counter()).update(own.end(BUILD / "torture"))
        if MINUTES:
            _keep_counts()


def _keep_counts():
    """Add this sitting to ``build/torture.json``, after each attack anew: a sitting may be stopped."""
    path = BUILD / "torture.json"
    before = json.loads(path.read_text()) if path.exists() else []
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    own = {"began": BEGAN, "process": os.getpid(), "commit": commit.stdout.strip(), "attacks": rows}
    others = [each for each in before if (each["began"], each["process"]) != (BEGAN, os.getpid())]
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([*others, own], indent=1) + "\n")


def pytest_terminal_summary(terminalreporter):
    if MINUTES and rows:
        terminalreporter.section("attacks")
        for name, counts in rows.items():
            told = ", ".join(f"{number} {what}" for what, number in counts.items())
            terminalreporter.write_line(f"{name:32} {told}")
        terminalreporter.write_line(f"All sittings' counts: {BUILD / 'torture.json'}")

"""In processes of their own, because tqdm reads its environment variables when it is imported."""

import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from patlib.experiments import progress
from patlib.experiments.cell import Outcome
from patlib.experiments.progress import GridProgress, spoken

SCRIPT = """
from patlib.experiments.cell import Outcome
from patlib.experiments.progress import GridProgress

with GridProgress(5, 1, {shown}) as grid:
    for name in ("a", "b", "c"):
        grid.started(name)
    grid.started("a")  # again, on another worker
    grid.finished("b", Outcome("failed", "ValueError: one\\n  two\\n"))
    grid.finished("c", Outcome("done"))
    for _ in range(2):
        grid.finished("d", Outcome("busy", "d is held (pid 7)"))
        grid.retrying()
    grid.finished("d", Outcome("busy", "d is held (pid 7)"))
"""


def what_is_shown(shown, **variables):
    environment = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    command = [sys.executable, "-c", SCRIPT.format(shown=shown)]
    return subprocess.run(
        command, env=environment | variables, stderr=subprocess.PIPE, text=True, check=True
    ).stderr.replace("\r", "\n")


@pytest.mark.slow
def test_what_runs_what_failed_and_what_is_left_is_shown():
    seen = what_is_shown(True)
    assert re.search(r"^failed: b: ValueError: one$", seen, re.MULTILINE)
    assert seen.count("d is held (pid 7)") == 1
    assert re.search(
        r"cells 3/5 \[\d\d:\d\d, 1 there already \| 1 failed \| 1 run elsewhere \| about 0 s left \| running: a\]", seen
    )


@pytest.mark.slow
@pytest.mark.parametrize(("shown", "variables"), [(False, {}), (True, {"TQDM_DISABLE": "1"})])
def test_nothing_is_shown_where_progress_is_off(shown, variables):
    assert what_is_shown(shown, **variables) == ""


def test_the_time_left_is_what_a_cell_took_times_those_that_are_left(monkeypatch):
    now = iter([0.0, 100.0, 240.0, 240.0, 240.0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(now)))
    with GridProgress(6, 1, False) as grid:
        said = []
        monkeypatch.setattr(grid.bar, "set_postfix_str", said.append)
        for name, state in (("a", "done"), ("b", "done"), ("c", "there"), ("d", "busy")):
            grid.finished(name, Outcome(state))
    assert [re.search("about (.*) left", text)[1] for text in said[:3]] == ["7 min", "6 min", "4 min"]


def test_a_traceback_is_told_by_its_end_and_a_message_by_its_beginning():
    traceback = "RuntimeError: Traceback (most recent call last):\n  File\nValueError: the reason\n"
    assert progress.one_line(traceback) == "ValueError: the reason"
    assert progress.one_line("DataError: no data at here.\n\nTo get it:\ntrain.txt, val.txt") == (
        "DataError: no data at here."
    )
    assert progress.one_line("") == ""


def test_durations_are_said_as_people_say_them():
    assert [spoken(seconds) for seconds in (4.4, 600, 9000)] == ["4 s", "10 min", "2.5 h"]

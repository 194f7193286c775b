"""In processes of their own, because tqdm reads its environment variables when it is imported."""

import os
import re
import subprocess
import sys

import pytest

SCRIPT = """
from patlib.experiments.cell import Outcome
from patlib.experiments.progress import GridProgress

with GridProgress(5, 1, {shown}) as grid:
    for name in ("a", "b", "c"):
        grid.started(name)
    grid.started("a")  # again, on another worker
    grid.finished("b", Outcome("failed", "ValueError: one\\n  two\\n"))
    grid.finished("c", Outcome("done"))
    grid.finished("d", Outcome("busy"))
"""


def what_is_shown(shown, **variables):
    environment = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    command = [sys.executable, "-c", SCRIPT.format(shown=shown)]
    return subprocess.run(
        command, env=environment | variables, stderr=subprocess.PIPE, text=True, check=True
    ).stderr.replace("\r", "\n")


def test_what_runs_what_failed_and_what_is_left_is_shown():
    seen = what_is_shown(True)
    assert re.search(r"^failed: b: two$", seen, re.MULTILINE)
    assert re.search(r"cells 3/5 \[\d\d:\d\d, 1 there already \| 1 failed \| 1 run elsewhere \| running: a\]", seen)


@pytest.mark.parametrize(("shown", "variables"), [(False, {}), (True, {"TQDM_DISABLE": "1"})])
def test_nothing_is_shown_where_progress_is_off(shown, variables):
    assert what_is_shown(shown, **variables) == ""

"""Two builds at once: the second waits."""

import subprocess
import sys
from pathlib import Path

import alone

# Ends when the file that it is given is there, however slow the machine.
COMMAND = """
import pathlib, sys, time
print("begins", flush=True)
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.01)
"""


def started(lock: Path, until: Path) -> subprocess.Popen:
    command = [sys.executable, alone.__file__, str(lock), sys.executable, "-c", COMMAND, str(until)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_the_second_says_that_it_waits_and_begins_when_the_first_has_ended(tmp_path: Path) -> None:
    lock, end = tmp_path / "build" / ".lock", tmp_path / "end"
    with started(lock, end) as first:
        assert first.stdout and first.stdout.readline() == "begins\n"
        with started(lock, tmp_path) as second:
            assert second.stdout and "waiting" in second.stdout.readline()
            assert first.poll() is None
            end.touch()
            assert second.stdout.readline() == "begins\n"
    assert first.returncode == second.returncode == 0


def test_the_status_of_the_command_is_handed_on_and_the_lock_is_free_again(tmp_path: Path) -> None:
    for _ in range(2):
        assert alone.alone(tmp_path / ".lock", [sys.executable, "-c", "raise SystemExit(3)"]) == 3

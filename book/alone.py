"""Run a command while no other does: two builds at once would write the same files.

    python book/alone.py build/.lock make ...

The lock is the operating system's, so it ends with its owner, however that ends.
"""

import subprocess
import sys
from pathlib import Path

from filelock import FileLock, Timeout


def alone(lock: Path, command: list[str]) -> int:
    """The exit status of `command`, begun when the lock is free."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    own = FileLock(lock)
    try:
        own.acquire(timeout=0)
    except Timeout:
        print("Another build runs in this folder: waiting until it is done", flush=True)
        own.acquire()
    with own:
        return subprocess.run(command, close_fds=False).returncode  # make hands its job slots on as open files


if __name__ == "__main__":
    sys.exit(alone(Path(sys.argv[1]), sys.argv[2:]))

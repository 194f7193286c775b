"""The processes of a group as the machine lists them, and patience until they are as they should be."""

import json
import os
import time
from pathlib import Path


def processes_of(folder):
    """Ids of the running processes of the group that trains into a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
            asked = Path(os.fsdecode(words[-2])) / "group.json" if b"patlib.trainer.rank" in words else None
            if asked and json.loads(asked.read_text())["folder"] == str(folder.resolve()):
                found.append(path.parent.name)
        except OSError:  # it has ended
            continue
    return found


def wait_until(condition, seconds=600):
    """Poll, because a busy machine takes its time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.2)

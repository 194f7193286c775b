"""Whether a process still runs, as Linux lists it."""

from pathlib import Path


def is_alive(pid: int | str) -> bool:
    """Whether it runs; one that has ended stays listed, as a zombie, until whoever inherited it asks for its status."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"

"""The programs on a page of the book, which a test runs: what a `print` is said to print must be what it prints."""

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

BOOK = Path(__file__).parents[2] / "book"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PRINTED = re.compile(r"^ *print\(.*\) +# (.*)$", re.MULTILINE)
TORCHRUN = re.compile(r"# torchrun (.*) script\.py\n")


def programs(page: str) -> list[str]:
    """The Python blocks of a page, in its order."""
    return BLOCK.findall((BOOK / page).read_text(encoding="utf-8"))


def run(program: str) -> None:
    """Execute a program; AssertionError unless each line that it prints stands as a comment behind a `print`."""
    launched = TORCHRUN.match(program)
    said = _in_processes(program, launched[1].split()) if launched else _here(program)
    printed, stated = said.splitlines(), PRINTED.findall(program)
    assert printed == stated, f"the page states {stated}, the program prints {printed}"


def _here(program: str) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(program, "<program of the book>", "exec"), {"__name__": "__main__"})
    return said.getvalue()


def _in_processes(program: str, options: list[str]) -> str:
    Path("script.py").write_text(program)
    command = [sys.executable, "-m", "torch.distributed.run", *options, "script.py"]
    # The loopback device, so that nothing waits for a name of this machine to be looked up.
    settings = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo" if sys.platform == "linux" else "lo0"}
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **settings})
    assert done.returncode == 0, done.stderr
    return done.stdout

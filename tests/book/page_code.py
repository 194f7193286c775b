"""The programs on a page of the book, which a test runs: what a `print` is said to print must be what it prints."""

import contextlib
import io
import re
from pathlib import Path

BOOK = Path(__file__).parents[2] / "book"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PRINTED = re.compile(r"^ *print\(.*\) +# (.*)$", re.MULTILINE)


def programs(page: str) -> list[str]:
    """The Python blocks of a page, in its order."""
    return BLOCK.findall((BOOK / page).read_text(encoding="utf-8"))


def run(program: str) -> None:
    """Execute a program; AssertionError unless each line that it prints stands as a comment behind a `print`."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(program, "<program of the book>", "exec"), {"__name__": "__main__"})
    printed, stated = said.getvalue().splitlines(), PRINTED.findall(program)
    assert printed == stated, f"the page states {stated}, the program prints {printed}"

"""What all commands print alike: a user's mistake as one message, and rows as columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer


def say(text: str, err: bool = False) -> None:
    """Print a text in which control characters, except tabs and line ends, are spelt out.

    A record or a folder from elsewhere may hold such characters, and a terminal would obey them.
    """
    shown = (char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text)
    typer.echo("".join(shown), err=err)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Print an error that a user can mend as one message, without a traceback, and leave with exit code 1."""
    from patlib.datasets import DataError

    try:
        yield
    except (DataError, ValueError, OSError) as error:
        say(f"Error: {error}", err=True)
        raise typer.Exit(1) from error


def columns(rows: Sequence[tuple[str, ...]]) -> str:
    """The rows as lines of left-aligned columns; the first row is the header."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])

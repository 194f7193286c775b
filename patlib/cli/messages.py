"""What all commands print alike: a user's mistake as one message, and rows as columns."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

USAGE: Any = typer.BadParameter.__base__
"""What typer raises for words that it cannot read; it lies in click, or in typer itself, by the version of typer."""


def say(text: str, err: bool = False) -> None:
    """Print a text in which control characters, except tabs and line ends, are spelt out.

    A record or a folder from elsewhere may hold such characters, and a terminal would obey them.
    """
    typer.echo(spelt_out(text), err=err)


def spelt_out(text: str) -> str:
    """A text in which control characters, except tabs and line ends, are spelt out."""
    return "".join(char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text)


class Commands(TyperGroup):
    """Commands whose words may hold control characters, which typer's own messages about them then spell out."""

    def make_context(self, *arguments: Any, **settings: Any) -> Any:
        """As of any command."""
        with _plain_usage():
            return super().make_context(*arguments, **settings)

    def invoke(self, context: Any) -> Any:
        """As of any command."""
        with _plain_usage():
            return super().invoke(context)


@contextmanager
def _plain_usage() -> Iterator[None]:
    try:
        yield
    except USAGE as error:
        error.message = spelt_out(error.message)
        raise


@contextmanager
def plain_errors() -> Iterator[None]:
    """Print an error that a user can mend as one message, without a traceback, and leave with exit code 1.

    A warning is printed without the line of code that gave it.
    """
    from patlib.datasets import DataError
    from patlib.install import MissingExtraError

    usual, warnings.formatwarning = warnings.formatwarning, _one_line
    try:
        yield
    except (DataError, MissingExtraError, ValueError, OSError) as error:
        say(f"Error: {error}", err=True)
        raise typer.Exit(1) from error
    finally:
        warnings.formatwarning = usual


def _one_line(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    return f"Warning: {message}\n"


def columns(rows: Sequence[tuple[str, ...]]) -> str:
    """The rows as lines of left-aligned columns; the first row is the header."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])

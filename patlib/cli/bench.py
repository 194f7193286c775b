"""The command `patlib bench`: measure what something costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patlib.cli.messages import plain_errors, say
from patlib.install import beside

BENCHMARKS = beside("benchmarks")


def bench(
    context: typer.Context, name: Annotated[str, typer.Argument(help="Leave it out to list the benchmarks.")] = ""
) -> None:
    """Measure what something costs. Examples: patlib bench loss; patlib bench trainer --profile.

    The script of that name in benchmarks/ is run with the options that follow (--help lists them).
    """
    import subprocess
    import sys

    with plain_errors():
        scripts = benchmarks()
        listed = "\n".join(f"  {script:<10}{what}" for script, (_, what) in scripts.items())
        if name in ("-h", "--help"):
            say("Usage: patlib bench NAME [OPTIONS]\n\nMeasure what something costs; NAME --help lists options.\n")
            say(listed)
            raise typer.Exit
        if name not in scripts:
            raise ValueError(
                f"there is no benchmark {name!r}; there are\n{listed}" if name else f"name one of\n{listed}"
            )
    raise typer.Exit(subprocess.run([sys.executable, scripts[name][0], *context.args]).returncode)


def benchmarks() -> dict[str, tuple[Path, str]]:
    """The scripts in benchmarks/ that can be run, by name, each with the first line of its docstring.

    Raises ValueError if there are none, as in an installation without the repository.
    """
    import ast

    found = {}
    for path in sorted(BENCHMARKS.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(part, ast.FunctionDef) and part.name == "main" for part in tree.body):
            found[path.stem] = (path, (ast.get_docstring(tree) or "").partition("\n")[0])
    if not found:
        raise ValueError(f"the benchmarks are not at {BENCHMARKS}: install patlib again")
    return found

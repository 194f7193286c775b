"""The command line: `patlib data`, `run`, `grid`, `table`, `study` and `bench`, each in a file of its own.

A command reads options, calls one function of the library, and prints. Modules that take long to import are imported
inside the commands that need them, so that `patlib --help` answers at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from patlib.cli import bench, data, grid, run, study, table
from patlib.cli.messages import Commands
from patlib.cli.options import UNREAD, with_settings

# Rich takes longer to import than the rest together.
app = typer.Typer(cls=Commands, no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data.data_app, name="data")


def _version(asked: bool) -> None:
    if asked:
        import patlib

        typer.echo(patlib.__version__)
        raise typer.Exit


@app.callback()
def patlib_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Pixel-wise Adaptive Training for long-tailed segmentation."""


app.command(context_settings=UNREAD)(with_settings(run.run))
app.command(context_settings=UNREAD)(with_settings(grid.grid, of_a_grid=True))
app.command(context_settings=UNREAD)(with_settings(table.table, of_a_grid=True))
app.add_typer(study.study_app, name="study")
app.command(context_settings=UNREAD)(bench.bench)

"""The command `patlib grid`: the runs of a table or a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patlib.cli.messages import plain_errors
from patlib.cli.settings import Grid, Out, Plain, parse_grid, parse_settings


def grid(
    context: typer.Context,
    name: Grid,
    out: Out = Path("runs"),
    plain: Plain = False,
    workers: Annotated[int | None, typer.Option(help="Run on this many processes here, one a GPU if any.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Run on the workers of a Dask scheduler, such as tcp://host:8786.")
    ] = None,
) -> None:
    """Run a table or a sweep: patlib grid table1 --dataset camvid --seeds 0 1 2 --epochs 100.

    Any field of RunConfig that the grid does not decide is an option. A run that has a record is not run again; one
    that fails is listed at the end and does not stop the rest. Without --plain, notebook 08 is executed as the report
    of each run.
    """
    from patlib.experiments import grids, report, runner, tables

    with plain_errors():
        base, seeds = parse_grid(name, parse_settings(context.args))
        if not plain:
            report.check_report()
        cell = None if plain else report.report_cell
        configs = grids.grid_configs(name, base, seeds)
        failures = runner.run_grid(configs, out, cell=cell, workers=workers, scheduler=scheduler)
        scores = tables.grid_scores(name, base, seeds, out)
    typer.echo(tables.summary(name, scores).to_string())
    for run_name, error in failures:
        typer.echo(f"failed: {run_name}: {error}", err=True)
    if failures:
        raise typer.Exit(1)

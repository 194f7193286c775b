"""The command `patlib grid`: the runs of a table or a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from patlib.cli.messages import columns, plain_errors, say
from patlib.cli.options import Grid, Out, Plain, Seeds
from patlib.cli.settings import parse_grid

if TYPE_CHECKING:
    from patlib.trainer.config import RunConfig


def grid(
    settings: dict[str, str],
    name: Grid,
    seeds: Seeds = ["0"],  # noqa: B006 -- never changed
    out: Out = Path("runs"),
    plain: Plain = False,
    workers: Annotated[
        int | None, typer.Option(help="Processes on this machine, each with a GPU of its own if there are any.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Run on the workers of a Dask scheduler, such as tcp://host:8786.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the runs, time a few steps of one of each kind, and begin none.")
    ] = False,
) -> None:
    """Make the runs of a table or a sweep. Example: patlib grid table1 --dataset camvid --seeds 0 1 2 --epochs 100.

    A grid sets the loss, its parameters and the seed of each run, and some grids set the model. A run that has a record
    is not made again. A run that fails is listed at the end and does not stop the rest. Without --plain, notebook 11 is
    executed as the report of each run.
    """
    from patlib.experiments import grids, report, runner, tables

    with plain_errors():
        base, numbers = parse_grid(name, settings, seeds)
        configs = grids.grid_configs(name, base, numbers)
        if dry_run:
            say(plan_of(configs, out))
            return
        if not plain:
            report.check_report()
        job = None if plain else report.report_cell
        failures = runner.run_grid(configs, out, job=job, workers=workers, scheduler=scheduler)
        scores = tables.grid_scores(name, base, numbers, out)
    say(tables.summary(name, scores).to_string())
    for run_name, error in failures:
        say(f"failed: {run_name}: {error}", err=True)
    if failures:
        raise typer.Exit(1)


def plan_of(configs: Sequence[RunConfig], folder: Path) -> str:
    """Which runs are there, started or missing, and how long the runs that are left take, one after another."""
    from patlib.experiments.estimate import estimate_kinds
    from patlib.experiments.progress import spoken
    from patlib.experiments.queue import state_of

    states = [state_of(config, folder, folder) for config in configs]
    lines = [columns([("state", "run"), *((state, str(c.run_path)) for state, c in zip(states, configs, strict=True))])]
    left = [config for config, state in zip(configs, states, strict=True) if state != "there"]
    lines.append(f"{len(configs)} runs: {len(configs) - len(left)} there, {len(left)} left")
    kinds = estimate_kinds(left)
    for seconds, members in kinds:
        lines.append(f"{len(members)} of {members[0].model} in {members[0].precision}: about {spoken(seconds)} each")
    if left:
        total = sum(seconds * len(members) for seconds, members in kinds)
        lines.append(f"about {spoken(total)} for all of them, one after another on this machine, without reports")
    return "\n".join(lines)

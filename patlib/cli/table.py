"""The command `patlib table`: the table of a grid, from the records that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patlib.cli.messages import plain_errors, say
from patlib.cli.options import Grid, Out, Seeds
from patlib.cli.settings import parse_grid


def table(
    settings: dict[str, str],
    name: Grid,
    seeds: Seeds = ["0"],  # noqa: B006 -- never changed
    out: Out = Path("runs"),
    checkpoint: Annotated[str, typer.Option(help="best (by validation mIoU) or last.")] = "best",
    split: Annotated[str, typer.Option(help="A split of the dataset, such as test.")] = "test",
    write: Annotated[
        Path | None, typer.Option(help="A .csv or .tex file to which the table is written as well.")
    ] = None,
) -> None:
    """Show a table from the records that are there. The paper's numbers stand beside ours where it has them.

    The command takes the options that `patlib grid` was given, and trains nothing.
    """
    from patlib.experiments import tables
    from patlib.paper import beside_ours, published

    with plain_errors():
        base, numbers = parse_grid(name, settings, seeds)
        scores = tables.grid_scores(name, base, numbers, out, checkpoint, split)
        title = published.DATASETS.get(base.dataset)
        if name in published.PUBLISHED and title:
            shown = beside_ours.paper_beside_ours(name, scores, title)
        else:
            shown = tables.summary(name, scores)
        if write:
            tables.export(write, scores, shown)
        runs = tables.grid_runs(name, base, numbers)
        protocol, caption = tables.run_protocol(runs, out), tables.run_caption(runs, out, checkpoint, split)
    say(f"{protocol}\n{caption}")
    say(shown.to_string())

"""The command `patlib run`: train one configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patlib.cli.messages import plain_errors, say
from patlib.cli.options import Out, Plain
from patlib.cli.settings import parse_config


def run(
    settings: dict[str, str],
    out: Out = Path("runs"),
    plain: Plain = False,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Train anew even if the run has its record, which stays until the new one is there."
        ),
    ] = False,
) -> None:
    """Train one configuration and keep its record. Example: patlib run --loss focal --gamma 3 --epochs 20.

    Without --plain, notebook 11 is executed as the run's report. A run that has its record is only trained again with
    --again.
    """
    from patlib import trainer
    from patlib.experiments import cell, report

    with plain_errors():
        config = parse_config(settings)
        folder = out / config.run_path
        if not plain:
            report.check_report()
        cell.is_done(config, out)  # which removes, or puts in its place, what a killed process left
        try:
            with cell.hold_run(config, out):
                if cell.is_there(config, out) and not again:
                    say(f"{folder / 'record.json'} is there: nothing is trained. To train anew: --again")
                elif plain:
                    trainer.fit(config, folder)
                else:
                    report.run_notebook(report.REPORT, config, out)
        except trainer.NonFiniteError as error:
            raise ValueError(str(error)) from error
    say(f"{folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")

"""The command `patlib run`: train one configuration."""

from __future__ import annotations

from pathlib import Path

import typer

from patlib.cli.messages import plain_errors
from patlib.cli.settings import Out, Plain, parse_config, parse_settings


def run(
    context: typer.Context,
    out: Out = Path("runs"),
    plain: Plain = False,
) -> None:
    """Train one configuration and keep its record: patlib run --loss focal --gamma 3 --epochs 20.

    Any field of RunConfig is an option. Without --plain, notebook 08 is executed as the run's report.
    """
    from patlib import trainer
    from patlib.experiments import cell, report

    with plain_errors():
        config = parse_config(parse_settings(context.args))
        folder = out / config.run_path
        if not plain:
            report.check_report()
        try:
            with cell.hold_run(config, out):
                if plain:
                    trainer.fit(config, folder)
                else:
                    report.run_notebook(report.REPORT, config, out)
        except trainer.NonFiniteError as error:
            raise ValueError(str(error)) from error
    typer.echo(f"{folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")

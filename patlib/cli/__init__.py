"""The command line: `patlib data`, `run`, `grid`, `table`, `study` and `bench`, a file each.

A command reads options, calls one function of the library, and prints. Whatever takes long to import is imported
inside the command that needs it, so that `patlib --help` answers at once.
"""

import typer

from patlib.cli import bench, data, grid, run, study, table
from patlib.cli.settings import SETTINGS

app = typer.Typer(help="Pixel-wise Adaptive Training for long-tailed segmentation.", no_args_is_help=True)
app.add_typer(data.data_app, name="data")
for command in (run.run, grid.grid, table.table):
    app.command(context_settings=SETTINGS)(command)
app.add_typer(study.study_app, name="study")
app.command(context_settings={**SETTINGS, "help_option_names": []})(bench.bench)

"""The command line: `patlib data`, `study`, `run`, `grid`, `table` and `bench`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from patlib.cli_data import columns, data_app, plain_errors
from patlib.cli_study import study_app

if TYPE_CHECKING:
    from patlib.trainer.config import RunConfig

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"

app = typer.Typer(help="Pixel-wise Adaptive Training for long-tailed segmentation.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(study_app, name="study")

# Every field of RunConfig is an option of `run`, `grid` and `table`. They are read by hand, because the configuration
# already names, types and checks them.
SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True}
Out = Annotated[Path, typer.Option(help="Each run gets its own folder below this one.")]
Plain = Annotated[bool, typer.Option("--plain", help="Train without the notebook's report.")]
Grid = Annotated[
    str, typer.Argument(help="A table or a sweep: table1, table2, table3, gamma, ... (an unknown name lists all).")
]


def parse_settings(words: Sequence[str]) -> dict[str, list[str]]:
    """{"seeds": ["0", "1"], "loss": ["pat"]} from "--seeds 0 1 --loss pat"; dashes inside a name may be underscores."""
    settings: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            values = settings.setdefault(name.replace("-", "_"), [])
            values += [value] if equals else []
        elif settings:
            values.append(word)
        else:
            raise ValueError(f"expected an option such as --dataset camvid, got {word!r}")
    return settings


def parse_config(settings: dict[str, list[str]]) -> RunConfig:
    """The configuration that options state, each given exactly one value."""
    from patlib.trainer.config import RunConfig

    for name, values in settings.items():
        if len(values) != 1:
            raise ValueError(f"--{name} takes one value, got {len(values)}: {' '.join(values)}")
    return RunConfig.model_validate_strings({name: value for name, (value,) in settings.items()})


@app.command(context_settings=SETTINGS)
def run(
    context: typer.Context,
    out: Out = Path("runs"),
    plain: Plain = False,
) -> None:
    """Train one configuration and keep its record: patlib run --loss focal --gamma 3 --epochs 20.

    Any field of RunConfig is an option. Without --plain, notebook 08 is executed as the run's report.
    """
    from patlib import cells, runs, trainer

    with plain_errors():
        config = parse_config(parse_settings(context.args))
        folder = out / config.run_path
        if not plain:
            runs.check_report()
        try:
            with cells.hold(config, out):
                if plain:
                    trainer.fit(config, folder)
                else:
                    runs.run_notebook(runs.REPORT, config, out)
        except trainer.NonFiniteError as error:
            raise ValueError(str(error)) from error
    typer.echo(f"{folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")


def parse_grid(name: str, settings: dict[str, list[str]]) -> tuple[RunConfig, list[int]]:
    """The base configuration and the seeds of a grid's options; what the grid decides itself is not one of them."""
    from patlib.grids import fields_set_by

    for field in sorted(fields_set_by(name) & settings.keys()):
        raise ValueError(f"--{field}: {name} sets that itself; seeds are given as --seeds 0 1 2")
    seeds = settings.pop("seeds", ["0"])
    if not seeds or not all(seed.isdecimal() for seed in seeds):
        raise ValueError(f"--seeds takes whole numbers from 0, such as --seeds 0 1 2; got {' '.join(seeds)}")
    return parse_config(settings), [int(seed) for seed in seeds]


@app.command(context_settings=SETTINGS)
def grid(
    context: typer.Context,
    name: Grid,
    out: Out = Path("runs"),
    plain: Plain = False,
    workers: Annotated[int | None, typer.Option(help="Run on this many processes here, one a GPU if any.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Run on the workers of a Dask scheduler, such as tcp://host:8786.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the runs, time a few steps of one of each kind, and begin none.")
    ] = False,
) -> None:
    """Run a table or a sweep: patlib grid table1 --dataset camvid --seeds 0 1 2 --epochs 100.

    Any field of RunConfig that the grid does not decide is an option. A run that has a record is not run again; one
    that fails is listed at the end and does not stop the rest. Without --plain, notebook 08 is executed as the report
    of each run.
    """
    from patlib import grids, runs, tables

    with plain_errors():
        base, seeds = parse_grid(name, parse_settings(context.args))
        configs = grids.grid_configs(name, base, seeds)
        if dry_run:
            typer.echo(plan_of(configs, out))
            return
        if not plain:
            runs.check_report()
        cell = None if plain else runs.report_cell
        failures = runs.run_grid(configs, out, cell=cell, workers=workers, scheduler=scheduler)
        scores = tables.grid_scores(name, base, seeds, out)
    typer.echo(tables.summary(name, scores).to_string())
    for run_name, error in failures:
        typer.echo(f"failed: {run_name}: {error}", err=True)
    if failures:
        raise typer.Exit(1)


def plan_of(configs: Sequence[RunConfig], folder: Path) -> str:
    """Which runs are there, started or missing, and how long what is left takes here, one after another."""
    from patlib.experiments.estimate import estimate_kinds
    from patlib.experiments.queue import state_of
    from patlib.progress import spoken

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


@app.command(context_settings=SETTINGS)
def table(
    context: typer.Context,
    name: Grid,
    out: Out = Path("runs"),
    checkpoint: Annotated[str, typer.Option(help="best (by validation mIoU) or last.")] = "best",
    split: Annotated[str, typer.Option(help="A split of the dataset, such as test.")] = "test",
    write: Annotated[Path | None, typer.Option(help="Write it as .csv or .tex, too.")] = None,
) -> None:
    """Show a table from the records that are there, the paper's numbers beside ours where it has them.

    Takes the options that `patlib grid` was given, and trains nothing.
    """
    from patlib import published, tables

    with plain_errors():
        base, seeds = parse_grid(name, parse_settings(context.args))
        scores = tables.grid_scores(name, base, seeds, out, checkpoint, split)
        title = published.DATASETS.get(base.dataset)
        if name in published.PUBLISHED and title:
            shown = tables.paper_beside_ours(name, scores, title)
        else:
            shown = tables.summary(name, scores)
        if write:
            tables.export(write, name, scores, shown)
        protocol = tables.grid_protocol(name, base, seeds, out)
    typer.echo(f"{protocol}; {checkpoint} checkpoint, {split} split")
    typer.echo(shown.to_string())


@app.command(context_settings={**SETTINGS, "help_option_names": []})
def bench(
    context: typer.Context, name: Annotated[str, typer.Argument(help="Leave it out to list the benchmarks.")] = ""
) -> None:
    """Measure what something costs: patlib bench loss; patlib bench trainer --profile.

    Runs the script of that name in benchmarks/ with the options that follow (--help lists its own).
    """
    import subprocess
    import sys

    with plain_errors():
        scripts = benchmarks()
        if name not in scripts:
            listed = "\n".join(f"  {script:<10}{what}" for script, (_, what) in scripts.items())
            raise ValueError(
                f"there is no benchmark {name!r}; there are\n{listed}" if name else f"name one of\n{listed}"
            )
    raise typer.Exit(subprocess.run([sys.executable, scripts[name][0], *context.args]).returncode)


def benchmarks() -> dict[str, tuple[Path, str]]:
    """By name, the scripts in benchmarks/ that can be run, and the first line of what each says of itself."""
    import ast

    found = {}
    for path in sorted(BENCHMARKS.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(part, ast.FunctionDef) and part.name == "main" for part in tree.body):
            found[path.stem] = (path, (ast.get_docstring(tree) or "").partition("\n")[0])
    if not found:
        raise ValueError(f"the benchmarks are not at {BENCHMARKS}: run from a checkout")
    return found


if __name__ == "__main__":
    app()

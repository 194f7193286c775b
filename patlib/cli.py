"""The command line: `patlib data list | prepare | show`, `patlib run` and `patlib grid`.

Whatever takes long to import is imported inside the command that needs it, so that `patlib --help` answers at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from patlib.config import RunConfig

REPORT = Path(__file__).parent.parent / "notebooks" / "08_one_run.ipynb"

app = typer.Typer(help="Pixel-wise Adaptive Training for long-tailed segmentation.", no_args_is_help=True)
data_app = typer.Typer(help="Find, prepare and look at datasets.", no_args_is_help=True)
app.add_typer(data_app, name="data")


Name = Annotated[str, typer.Argument(help="A dataset: see `patlib data list`.")]
Size = Annotated[str | None, typer.Option(help="Height x width, such as 90x120; the dataset's default if not given.")]
Root = Annotated[Path | None, typer.Option(help="Folder that holds the datasets; else PATLIB_DATA, else ./data.")]
Cache = Annotated[Path | None, typer.Option(help="Folder for the arrays; else PATLIB_CACHE, else ~/.cache/patlib.")]
Protocol = Annotated[str | None, typer.Option(help="How to split it; the dataset's default if not given.")]
Seed = Annotated[int, typer.Option(min=0, help="Draws the splits or the scenes, where the dataset uses one.")]
Download = Annotated[bool, typer.Option("--download", help="Fetch it if it is not there (oxford_pet).")]


@contextmanager
def plain_errors() -> Iterator[None]:
    """Print what a user can mend as one message, without a traceback, and leave with exit code 1."""
    from patlib.data import DataError

    try:
        yield
    except (DataError, ValueError, OSError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error


def parse_size(text: str | None) -> tuple[int, int] | None:
    """(height, width) from a text such as "90x120"."""
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise ValueError(f"--size is HEIGHTxWIDTH in pixels, such as 90x120; got {text!r}")
    return int(parts[0]), int(parts[1])


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Left-aligned columns; the first row is the header."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


@data_app.command("list")
def list_datasets(root: Root = None) -> None:
    """Name every dataset, and say whether it is on this machine."""
    from patlib.data import DATASETS
    from patlib.data.reading import data_root, locate

    rows = [("name", "classes", "paper size", "found", "licence")]
    for spec in DATASETS.values():
        if spec.layout:
            place = locate(spec, root)
            found = f"yes: {place}" if place else f"no: {data_root(root) / spec.folder}"
        else:
            found = "needs no files"
        height, width = spec.paper_size
        rows.append((spec.name, str(spec.num_classes), f"{height}x{width}", found, spec.licence))
    typer.echo(table(rows))


@data_app.command("prepare")
def prepare_dataset(
    name: Name,
    size: Size = None,
    root: Root = None,
    cache: Cache = None,
    protocol: Protocol = None,
    seed: Seed = 0,
    download: Download = False,
) -> None:
    """Decode and resize a dataset once; say where it lies and how its classes are distributed."""
    from patlib.data import prepare

    with plain_errors():
        dataset = prepare(name, parse_size(size), root, cache, protocol, seed, download=download)
    counts = {split: dataset.class_pixels_of(split) for split in dataset.splits}
    typer.echo(f"{dataset.spec.title}, {dataset.size[0]}x{dataset.size[1]}: {dataset.folder}")
    typer.echo(", ".join(f"{split} {len(images)} images" for split, images in dataset.splits.items()) + "\n")
    rows: list[tuple[str, ...]] = [("id", "class", *(f"{split} pixels" for split in counts), "train share")]
    for index, title in enumerate(dataset.spec.classes):
        share = counts["train"][index] / max(1, counts["train"].sum())
        rows.append((str(index), title, *(f"{count[index]:,}" for count in counts.values()), f"{100 * share:.3f} %"))
    void = (f"{dataset.manifest['splits'][split]['void_pixels']:,}" for split in counts)
    typer.echo(table([*rows, ("255", "void", *void, "")]))


@data_app.command("show")
def show_dataset(
    name: Name,
    out: Annotated[Path | None, typer.Option(help="The PNG to write; NAME.png if not given.")] = None,
    split: Annotated[str, typer.Option(help="train, val, test, or one that the protocol adds.")] = "train",
    count: Annotated[int, typer.Option(min=1, help="How many images.")] = 12,
    size: Size = None,
    root: Root = None,
    cache: Cache = None,
    protocol: Protocol = None,
    seed: Seed = 0,
) -> None:
    """Write a contact sheet: images beside their masks, with the colours of the classes."""
    from patlib.data import prepare
    from patlib.data.sheet import contact_sheet

    with plain_errors():
        dataset = prepare(name, parse_size(size), root, cache, protocol, seed)
        path = out or Path(f"{name}.png")
        contact_sheet(dataset, split, count).savefig(path)
    typer.echo(f"wrote {path}")


# Every field of RunConfig is an option of `run` and `grid`. They are read by hand, because the configuration already
# names, types and checks them.
SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True}
Out = Annotated[Path, typer.Option(help="Each run gets its own folder below this one.")]


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
    from patlib.config import RunConfig

    for name, values in settings.items():
        if len(values) != 1:
            raise ValueError(f"--{name} takes one value, got {len(values)}: {' '.join(values)}")
    return RunConfig.model_validate_strings({name: value for name, (value,) in settings.items()})


@app.command(context_settings=SETTINGS)
def run(
    context: typer.Context,
    out: Out = Path("runs"),
    plain: Annotated[bool, typer.Option("--plain", help="Train without the notebook's report.")] = False,
) -> None:
    """Train one configuration and keep its record: patlib run --loss focal --gamma 3 --epochs 20.

    Any field of RunConfig is an option. Without --plain, notebook 08 is executed as the run's report.
    """
    from patlib import runs, train

    with plain_errors():
        config = parse_config(parse_settings(context.args))
        folder = out / config.run_path
        if not plain and not REPORT.is_file():
            raise ValueError(f"the report's notebook is not at {REPORT}: use --plain, or run from a checkout")
        try:
            if plain:
                train.fit(config, folder)
            else:
                runs.run_notebook(REPORT, config, out)
        except train.NonFiniteLossError as error:
            raise ValueError(str(error)) from error
    typer.echo(f"{folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")


@app.command(context_settings=SETTINGS)
def grid(
    context: typer.Context,
    table: Annotated[str, typer.Argument(help="Which table of the paper: table1.")],
    out: Out = Path("runs"),
) -> None:
    """Run a table of the paper: patlib grid table1 --dataset camvid --seeds 0 1 2 --epochs 100.

    Any field of RunConfig but the loss and its parameters is an option. Runs that have a record are not run again.
    """
    from patlib import runs, tables
    from patlib.config import LOSS_PARAMETERS

    with plain_errors():
        if table != "table1":
            raise ValueError(f"no grid is called {table!r}; there is table1")
        settings = parse_settings(context.args)
        for name in {"loss", "seed", *LOSS_PARAMETERS} & settings.keys():
            raise ValueError(f"--{name}: the table sets losses and parameters; seeds are given as --seeds 0 1 2")
        seeds = settings.pop("seeds", ["0"])
        if not all(seed.isdecimal() for seed in seeds):
            raise ValueError(f"--seeds takes whole numbers from 0, such as --seeds 0 1 2; got {' '.join(seeds)}")
        configs = tables.table_1(parse_config(settings), [int(seed) for seed in seeds])
        failures = runs.run_grid(configs, out)
        records = [
            json.loads((out / config.run_path / "record.json").read_text())
            for config in configs
            if (out / config.run_path / "record.json").exists()
        ]
    if records:
        typer.echo(tables.protocol_of(records[0]))
        typer.echo(tables.paper_beside_ours(records, None).xs("ours", axis=1, level=1).to_string())
    for name, error in failures:
        typer.echo(f"failed: {name}: {error}", err=True)
    if failures:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()

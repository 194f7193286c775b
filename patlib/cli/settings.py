"""The fields of a configuration as options of a command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from patlib.trainer.config import RunConfig

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


def parse_grid(name: str, settings: dict[str, list[str]]) -> tuple[RunConfig, list[int]]:
    """The base configuration and the seeds of a grid's options; what the grid decides itself is not one of them."""
    from patlib.experiments.grids import fields_set_by

    for field in sorted(fields_set_by(name) & settings.keys()):
        raise ValueError(f"--{field}: {name} sets that itself; seeds are given as --seeds 0 1 2")
    seeds = settings.pop("seeds", ["0"])
    if not seeds or not all(seed.isdecimal() for seed in seeds):
        raise ValueError(f"--seeds takes whole numbers from 0, such as --seeds 0 1 2; got {' '.join(seeds)}")
    return parse_config(settings), [int(seed) for seed in seeds]

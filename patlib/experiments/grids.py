"""The paper's tables and sweeps, and some of ours, as data: the runs of which each consists.

A grid is a tuple of cells. A cell names its row as the paper does, and states those fields of
:class:`~patlib.trainer.config.RunConfig` that make its runs. Everything else (dataset, size, length) comes from a base
configuration, and each seed makes one run of the cell.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from patlib.names import nearest
from patlib.trainer.config import RunConfig
from patlib.trainer.parameters import all_parameters


@dataclass(frozen=True)
class Cell:
    """A row of a table: its name, with one word for each level, and the settings that its runs have in common."""

    row: tuple[str, ...]
    settings: dict[str, Any]


METHODS = (
    Cell(("CE",), {"loss": "ce"}),
    Cell(("Focal (gamma = 2)",), {"loss": "focal", "gamma": 2.0}),
    Cell(("CB",), {"loss": "cb"}),
    Cell(("CBFocal (gamma = 2)",), {"loss": "cbfocal", "gamma": 2.0}),
    Cell(("BMS",), {"loss": "bms"}),
    Cell(("LDAM (mu = 0.5, s = 20)",), {"loss": "ldam", "max_margin": 0.5, "scale": 20.0}),
    Cell(("BLV (Gaussian, sigma = 0.5)",), {"loss": "blv", "law": "gaussian", "sigma": 0.5}),
    Cell(("PAT (T = 20)",), {"loss": "pat", "T": 20.0}),
)
"""The rows of Table 1."""

NETWORKS = {"segnet": "SegNet", "unet": "UNet", "attention_unet": "AttUNet", "unetpp": "UNet++"}
"""Models and the paper's names for them."""

ARMS = (
    Cell(("neither",), {"loss": "pat", "T": 20.0, "size_weight": False, "adaptive": False}),
    Cell(("only beta",), {"loss": "pat", "T": 20.0, "size_weight": False, "adaptive": True}),
    Cell(("only 1/S",), {"loss": "pat", "T": 20.0, "size_weight": True, "adaptive": False}),
    Cell(("both",), {"loss": "pat", "T": 20.0, "size_weight": True, "adaptive": True}),
)
"""PAT with and without each of its halves."""


def _temperatures(values: Iterable[float], *level: str, **settings: str) -> tuple[Cell, ...]:
    return tuple(Cell((*level, f"T = {T:g}"), {"loss": "pat", "T": float(T), **settings}) for T in values)


GRIDS: dict[str, tuple[Cell, ...]] = {
    "table1": METHODS,
    # Table 2 leaves out BMS, and SegNet, which Table 1 has.
    "table2": tuple(
        Cell((*method.row, NETWORKS[model]), {**method.settings, "model": model})
        for method in METHODS
        if method.settings["loss"] != "bms"
        for model in ("unet", "attention_unet", "unetpp")
    ),
    "table3": tuple(
        cell for model in ("segnet", "unet") for cell in _temperatures((5, 10, 20, 50), NETWORKS[model], model=model)
    ),
    "gamma": tuple(
        Cell((label, f"gamma = {gamma:g}"), {"loss": loss, "gamma": float(gamma)})
        for loss, label in (("focal", "Focal"), ("cbfocal", "CBFocal"))
        for gamma in (0.5, 1, 2, 3, 4, 5)
    ),
    "scale": tuple(
        Cell(("LDAM", f"s = {scale}"), {"loss": "ldam", "max_margin": 0.5, "scale": float(scale)})
        for scale in (10, 20, 30, 50)
    ),
    "variation": tuple(
        Cell((f"BLV, {law}", f"sigma = {sigma:g}"), {"loss": "blv", "law": law, "sigma": float(sigma)})
        for law in ("gaussian", "uniform", "xavier")
        for sigma in (0.5, 1, 2)
    ),
    "temperature": _temperatures((5, 10, 20, 50)),
    "attribution": ARMS,
    "wide_temperature": _temperatures((0.1, 0.5, 1, 5, 20, 50)),
}
"""Tables 1-3; the paper's sweeps of gamma, s, BLV's law and sigma, and T (its section 5); and two grids of ours: PAT
with and without each half, and T far below the paper's range."""


def get_grid(name: str) -> tuple[Cell, ...]:
    """The cells of a grid; ValueError naming all grids if there is none of that name."""
    if name not in GRIDS:
        meant = nearest(name, GRIDS)
        hint = f"; did you mean {meant!r}?" if meant else "."
        raise ValueError(f"no grid is called {name!r}{hint} There are {', '.join(GRIDS)}")
    return GRIDS[name]


def fields_set_by(name: str) -> set[str]:
    """The settings that the grid decides: those of its cells, the seed, and the parameters of all losses."""
    return {"seed", "loss_parameters", *all_parameters()}.union(*(cell.settings for cell in get_grid(name)))


def cell_config(name: str, cell: Cell, base: RunConfig, seed: int) -> RunConfig:
    """The run of one cell and seed at the dataset, size and length of ``base``."""
    common = base.model_dump(exclude=fields_set_by(name))
    return RunConfig(**{**common, **cell.settings, "seed": seed})


def grid_configs(name: str, base: RunConfig, seeds: Iterable[int] = (0,)) -> list[RunConfig]:
    """All runs of a grid, seed by seed, so that the seeds are whole when a grid is stopped early."""
    return [cell_config(name, cell, base, seed) for seed in seeds for cell in get_grid(name)]

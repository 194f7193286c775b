"""The paper's Table 1: its published numbers, its cells as run configurations, and the paper beside our records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from patlib.config import RunConfig


@dataclass(frozen=True)
class Method:
    """A row of Table 1: the paper's name for it, and the loss and parameters that stand for it here."""

    label: str
    loss: str
    parameters: dict[str, Any] = field(default_factory=dict)


TABLE_1_METHODS = (
    Method("CE", "ce"),
    Method("Focal (gamma = 2)", "focal", {"gamma": 2.0}),
    Method("CB", "cb"),
    Method("CBFocal (gamma = 2)", "cbfocal", {"gamma": 2.0}),
    Method("BMS", "bms"),
    Method("LDAM (mu = 0.5, s = 20)", "ldam", {"max_margin": 0.5, "scale": 20.0}),
    Method("BLV (Gaussian, sigma = 0.5)", "blv", {"law": "gaussian", "sigma": 0.5}),
    Method("PAT (T = 20)", "pat", {"T": 20.0}),
)


def table_1(base: RunConfig, seeds: Iterable[int] = (0,)) -> list[RunConfig]:
    """The runs of Table 1 for the dataset, model and scale of ``base``: every method, seed by seed."""
    common = base.model_dump(exclude={"loss", "seed"} | set(base.loss_parameters))
    return [
        RunConfig(**{**common, "loss": method.loss, **method.parameters, "seed": seed})
        for seed in seeds
        for method in TABLE_1_METHODS
    ]

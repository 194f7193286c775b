"""A row of the table of deviations, and what the checks share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["read in code", "arithmetic", "inference"]


@dataclass(frozen=True)
class Deviation:
    """Where two of paper, released code and patlib differ, with a check that can fail.

    ``kind`` says what the row is based on. "read in code": the released code was read. "arithmetic": the paper's text
    was compared with its own numbers or formulas; ``patlib`` then says what these give, and ``released`` is empty.
    "inference": facts were weighed that others may weigh differently; the check covers the facts, not the conclusion.

    ``check`` raises AssertionError when the row no longer holds, and returns a line with what it measured.
    """

    topic: str
    paper: str
    released: str
    patlib: str
    kind: Kind
    check: Callable[[], str]


@dataclass(frozen=True)
class Reading:
    """Something read in the released code, or a fact about a dataset, that nothing here executes."""

    topic: str
    paper: str
    released: str
    patlib: str


def require(condition: bool, statement: str) -> None:
    """Raise AssertionError with the statement unless it holds; unlike ``assert``, also under ``python -O``."""
    if not condition:
        raise AssertionError(f"does not hold: {statement}")


L = 5
"""Classes of the small batch."""


def small_batch(shares: tuple[float, ...] = (0.6, 0.25, 0.12, 0.02, 0.01)) -> tuple[Tensor, Tensor]:
    """Logits (4,L,16,24) float64 and a target (4,16,24) with these shares of the L classes, the same at every call."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(4, L, 16, 24, dtype=torch.float64, generator=generator)
    target = torch.multinomial(torch.tensor(shares), 4 * 16 * 24, replacement=True, generator=generator)
    return logits, target.view(4, 16, 24)

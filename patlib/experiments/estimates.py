"""The results of statistics over several runs: numbers with an interval, which can be printed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over ``n`` seeds with an interval from ``low`` to ``high``; reads "32.1 [30.0, 34.2], n = 5".

    A format specification applies to each number, as in ``f"{estimate:.2f}"``. Without an interval (NaN bounds) the
    brackets are left out.
    """

    n: int
    mean: float
    low: float
    high: float
    default_format: ClassVar[str] = "z.1f"  # z writes -0.04 as 0.0, not as -0.0

    def __format__(self, spec: str) -> str:
        mean, low, high = (format(number, spec or self.default_format) for number in (self.mean, self.low, self.high))
        interval = "" if np.isnan(self.low) else f" [{low}, {high}]"
        return f"{mean}{interval}, n = {self.n}"

    def __str__(self) -> str:
        return format(self, "")


@dataclass(frozen=True, kw_only=True)
class MeanInterval(Estimate):
    """A mean, the standard deviation ``sd`` of the values (n - 1 in its denominator), and the mean's 95 % interval."""

    sd: float


@dataclass(frozen=True, kw_only=True)
class PairedDifference(MeanInterval):
    """A mean difference a - b with its 95 % interval, and the two-sided ``p_value`` of "the methods do not differ"."""

    p_value: float
    default_format: ClassVar[str] = "+z.1f"


@dataclass(frozen=True, kw_only=True)
class Equivalence(MeanInterval):
    """A mean difference a - b with its 90 % interval, and the ``p_value`` of "they differ by ``margin`` or more"."""

    p_value: float
    margin: float
    default_format: ClassVar[str] = "+z.1f"

    @property
    def is_equivalent(self) -> bool:
        """Whether that hypothesis is rejected at 0.05; the 90 % interval then lies between -margin and margin."""
        return self.p_value < 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class BootstrapDifference(Estimate):
    """A mean difference a - b, its 95 % percentile interval, and the resampled differences ``samples`` (samples,)."""

    samples: np.ndarray
    default_format: ClassVar[str] = "+z.1f"

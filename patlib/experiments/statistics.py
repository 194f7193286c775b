r"""Statistics of training runs that are paired by seed: intervals, tests, and a bootstrap over seeds and images.

Runs of one seed share their initial weights, the order of the images and the mirroring. A difference within a seed is
free of what those contribute, so methods are compared by their differences, never by two separate intervals.

This module has the statistics of scores, one for each of n seeds. Those of confusion matrices are in
:mod:`patlib.experiments.bootstrap`, and can be imported from here as well. Results have the unit of the scores, which
is per cent in this project. NaN stands for an undefined score. It is left out, in a pair together with its partner, and
``n`` counts the scores or pairs that remain.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit  # scipy.stats has the same functions, and takes far longer to import

from patlib.experiments.bootstrap import block_bootstrap, class_scores
from patlib.experiments.estimates import Equivalence, MeanInterval, PairedDifference

__all__ = ["block_bootstrap", "class_scores", "equivalent", "holm", "mean_interval", "paired_difference"]

Name = TypeVar("Name", bound=Hashable)


def mean_interval(values: ArrayLike) -> MeanInterval:
    r"""Mean of n values, one a seed, and its 95 % interval by Student's t (Student, Biometrika 6, 1908).

    .. math:: \bar x \pm t_{n-1,\,0.975}\; s / \sqrt n

    ``values`` has shape (n,). Estimates that one value does not allow are NaN, and so are all if every value is NaN
    (then n = 0). Raises ValueError for an empty array, a shape other than (n,), and infinite values.
    """
    scores = _scores("values", values)
    n, mean, sd = _moments(scores[~np.isnan(scores)], _rounding(scores))
    low, high = _bounds(n, mean, sd, 0.95)
    return MeanInterval(n=n, mean=mean, sd=sd, low=low, high=high)


def paired_difference(a: ArrayLike, b: ArrayLike) -> PairedDifference:
    r"""Mean of the differences :math:`d = a - b` within seeds, its 95 % interval, and the paired t test.

    .. math:: \bar d \pm t_{n-1,\,0.975}\; s_d / \sqrt n, \qquad p = 2\,P(T_{n-1} \ge |\bar d| \sqrt n / s_d)

    The test is Student's (Biometrika 6, 1908). ``a`` and ``b`` have shape (n,), in the same order of seeds; or both are
    pandas Series indexed by seed, and their common seeds are used. With one pair ``sd``, the bounds and ``p_value``
    are NaN. Differences that are all equal, up to rounding, take the limit of a vanishing spread: the interval is the
    point, and p is 0, or 1 if they are all zero. A few runs do not warrant such certainty, so look at the scores first:
    the usual cause is a score that is at its floor with both methods.

    Raises ValueError for no values or no common seed, different lengths, a Series beside an array, a seed that occurs
    twice, a shape other than (n,), and infinite values.
    """
    n, mean, sd = _paired_moments(a, b)
    low, high = _bounds(n, mean, sd, 0.95)
    return PairedDifference(n=n, mean=mean, sd=sd, low=low, high=high, p_value=2 * _lower_tail(n, -abs(mean), sd))


def equivalent(a: ArrayLike, b: ArrayLike, margin: float) -> Equivalence:
    r"""Two one-sided paired t tests of whether two methods differ by less than a margin (Schuirmann 1987).

    .. math:: p = \max\{P(T_{n-1} \ge (\bar d + m)\sqrt n / s_d),\; P(T_{n-1} \le (\bar d - m)\sqrt n / s_d)\}

    A difference that is not significant is no evidence that there is none: with three seeds an interval of
    [-5, 5] points contains 0 and large differences alike. Here the burden of proof is turned round. The hypothesis to
    be rejected is a difference of at least ``margin``, so few or scattered runs end as "not shown to be equivalent".
    The margin m > 0, in the unit of the scores, is the largest difference that does not matter; it is to be chosen
    before the scores are seen. Equivalence at 0.05 is the same as a 90 % interval within (-m, m).

    ``a`` and ``b`` are as in :func:`paired_difference`, with the same rule for equal differences: p is 0 inside the
    margin and 1 outside. Raises ValueError as that function does, and for a margin that is not positive and finite.
    Source: D. J. Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987.
    """
    if not (np.isfinite(margin) and margin > 0):
        raise ValueError(f"margin must be positive and finite, in the unit of the scores; got {margin!r}")
    n, mean, sd = _paired_moments(a, b)
    low, high = _bounds(n, mean, sd, 0.90)
    p_value = max(_lower_tail(n, -(mean + margin), sd), _lower_tail(n, mean - margin, sd))
    return Equivalence(n=n, mean=mean, sd=sd, low=low, high=high, p_value=p_value, margin=float(margin))


def holm(p_values: Mapping[Name, float]) -> dict[Name, float]:
    r"""The p values adjusted for the number of tests by Holm's step-down method, in the order given.

    .. math:: \tilde p_{(i)} = \max_{j \le i}\, \min\{1, (m - j + 1)\, p_{(j)}\}

    with the m values in ascending order. To reject where the adjusted value is at most 0.05 keeps the probability of
    even one false rejection in the family at 0.05, whatever the dependence between the tests. A NaN stays NaN and is
    not counted in m: nothing was tested, so nothing can be rejected wrongly.

    Raises ValueError for a value outside [0, 1]. Source: S. Holm, Scandinavian J. of Statistics 6, 1979.
    """
    for name, p in p_values.items():
        if not (np.isnan(p) or 0 <= p <= 1):
            raise ValueError(f"a p value lies in [0, 1]; {name!r} has {p!r}")
    ascending = sorted((name for name, p in p_values.items() if not np.isnan(p)), key=lambda name: p_values[name])
    adjusted, largest = {name: float("nan") for name in p_values}, 0.0
    for rank, name in enumerate(ascending):
        largest = max(largest, min(1.0, (len(ascending) - rank) * p_values[name]))
        adjusted[name] = largest
    return adjusted


def _scores(name: str, values: ArrayLike) -> np.ndarray:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1 or not len(scores):
        raise ValueError(f"{name} must hold one score a seed, shape (n,) with n of at least 1; got {scores.shape}")
    if np.isinf(scores).any():
        raise ValueError(f"{name} must be finite, or NaN where a score is undefined; got {scores.tolist()}")
    return scores


def _paired_moments(a: ArrayLike, b: ArrayLike) -> tuple[int, float, float]:
    """The number of seeds at which a and b are defined, and the mean and standard deviation of a - b over them."""
    if isinstance(a, pd.Series) != isinstance(b, pd.Series):
        raise ValueError("a and b must both be Series indexed by seed, or both be arrays in the same order of seeds")
    if isinstance(a, pd.Series) and isinstance(b, pd.Series):
        for name, series in (("a", a), ("b", b)):
            if not series.index.is_unique:
                twice = series.index[series.index.duplicated()].tolist()
                raise ValueError(f"{name} must have one score a seed; it has more than one for {twice}")
        common = a.index.intersection(b.index)
        if not len(common):
            raise ValueError(f"a and b have no seed in common: {a.index.tolist()} and {b.index.tolist()}")
        a, b = a.loc[common], b.loc[common]
    one, two = _scores("a", a), _scores("b", b)
    if len(one) != len(two):
        raise ValueError(
            f"a has {len(one)} scores and b {len(two)}: give one of each a seed, or two Series indexed by seed"
        )
    differences = one - two
    return _moments(differences[~np.isnan(differences)], _rounding(np.concatenate([one, two])))


def _rounding(scores: np.ndarray) -> float:
    """How far apart equal scores may lie because float64 is rounded, as 1.1 - 1 is not quite 0.1."""
    return 16 * np.finfo(np.float64).eps * float(np.max(np.abs(scores), initial=0, where=~np.isnan(scores)))


def _moments(values: np.ndarray, rounding: float) -> tuple[int, float, float]:
    """The number of values, their mean and standard deviation, of which rounding errors are made 0."""
    n = len(values)
    mean = float(values.mean()) if n else float("nan")
    sd = float("nan")
    if n > 1:
        sd = float(values.std(ddof=1)) if np.ptp(values) > rounding else 0.0
    return n, 0.0 if abs(mean) <= rounding else mean, sd


def _bounds(n: int, mean: float, sd: float, confidence: float) -> tuple[float, float]:
    if n < 2:
        return float("nan"), float("nan")
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * sd / np.sqrt(n)
    return mean - half, mean + half


def _lower_tail(n: int, estimate: float, sd: float) -> float:
    """P(T <= estimate / standard error) for Student's t with n - 1 degrees of freedom; its limit where sd is 0."""
    if n < 2:
        return float("nan")
    if sd == 0:
        return float(1 + np.sign(estimate)) / 2
    return float(stdtr(n - 1, estimate * np.sqrt(n) / sd))

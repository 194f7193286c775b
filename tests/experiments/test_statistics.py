"""Intervals and tests of scores equal scipy and hand computation; what cannot be tested says so."""

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from patlib.experiments.statistics import equivalent, holm, mean_interval, paired_difference

many = settings(derandomize=True, deadline=None, database=None, max_examples=60)
# Quarters add and subtract without rounding, so that properties hold exactly.
quarters = st.integers(-400, 400).map(lambda number: number / 4)
pairs = st.lists(st.tuples(quarters, quarters), min_size=2, max_size=6).map(np.array)
A, B = [30.1, 28.4, 33.0, 29.9, 31.2], [27.0, 27.9, 29.5, 28.8, 27.1]


def test_a_paired_difference_equals_scipy() -> None:
    found, expected = paired_difference(A, B), stats.ttest_rel(A, B)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-12)
    assert (found.n, found.mean) == (5, pytest.approx(2.46))
    assert found.sd == pytest.approx(np.std(np.subtract(A, B), ddof=1))


def test_a_paired_difference_of_three_seeds_by_hand() -> None:
    # d = 1, 2, 3: mean 2, sd 1; with 2 degrees of freedom P(T <= t) = 1/2 + t / (2 sqrt(2 + t^2)), here t^2 = 12.
    found = paired_difference([2, 4, 6], [1, 2, 3])
    assert found.p_value == pytest.approx(1 - math.sqrt(12 / 14))
    assert found.high - found.mean == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)


def test_pairing_sees_what_two_separate_intervals_do_not() -> None:
    a, b = np.array([20.0, 30, 40]), np.array([19.0, 28.9, 39.1])
    assert paired_difference(a, b).low > 0
    assert mean_interval(a).low < mean_interval(b).mean


@many
@given(pairs, quarters)
def test_differences_are_antisymmetric_and_do_not_see_a_shift(pair: np.ndarray, shift: float) -> None:
    a, b = pair.T
    one, other, moved = paired_difference(a, b), paired_difference(b, a), paired_difference(a + shift, b + shift)
    assert (one.mean, one.low, one.high) == (-other.mean, -other.high, -other.low)
    assert (one.sd, one.p_value) == (other.sd, other.p_value)
    assert one == moved


@many
@given(pairs)
def test_the_interval_leaves_out_zero_just_where_p_is_below_5_percent(pair: np.ndarray) -> None:
    found = paired_difference(*pair.T)
    assert (found.low > 0 or found.high < 0) == (found.p_value < 0.05)


def test_series_are_aligned_by_seed_and_only_common_seeds_count() -> None:
    a, b = pd.Series({0: 10.0, 1: 20.0, 3: 99.0}), pd.Series({1: 19.0, 0: 7.0, 2: 5.0})
    assert paired_difference(a, b) == paired_difference([10, 20], [7, 19])


def test_an_undefined_score_is_left_out_with_its_partner() -> None:
    nan = float("nan")
    assert paired_difference([1, nan, 3, 4], [0, 5, nan, 2]) == paired_difference([1, 4], [0, 2])
    assert mean_interval([1, nan, 3]) == mean_interval([1, 3])
    nothing = mean_interval([nan, nan])
    assert nothing.n == 0 and np.isnan([nothing.mean, nothing.sd, nothing.low, nothing.high]).all()


def test_one_seed_has_a_mean_and_no_interval() -> None:
    for found in (paired_difference([3], [1]), equivalent([3], [1], 5)):
        assert (found.n, found.mean) == (1, 2)
        assert np.isnan([found.sd, found.low, found.high, found.p_value]).all()
    assert not equivalent([3], [1], 5).is_equivalent


# 1.1 - 1, 1.2 - 1.1 and 1.3 - 1.2 differ from each other, and 0.1 + 0.2 from 0.3, by rounding alone.
@pytest.mark.parametrize(
    ("a", "b", "mean", "p"),
    [([1.1, 1.2, 1.3], [1, 1.1, 1.2], 0.1, 0), ([0.1 + 0.2] * 3, [0.3] * 3, 0, 1), ([0, 0], [0, 0], 0, 1)],
)
def test_equal_differences_have_a_point_for_an_interval(a: list, b: list, mean: float, p: float) -> None:
    found = paired_difference(a, b)
    assert (found.mean, found.sd, found.p_value) == (pytest.approx(mean), 0, p)
    assert found.low == found.mean == found.high


def test_estimates_print_themselves() -> None:
    assert str(paired_difference([0, 0, 0, 0, 0], [1, 2, 3, 4, 5])) == "-3.0 [-5.0, -1.0], n = 5"
    assert f"{paired_difference([1, 2, 3], [0, 0, 0]):+.2f}" == "+2.00 [-0.48, +4.48], n = 3"
    assert str(paired_difference([1.04, 1], [1.05, 1.03])) == "+0.0 [-0.1, +0.1], n = 2"
    assert str(equivalent([1, 2, 3], [0, 0, 0], 4)) == "+2.0 [+0.3, +3.7], n = 3"
    assert str(mean_interval([1, 2, 3])) == "2.0 [-0.5, 4.5], n = 3"
    assert str(mean_interval([31.25])) == "31.2, n = 1"


def test_a_mean_interval_equals_scipy() -> None:
    found = mean_interval(A)
    expected = stats.t.interval(0.95, len(A) - 1, np.mean(A), stats.sem(A))
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-12)
    assert (found.n, found.mean, found.sd) == (5, pytest.approx(30.52), pytest.approx(np.std(A, ddof=1)))


# d = 1, 2, 3, as above: t = (2 + margin) sqrt(3) and (2 - margin) sqrt(3), of which the second decides.
@pytest.mark.parametrize(("margin", "t"), [(4, 2 * math.sqrt(3)), (3, math.sqrt(3)), (1, -math.sqrt(3))])
@pytest.mark.parametrize("sign", [1, -1])
def test_equivalence_by_hand(margin: float, t: float, sign: int) -> None:
    found = equivalent(np.multiply(sign, [2, 4, 6]), np.multiply(sign, [1, 2, 3]), margin)
    assert found.p_value == pytest.approx(0.5 - t / (2 * math.sqrt(2 + t**2)))
    assert found.is_equivalent == (margin == 4)
    assert found.high - found.mean == pytest.approx(2.919986 / math.sqrt(3), rel=1e-6)
    assert (found.n, found.mean, found.sd, found.margin) == (3, 2 * sign, 1, margin)


@many
@given(pairs, st.integers(1, 400).map(lambda number: number / 8 + 1 / 16))
def test_equivalence_is_a_90_percent_interval_within_the_margin(pair: np.ndarray, margin: float) -> None:
    found, other = equivalent(*pair.T, margin), equivalent(*pair.T[::-1], margin)
    assert found.is_equivalent == (-margin < found.low and found.high < margin)
    assert other.p_value == pytest.approx(found.p_value)


def test_no_significance_is_no_equivalence() -> None:
    a, b = [30.0, 36.0, 24.0], [31.0, 31.0, 29.0]
    assert paired_difference(a, b).p_value > 0.05
    assert not equivalent(a, b, 1).is_equivalent


def test_holm_by_hand() -> None:
    # ascending: 4 x .005, 3 x .01, 2 x .03, then 1 x .04, which may not be below the one before
    adjusted = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert list(adjusted) == ["a", "b", "c", "d"]
    assert list(adjusted.values()) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm({"a": 0.7, "b": 0.9}) == {"a": 1, "b": 1}
    assert holm({}) == {}


def test_holm_does_not_count_what_was_not_tested() -> None:
    adjusted = holm({"a": 0.01, "one seed": float("nan"), "c": 0.02})
    assert (adjusted["a"], adjusted["c"]) == pytest.approx((0.02, 0.02)) and np.isnan(adjusted["one seed"])


@many
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_lies_between_p_and_bonferroni(values: list[float]) -> None:
    adjusted = holm(dict(enumerate(values)))
    order = np.argsort(values, kind="stable")
    assert (np.diff([adjusted[index] for index in order]) >= 0).all()
    assert all(p <= adjusted[name] <= min(1, len(values) * p) for name, p in enumerate(values))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: paired_difference([1, 2, 3], [1, 2]), "a has 3 scores and b 2"),
        (lambda: paired_difference([], []), r"a must hold one score a seed.*at least 1; got \(0,\)"),
        (lambda: paired_difference(pd.Series({0: 1.0}), pd.Series({1: 1.0})), r"no seed in common: \[0\] and \[1\]"),
        (lambda: paired_difference(pd.Series([1.0]), [1.0]), "both be Series"),
        (lambda: paired_difference(pd.Series([1.0, 2], index=[4, 4]), pd.Series([1.0])), r"more than one for \[4\]"),
        (lambda: paired_difference([[1.0]], [[1.0]]), r"got \(1, 1\)"),
        (lambda: paired_difference([1, 2], [1, float("inf")]), r"b must be finite.*\[1.0, inf\]"),
        (lambda: mean_interval([]), "values must hold one score"),
        (lambda: equivalent([1, 2], [1, 2], -1), "margin must be positive and finite.*got -1"),
        (lambda: equivalent([1, 2], [1, 2], 0), "margin must be positive"),
        (lambda: equivalent([1, 2], [1, 2], float("nan")), "margin must be positive"),
        (lambda: equivalent([1, 2], [1, 2], float("inf")), "margin must be positive"),
        (lambda: holm({"pat": 1.2}), "'pat' has 1.2"),
        (lambda: holm({"pat": -0.1}), r"lies in \[0, 1\]"),
    ],
)
def test_errors_name_what_was_given(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_neither_torch_nor_scipy_stats_is_imported() -> None:
    code = (
        "import sys, patlib.experiments.statistics; sys.exit(any(n in sys.modules for n in ('torch', 'scipy.stats')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

import numpy as np
import pytest

from patlib.experiments.estimates import BootstrapDifference, Equivalence, MeanInterval, PairedDifference


def test_a_mean_reads_with_its_interval_and_its_seeds():
    assert str(MeanInterval(n=5, mean=32.06, low=29.96, high=34.16, sd=2.0)) == "32.1 [30.0, 34.2], n = 5"


def test_a_difference_reads_with_its_sign_and_never_as_minus_zero():
    difference = PairedDifference(n=3, mean=-0.04, low=-1.26, high=1.18, sd=0.5, p_value=0.9)
    assert str(difference) == "+0.0 [-1.3, +1.2], n = 3"


def test_a_format_applies_to_each_number():
    resampled = BootstrapDifference(n=2, mean=1.0, low=0.5, high=1.25, samples=np.zeros(3))
    assert f"{resampled:.2f}" == "1.00 [0.50, 1.25], n = 2"


def test_without_an_interval_no_brackets_are_shown():
    nan = float("nan")
    assert str(MeanInterval(n=1, mean=32.06, low=nan, high=nan, sd=nan)) == "32.1, n = 1"


@pytest.mark.parametrize(("p_value", "equivalent"), [(0.049, True), (0.05, False), (float("nan"), False)])
def test_equivalence_is_shown_below_five_per_cent(p_value, equivalent):
    made = Equivalence(n=3, mean=0.1, low=-0.2, high=0.4, sd=0.1, p_value=p_value, margin=0.5)
    assert made.is_equivalent is equivalent

"""Which mean of a table is bold: that of a method which is clearly better than all others, seed by seed."""

import numpy as np
import pandas as pd
from scipy import stats

from patlib.experiments import tables


def scores_by_seed(**methods):
    """Pixel accuracies of methods, one a seed, as `run_scores` has them."""
    index = [(name, seed) for name, values in methods.items() for seed in range(len(values))]
    values = [value for values in methods.values() for value in values]
    return pd.DataFrame({"pixel_acc": values}, pd.MultiIndex.from_tuples(index, names=["level 0", "seed"]))


def test_a_winner_must_stand_after_holms_adjustment():
    a, b, c = (np.array(values) for values in ((10, 11, 12, 13), (8, 8, 11, 9), (9, 8, 11, 10)))
    p_values = [stats.ttest_rel(a, other).pvalue for other in (b, c)]
    assert 0.025 < min(p_values) and max(p_values) < 0.05  # two of them: the smaller must be below 0.025
    assert tables.clear_winner(scores_by_seed(a=a, b=b), "pixel_acc") == ("a",)
    assert tables.clear_winner(scores_by_seed(a=a, c=c), "pixel_acc") == ("a",)
    assert tables.clear_winner(scores_by_seed(a=a, b=b, c=c), "pixel_acc") is None


def test_a_winner_must_beat_every_other_method_on_the_seeds_that_all_have():
    assert tables.clear_winner(scores_by_seed(a=[5, 6, 7], b=[2, 3, 4.1], c=[1, 2, 3.1]), "pixel_acc") == ("a",)
    assert tables.clear_winner(scores_by_seed(a=[5, 6, 7], b=[2, 3, 4.1], c=[5, 6.1, 7]), "pixel_acc") is None
    # On the three common seeds b is the better one; a's fourth has nothing to be compared with.
    more = scores_by_seed(a=[2, 3, 4.1, 99], b=[5, 6, 7])
    assert tables.clear_winner(more, "pixel_acc") == ("b",)


def test_fewer_than_three_common_seeds_make_nothing_bold():
    assert tables.clear_winner(scores_by_seed(a=[5, 6], b=[2, 3]), "pixel_acc") is None  # p would be 0
    assert tables.clear_winner(scores_by_seed(a=[5, 6, 7], b=[2, 3, 4], c=[1, 2]), "pixel_acc") is None


def test_a_method_alone_is_no_winner():
    assert tables.clear_winner(scores_by_seed(a=[5, 6, 7]), "pixel_acc") is None

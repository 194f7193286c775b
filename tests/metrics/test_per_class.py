"""What a user of Lightning, pandas or Matplotlib takes from the metrics."""

import math

import matplotlib as mpl
import pandas as pd
import pytest
import torch

from patlib.metrics import SegmentationMetrics

TARGET = torch.tensor([[[0, 0, 0, 1], [0, 1, 1, 255]]])
LABELS = torch.tensor([[[0, 0, 1, 1], [0, 0, 1, 0]]])
"""Of four pixels of class 0 three are right, of three of class 1 two; class 2 never occurs."""


def filled(**options):
    metrics = SegmentationMetrics(3, **options)
    metrics.update(torch.nn.functional.one_hot(LABELS, 3).permute(0, 3, 1, 2).float(), TARGET)
    return metrics


def test_scalars_are_floats_under_the_names_of_compute():
    metrics = filled(class_pixels=[4, 3, 0])
    scalars = metrics.scalars()
    assert set(scalars) == set(metrics.compute()) - {"iou"}
    assert all(type(value) is float for value in scalars.values())
    assert scalars["pixel_acc"] == pytest.approx(5 / 7) and scalars["miou_head"] == pytest.approx(3 / 5)


def test_each_class_has_its_row_of_scores_and_pixels():
    frame = filled().per_class(["road", "sky", "pole"])
    expected = pd.DataFrame(
        {
            "IoU": [3 / 5, 2 / 4, math.nan],
            "Dice": [6 / 8, 4 / 6, math.nan],
            "precision": [3 / 4, 2 / 3, math.nan],
            "recall": [3 / 4, 2 / 3, math.nan],
            "pixels": [4, 3, 0],
        },
        index=pd.Index(["road", "sky", "pole"], name="class"),
    )
    pd.testing.assert_frame_equal(frame, expected)
    assert filled().per_class().index.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="give 3 class names, one a class; got 2"):
        filled().per_class(["road", "sky"])


def test_a_plot_shows_the_rows_as_shares_with_the_names_of_the_classes():
    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = filled().plot(labels=["road", "sky", "pole"])
    shown = axes.images[0].get_array()
    assert shown[:2].tolist() == [[0.75, 0.25, 0], [pytest.approx(1 / 3), pytest.approx(2 / 3), 0]]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["road", "sky", "pole"]
    assert {text.get_rotation() for text in axes.get_xticklabels()} == {90}
    other, own = plt.subplots()
    assert filled().plot(torch.eye(3), ax=own) == (other, own)
    assert own.images[0].get_array().tolist() == torch.eye(3).tolist()
    plt.close(figure), plt.close(other)


def test_scores_of_classes_are_drawn_as_bars_and_other_shapes_are_refused():
    mpl.use("agg")
    import matplotlib.pyplot as plt

    metrics = filled()
    figure, axes = metrics.plot(metrics.compute()["iou"], labels=["road", "sky", "pole"])
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([3 / 5, 2 / 4, math.nan], nan_ok=True)
    assert [text.get_text() for text in axes.get_yticklabels()] == ["road", "sky", "pole"]
    plt.close(figure)
    with pytest.raises(ValueError, match=r"matrix \(3, 3\) or scores \(3,\), got \(2,\)"):
        metrics.plot(torch.zeros(2))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_logits_that_are_not_finite_make_every_score_nan(bad):
    metrics = filled()
    logits = torch.zeros(1, 3, 2, 4)
    logits[0, 1, 1, 3] = bad  # at the pixel that is ignored
    metrics.update(logits, TARGET)
    assert all(math.isfinite(value) for value in metrics.scalars().values())
    logits[0, 1, 0, 0] = bad
    metrics.update(logits, TARGET)
    scores = metrics.compute()
    assert scores["iou"].isnan().all() and all(math.isnan(value) for value in metrics.scalars().values())
    assert metrics.per_class().drop(columns="pixels").isna().all(axis=None)


def test_small_batches_after_a_large_sum_are_not_lost():
    metrics = SegmentationMetrics(2)
    metrics.update(torch.tensor([1e7, 0.0]).view(1, 2, 1, 1), torch.ones(1, 1, 1).long())
    for _ in range(1000):
        metrics.update(torch.zeros(1, 2, 1, 1), torch.ones(1, 1, 1).long())
    assert metrics.scalars()["cross_entropy"] == pytest.approx((1e7 + 1000 * math.log(2)) / 1001, rel=1e-9)

"""Scores of confusion matrices equal the library's metrics; the bootstrap has the standard errors it should have."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from patlib.experiments.statistics import block_bootstrap, class_scores, paired_difference
from patlib.metrics import confusion_scores

PIXELS = 100_000


def accuracy(confusions: np.ndarray) -> np.ndarray:
    """Per cent. Over images of one size it is the mean of the images' accuracies, so its standard error is known."""
    return 100 * class_scores(confusions)["pixel_acc"]


def images_of(accuracies: np.ndarray) -> np.ndarray:
    """Confusion matrices (n, M, 2, 2) of images whose pixels all belong to class 0, from per cent (n, M)."""
    right = np.rint(np.asarray(accuracies) * PIXELS / 100).astype(int)
    return np.stack([np.stack([right, PIXELS - right], -1), np.zeros((*right.shape, 2), int)], -2)


def bootstrap(differences: np.ndarray, blocks: int, **options):
    """Of two methods whose accuracies differ by ``differences`` (n, M) about 50 %."""
    differences = np.asarray(differences)
    return block_bootstrap(
        images_of(50 + differences / 2), images_of(50 - differences / 2), accuracy, blocks, **options
    )


@settings(derandomize=True, deadline=None, database=None, max_examples=30)
@given(st.integers(0, 2**31), st.integers(1, 6))
def test_class_scores_equal_the_metrics_of_a_run(seed: int, num_classes: int) -> None:
    generator = np.random.default_rng(seed)
    confusions = generator.integers(0, 50, (2, 3, num_classes, num_classes)) * generator.integers(0, 2, (2, 3, 1, 1))
    confusions[..., -1, :] = 0  # never occurs, and where it is not predicted either it has no IoU
    confusions[0, ..., -1] = 0
    found = class_scores(confusions)
    for place in np.ndindex(2, 3):
        expected = confusion_scores(torch.tensor(confusions[place]))
        for name, theirs in {"iou": "iou", "miou": "miou", "pixel_acc": "pixel_acc", "mean_recall": "mean_acc"}.items():
            np.testing.assert_allclose(found[name][place], expected[theirs], rtol=1e-12)
        dice = found["dice"][place]
        np.testing.assert_allclose(dice, 2 * found["iou"][place] / (1 + found["iou"][place]), rtol=1e-12)


def test_class_scores_by_hand() -> None:
    found = class_scores([[[6, 2, 0], [1, 3, 0], [0, 0, 0]]])
    nan = float("nan")
    expected = {
        "iou": [[6 / 9, 3 / 6, nan]],
        "dice": [[12 / 15, 6 / 9, nan]],
        "precision": [[6 / 7, 3 / 5, nan]],
        "recall": [[6 / 8, 3 / 4, nan]],
        "miou": [(6 / 9 + 3 / 6) / 2],
        "pixel_acc": [9 / 12],
        "mean_recall": [0.75],
    }
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].dtype == np.float64
        np.testing.assert_allclose(found[name], values, err_msg=name)


def test_precision_is_undefined_for_a_class_that_is_never_predicted_and_its_iou_is_0() -> None:
    found = class_scores([[5, 0], [5, 0]])
    assert np.isnan(found["precision"][1]) and found["iou"][1] == found["recall"][1] == 0
    assert found["miou"] == 0.25


def test_independent_images_have_the_analytic_standard_error() -> None:
    differences = np.random.default_rng(0).normal(3, 4, (1, 200))
    found = bootstrap(differences, blocks=1)
    error = differences.std() / np.sqrt(200)
    assert found.mean == pytest.approx(differences.mean(), abs=0.01)
    assert found.samples.shape == (2000,)
    assert found.samples.mean() == pytest.approx(found.mean, abs=3 * error / np.sqrt(2000))
    assert found.samples.std() == pytest.approx(error, rel=0.05)
    assert (found.low, found.high) == pytest.approx((found.mean - 1.96 * error, found.mean + 1.96 * error), abs=0.04)
    assert str(found) == f"{found.mean:+.1f} [{found.low:+.1f}, {found.high:+.1f}], n = 1"


def test_blocks_of_one_frame_are_too_narrow_where_frames_are_alike() -> None:
    # 40 scenes of 10 frames each: as much evidence as 40 frames, so the standard error is that of 40 numbers.
    scenes = np.random.default_rng(0).normal(0, 4, 40)
    differences = np.repeat(scenes, 10)[None]
    error = scenes.std() / np.sqrt(40)
    frames, blocks = bootstrap(differences, blocks=1), bootstrap(differences, blocks=40)
    assert frames.samples.std() == pytest.approx(error / np.sqrt(10), rel=0.05)
    assert 0.8 < blocks.samples.std() / error < 1.2
    # What circular blocks give exactly: the spread of the 400 possible blocks, of which a resample has 10.
    around = np.concatenate([differences[0], differences[0, :39]])
    of_blocks = np.convolve(around, np.full(40, 1 / 40), mode="valid")
    assert blocks.samples.std() == pytest.approx(of_blocks.std() / np.sqrt(10), rel=0.05)


def test_every_frame_is_drawn_equally_often_at_the_ends_too() -> None:
    differences = np.zeros((1, 50))
    differences[0, 0] = 50  # blocks that have to end inside would hold the first frame in 1 of 41 starts, not 10 of 50
    found = bootstrap(differences, blocks=10)
    assert found.samples.mean() == pytest.approx(1, abs=0.05)
    cut = bootstrap(differences, blocks=20)  # two blocks and half a third
    assert cut.samples.mean() == pytest.approx(1, abs=0.08)


def test_drives_keep_their_frames_and_no_block_crosses_from_one_to_the_other() -> None:
    differences = np.array([[0.0] * 12 + [10.0] * 30])
    drives = ["0001TP"] * 12 + ["Seq05VD"] * 30
    for blocks in (1, 5):  # blocks of 5 do not fill 12 frames evenly
        found = bootstrap(differences, blocks, drives=drives)
        np.testing.assert_allclose(found.samples, found.mean)
    assert np.ptp(bootstrap(differences, blocks=5).samples) > 1


def test_seeds_alone_have_the_standard_error_of_the_t_interval() -> None:
    by_seed = np.array([[1.0], [3.0], [2.0], [7.0]])
    found = bootstrap(np.repeat(by_seed, 6, axis=1), blocks=2)
    paired = paired_difference(by_seed[:, 0], np.zeros(4))
    assert found.n == 4 and found.mean == pytest.approx(paired.mean)
    assert found.samples.std() == pytest.approx(paired.sd / np.sqrt(4), rel=0.05)


def test_pairing_by_seed_and_image_is_kept() -> None:
    generator = np.random.default_rng(0)
    difficulty = np.rint(generator.uniform(20, 80, (3, 40)))
    found = block_bootstrap(images_of(difficulty + 2), images_of(difficulty), accuracy, 5)
    np.testing.assert_allclose(found.samples, 2, atol=1e-9)


def test_all_seeds_see_the_same_drawn_images() -> None:
    # One image decides, in the same way for every seed: more seeds make that no more certain.
    differences = np.zeros((5, 20))
    differences[:, 3] = 40
    assert bootstrap(differences, 1).samples.std() == pytest.approx(differences[0].std() / np.sqrt(20), rel=0.05)


def test_matrices_are_summed_before_they_are_scored() -> None:
    generator = np.random.default_rng(0)
    true = generator.integers(1, 40, (8, 3))
    a, b = (
        np.array([[[generator.multinomial(t, [1 / 3] * 3) for t in row] for row in true] for _ in range(2)])
        for _ in range(2)
    )
    found = block_bootstrap(a, b, lambda sums: class_scores(sums)["miou"], 2, samples=5)
    of_sums = [class_scores(images.sum(1))["miou"] for images in (a, b)]
    assert found.mean == pytest.approx((of_sums[0] - of_sums[1]).mean())


def test_a_seed_repeats_the_resamples_and_another_does_not() -> None:
    differences = np.random.default_rng(0).normal(0, 4, (3, 20))
    one, again, other = (bootstrap(differences, 2, samples=50, seed=seed) for seed in (1, 1, 2))
    assert (one.samples == again.samples).all() and (one.samples != other.samples).any()


def test_a_resample_without_a_score_leaves_no_interval() -> None:
    images = images_of(np.full((1, 4), 50.0))
    images[0, 0, 1, 1] = 7  # only one image has class 1, and some resamples lack it
    found = block_bootstrap(images, images, lambda sums: class_scores(sums)["recall"][..., 1], 1)
    assert found.mean == 0 and np.isnan([found.low, found.high]).all() and str(found) == "+0.0, n = 1"


GOOD = images_of(np.full((2, 6), 50.0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: class_scores(np.ones((2, 3), int)), r"square matrices .*got \(2, 3\)"),
        (lambda: class_scores(np.ones((2, 2))), "integer type; got float64"),
        (lambda: class_scores([[1, -2], [0, 1]]), "not negative; got -2"),
        (lambda: block_bootstrap(GOOD, -GOOD, accuracy, 1), "images_b .*not negative"),
        (lambda: block_bootstrap(GOOD, GOOD[:1], accuracy, 1), r"one shape.*\(2, 6, 2, 2\) and \(1, 6, 2, 2\)"),
        (lambda: block_bootstrap(GOOD[0], GOOD[0], accuracy, 1), "one shape"),
        (lambda: block_bootstrap(GOOD[:, :0], GOOD[:, :0], accuracy, 1), "not empty"),
        (lambda: block_bootstrap(GOOD, GOOD, accuracy, 0), "half the shortest drive .6 frames.*got 0"),
        (lambda: block_bootstrap(GOOD, GOOD, accuracy, 4), "half the shortest drive .6 frames.*got 4"),
        (lambda: block_bootstrap(GOOD, GOOD, accuracy, 2, [1, 1, 1, 2, 2, 2]), "shortest drive .3 frames"),
        (lambda: block_bootstrap(GOOD, GOOD, accuracy, 1.5), "whole number of frames.*got 1.5"),
        (lambda: block_bootstrap(GOOD, GOOD, accuracy, 1, [1, 2]), r"each of the 6 images; got shape \(2,\)"),
        (lambda: block_bootstrap(GOOD, GOOD, accuracy, 1, samples=0), "samples must be at least 1, got 0"),
        (lambda: block_bootstrap(GOOD, GOOD, lambda sums: sums.sum(), 1), r"one number a matrix, shape \(1, 2\)"),
    ],
)
def test_errors_name_what_was_given(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_images_in_another_order_are_noticed() -> None:
    images = GOOD.copy()
    images[:, 4, 0, 0] += 1
    with pytest.raises(ValueError, match="image 2 has different true pixels"):
        block_bootstrap(images, images[:, [0, 1, 4, 3, 2, 5]], accuracy, 1)
    images[1, 4, 0, 0] += 1
    with pytest.raises(ValueError, match=r"image 4 .*from seed to seed"):
        block_bootstrap(images, images, accuracy, 1)

"""Confusion matrices of several runs: scores of each class, and a bootstrap over seeds and test images.

Shapes: n seeds, M images, L classes; a confusion matrix (L,L) has true classes as rows and predicted as columns.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from patlib.experiments.estimates import BootstrapDifference


def class_scores(confusions: ArrayLike) -> dict[str, np.ndarray]:
    r"""Scores of confusion matrices (..., L, L), as fractions in [0, 1] and float64.

    With true positives TP, false positives FP and false negatives FN of a class:

    .. math:: IoU=\frac{TP}{TP+FP+FN},\quad Dice=\frac{2TP}{2TP+FP+FN} \\
              precision=\frac{TP}{TP+FP},\quad recall=\frac{TP}{TP+FN}

    ``iou``, ``dice``, ``precision`` and ``recall`` have shape (..., L), with NaN where the denominator is 0. ``miou``
    and ``mean_recall`` (...) are means over the classes for which the fraction is defined, and ``pixel_acc`` (...) is
    the share of pixels that are right; NaN for a matrix of zeros. ``miou``, ``iou``, ``pixel_acc`` and
    ``mean_recall`` (there ``mean_acc``) equal those of :func:`patlib.metrics.confusion_scores`.

    Raises ValueError for matrices that are not square, not of an integer type, or negative somewhere.
    """
    counts = _counts("confusions", confusions).astype(np.float64)
    hits, true, predicted = np.einsum("...ll->...l", counts), counts.sum(-1), counts.sum(-2)
    iou, recall = _ratio(hits, true + predicted - hits), _ratio(hits, true)
    return {
        "iou": iou,
        "dice": _ratio(2 * hits, true + predicted),
        "precision": _ratio(hits, predicted),
        "recall": recall,
        "miou": _mean_of_defined(iou),
        "pixel_acc": _ratio(hits.sum(-1), true.sum(-1)),
        "mean_recall": _mean_of_defined(recall),
    }


def block_bootstrap(
    images_a: ArrayLike,
    images_b: ArrayLike,
    score: Callable[[np.ndarray], np.ndarray],
    blocks: int,
    drives: ArrayLike | None = None,
    samples: int = 2000,
    seed: int = 0,
) -> BootstrapDifference:
    r"""Difference a - b of a score of the whole test set, with an interval that covers seeds and test images together.

    ``images_a`` and ``images_b`` (n, M, L, L) hold the confusion matrix of each image, for the same seeds and the same
    M images in the order in which they were filmed. ``score`` maps confusion matrices (..., L, L) to scores (...), for
    instance ``lambda sums: 100 * class_scores(sums)["miou"]``. In each resample seeds and images are drawn, and a run's
    matrices are summed over the drawn images, scored, and the differences averaged over the drawn seeds. Both
    methods are given the same draws, so the pairing by seed and by image is kept, and all seeds are given the same
    images, as they have been in the experiment: a and b of one image share its difficulty.

    Images: frames of a video resemble their neighbours, so frames drawn one by one would pass for more evidence than
    they are. Blocks of ``blocks`` consecutive frames are drawn with replacement, until there are as many frames as
    before; the last block is cut short. A block should last longer than frames remain alike: try several lengths and
    report one from which on the interval no longer widens (1 is right for independent images). With few blocks the
    interval remains somewhat too narrow: with frames alike for 12 s, drives of 62 and 171 s and blocks of 20 s, a
    simulation with one frame a second found 82 of 100 intervals to hold the true difference, and 41 with blocks of 1 s.

    Blocks are circular: one that reaches the end goes on at the beginning. Every frame is then drawn equally often;
    with blocks that have to end inside, the first and last frames would seldom be drawn, and the resampled scores would
    not centre on the observed one. ``drives`` (M,), any labels, names the drive of each frame: blocks are then cut
    within a drive, and a drive keeps its number of frames. CamVid's test split is two drives, of 62 and 171 frames a
    second apart; their names begin with "0001TP" and "Seq05VD". Whole drives are not drawn, because two say too little
    about how drives differ: the interval is about more footage of these drives, and not about other ones.

    Seeds: n - 1 of the n are drawn with replacement, which makes the variance of the drawn mean equal :math:`s^2/n`;
    n draws would give :math:`(n-1)/n` of that variance (Rao and Wu 1988). The interval still lacks the wider tails that
    Student's t has for few seeds, so :func:`paired_difference` belongs beside it. With one seed it covers images only.

    The result has the ``mean`` difference of the scores as observed, the 2.5 and 97.5 percentiles of the resampled
    ones, and these ``samples``. A resample in which the score is NaN makes the bounds NaN, because leaving it out would
    leave out the resamples without a rare class.

    Raises ValueError for arrays that are not (n, M, L, L) counts of the same shape, matrices of one image whose true
    pixels differ (the images are then not the same), drives that are not (M,), a block that is not a whole number of
    frames from 1 to half a drive (a longer one repeats the same frames), fewer than 1 sample, and a score that does not
    return one number a matrix.

    Sources: H. R. Künsch, Annals of Statistics 17, 1989 (moving blocks); D. N. Politis and J. P. Romano, in Exploring
    the Limits of Bootstrap, 1992 (circular ones); A. B. Owen, Annals of Applied Statistics 1, 2007 (two factors drawn
    independently); J. N. K. Rao and C. F. J. Wu, J. American Statistical Association 83, 1988.
    """
    both = [_counts("images_a", images_a), _counts("images_b", images_b)]
    if both[0].ndim != 4 or both[0].shape != both[1].shape or 0 in both[0].shape:
        shapes = " and ".join(str(images.shape) for images in both)
        raise ValueError(f"images_a and images_b must have one shape (seeds, images, L, L), not empty; got {shapes}")
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
    n, num_images = both[0].shape[:2]
    true_pixels = [images.sum(-1) for images in both]
    differs = np.any([pixels != true_pixels[0][0] for pixels in true_pixels], axis=(0, 1, 3))
    if differs.any():
        raise ValueError(
            f"image {differs.argmax()} has different true pixels in images_a and images_b or from seed to seed: "
            "give the same test images in the same order throughout"
        )
    generator = np.random.default_rng(seed)
    drawn_images = _draw_blocks(generator, _by_drive(drives, num_images), blocks, samples)
    draws = max(n - 1, 1)
    drawn_seeds = generator.multinomial(draws, np.full(n, 1 / n), size=samples)
    everything = np.ones((1, num_images))
    observed, resampled = (
        np.subtract(*(_scored(images, counts, score) for images in both)) for counts in (everything, drawn_images)
    )
    differences = (resampled * drawn_seeds).sum(-1) / draws
    low, high = np.percentile(differences, [2.5, 97.5])
    return BootstrapDifference(n=n, mean=float(observed.mean()), low=float(low), high=float(high), samples=differences)


def _counts(name: str, confusions: ArrayLike) -> np.ndarray:
    counts = np.asarray(confusions)
    if counts.ndim < 2 or counts.shape[-1] != counts.shape[-2]:
        raise ValueError(
            f"{name} must be square matrices (..., L, L), rows true and columns predicted; got {counts.shape}"
        )
    if not np.issubdtype(counts.dtype, np.integer):
        raise ValueError(f"{name} must hold pixel counts of an integer type; got {counts.dtype}")
    if counts.size and counts.min() < 0:
        raise ValueError(f"{name} must hold pixel counts, which are not negative; got {counts.min()}")
    return counts


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The quotient part / whole, NaN where whole is 0."""
    ratio: np.ndarray = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole != 0)
    return ratio


def _mean_of_defined(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis without its NaN; NaN, and no warning as from np.nanmean, if there is nothing else."""
    return _ratio(np.nansum(values, axis=-1), (~np.isnan(values)).sum(-1))


def _by_drive(drives: ArrayLike | None, num_images: int) -> list[np.ndarray]:
    """Indices of the images of each drive, in the order of the images; one drive if none is named."""
    labels = np.zeros(num_images, dtype=int) if drives is None else np.asarray(drives)
    if labels.shape != (num_images,):
        raise ValueError(f"drives must name the drive of each of the {num_images} images; got shape {labels.shape}")
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def _draw_blocks(generator: np.random.Generator, drives: list[np.ndarray], length: int, samples: int) -> np.ndarray:
    """How often each image is drawn in each resample, (samples, M): circular blocks within each drive."""
    shortest = min(len(frames) for frames in drives)
    if not isinstance(length, int | np.integer) or not 1 <= length <= shortest / 2:
        raise ValueError(
            f"blocks must be a whole number of frames, at least 1 and at most half the shortest drive ({shortest} "
            f"frames), so that a resample has two blocks of it; got {length!r}"
        )
    num_images = sum(len(frames) for frames in drives)
    rows, counts = num_images * np.arange(samples)[:, None], np.zeros(samples * num_images, dtype=np.int64)
    for frames in drives:
        size = len(frames)
        starts = generator.integers(size, size=(samples, -(-size // length), 1))
        drawn = ((starts + np.arange(length)) % size).reshape(samples, -1)[:, :size]
        counts += np.bincount((rows + frames[drawn]).ravel(), minlength=counts.size)
    return counts.reshape(samples, num_images)


def _scored(images: np.ndarray, counts: np.ndarray, score: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Scores (samples, n) of each run's matrices, summed over the images as often as each was drawn."""
    n, num_images, num_classes, _ = images.shape
    flat = images.reshape(n, num_images, -1).transpose(1, 0, 2).reshape(num_images, -1)
    # In float64 the product runs in BLAS, which has none for integers; sums below 2^53 pixels are exact in it.
    sums = (counts.astype(np.float64) @ flat.astype(np.float64)).astype(np.int64)
    scores = np.asarray(score(sums.reshape(len(counts), n, num_classes, num_classes)))
    if scores.shape != (len(counts), n):
        raise ValueError(f"score must return one number a matrix, shape {(len(counts), n)}; got {scores.shape}")
    return scores

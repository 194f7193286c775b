"""Calibration: whether a network is right as often as its probabilities say."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from patlib.metrics.checks import MOST_CLASSES, is_logits, shapes
from patlib.metrics.drawing import draw_reliability
from patlib.tensors import check_classes, check_labels

UNIT = 2.0**30
"""Probabilities are summed as whole multiples of 1/UNIT, so that a sum over any number of pixels loses nothing."""


class CalibrationError(Metric):
    r"""Expected calibration error of the predicted class, and that of every class, over a whole split.

    A pixel's confidence is the probability of its most probable class. Pixels are sorted into ``bins`` B of equal width
    by confidence, bin b holding those in :math:`[b/B, (b+1)/B)` and the last one 1 as well. With :math:`n_b` pixels of
    M in bin b, the share :math:`a_b` of them that is right, and their mean confidence :math:`q_b`,

    .. math:: ECE=\sum_b\frac{n_b}{M}\,|a_b-q_b|

    (Naeini et al. 2015; Guo et al. 2017). The class-wise error of class c does the same for all pixels by the
    probability of c, where :math:`a_b` is the share that truly is c. Its mean over the classes is the static
    calibration error of Nixon et al. (2019). The two differ on a long tail: a network that gives rare classes too
    little probability everywhere can have a small ECE, because rare classes are seldom the most probable one.

    What is kept has one number a class and bin, on the metric's device, whatever the number of pixels, and torchmetrics
    sums it over processes. ``update`` never reads it back. Raises ValueError for fewer than two classes, for an
    ``ignore_index`` that is one of them, and for less than one bin. The chapter ``notebooks/09_the_metrics.md`` builds
    it.

    Example:
        >>> import torch
        >>> from patlib.metrics import CalibrationError
        >>> calibration = CalibrationError(num_classes=2)
        >>> probability = torch.tensor([0.9, 0.9, 0.9, 0.6])  # of class 0, at four pixels
        >>> logits = torch.stack([probability, 1 - probability]).log().view(1, 2, 2, 2)
        >>> calibration.update(logits, torch.tensor([[[0, 0], [1, 0]]]))
        >>> print(f"{calibration.compute()['ece']:.3f}")  # 3/4 |2/3 - 0.9| + 1/4 |1 - 0.6|
        0.275
    """

    full_state_update = False
    higher_is_better = False
    pixels: Tensor
    hits: Tensor
    probability: Tensor
    not_finite: Tensor

    def __init__(self, num_classes: int, ignore_index: int = 255, bins: int = 15) -> None:
        super().__init__()
        num_classes, ignore_index = check_classes(num_classes, ignore_index, MOST_CLASSES)
        if not isinstance(bins, int) or bins < 1:
            raise ValueError(f"bins must be an integer of at least 1, got {bins!r}")
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.bins = bins
        # Row 0 is that of the predicted class, row 1 + c that of class c.
        for state in ("pixels", "hits", "probability"):
            zeros = torch.zeros(1 + num_classes, bins, dtype=torch.int64)
            self.add_state(state, zeros, dist_reduce_fx="sum")
        self.add_state("not_finite", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, logits: Tensor, target: Tensor) -> None:
        """Add a batch: logits (N,L,H,W) and true labels (N,H,W); volumes and points likewise.

        Raises TypeError for what is no tensor; and ValueError for predicted labels, which have no confidence, for
        target labels that are not of an integer type, for shapes that do not fit and, on the CPU, for a label that is
        neither a class nor ``ignore_index``.
        """
        if not is_logits(logits, target) or logits.shape != (len(target), self.num_classes, *target.shape[1:]):
            raise ValueError(
                f"expected logits (N, {self.num_classes}, H, W) with a target (N, H, W); " + shapes(logits, target)
            )
        target = target.long()
        valid = target != self.ignore_index
        truth = target.masked_fill(~valid, 0)
        check_labels("target label", truth, self.num_classes, self.ignore_index)
        p = logits.detach().float().softmax(1)
        self.not_finite += (p.isnan().any(1) & valid).sum()
        confidence, predicted = p.nan_to_num(0).max(1)
        self._count(0, confidence, predicted == truth, valid)
        for label in range(self.num_classes):  # one (N,H,W) at a time
            self._count(1 + label, p[:, label].nan_to_num(0), truth == label, valid)

    def _count(self, row: int, probability: Tensor, hit: Tensor, valid: Tensor) -> None:
        # Ignored pixels add 0, so that every shape is static and a GPU need not wait for one.
        places = (probability * self.bins).long().clamp_max(self.bins - 1).flatten()
        of_pixel = valid.flatten().long()
        self.pixels[row].scatter_add_(0, places, of_pixel)
        self.hits[row].scatter_add_(0, places, of_pixel * hit.flatten())
        self.probability[row].scatter_add_(0, places, of_pixel * (probability * UNIT).round().long().flatten())

    def compute(self) -> dict[str, Tensor]:
        """``ece``, ``classwise_ece`` (the mean over classes) and ``ece_of_class`` (L,): fractions in [0, 1].

        NaN if nothing was seen, or if a labelled pixel's logits were NaN or plus infinity.
        """
        pixels, hits, probability = self._sums()
        error = (hits - probability).abs().sum(1) / pixels[0].sum()
        return {"ece": error[0], "classwise_ece": error[1:].mean(), "ece_of_class": error[1:]}

    def scalars(self) -> dict[str, float]:
        """``ece`` and ``classwise_ece`` as floats: what Lightning's ``log_dict`` and a log file take."""
        return {name: float(value) for name, value in self.compute().items() if value.ndim == 0}

    def plot(self, val: None = None, ax: Any = None) -> tuple[Any, Any]:
        """Draw accuracy against confidence, a point for each bin that has pixels; returns the figure and its axes.

        It is drawn on the Matplotlib axes ``ax`` if they are given, and otherwise on a new figure. ``val`` stands in
        the signature because torchmetrics calls it first; there is nothing else to be drawn. Needs Matplotlib.
        """
        with self.sync_context():
            pixels, hits, probability = (sums[0].cpu() for sums in self._sums())
        return draw_reliability(probability / pixels, hits / pixels, ax)

    def _sums(self) -> tuple[Tensor, Tensor, Tensor]:
        """Pixels, hits and summed probability of each row and bin (1+L,B), in float64 where the device has it.

        The hits are NaN if a labelled pixel's logits were not finite.
        """
        dtype = torch.float32 if self.pixels.device.type == "mps" else torch.float64
        hits = self.hits.to(dtype).masked_fill(self.not_finite > 0, torch.nan)
        return self.pixels.to(dtype), hits, self.probability.to(dtype) / UNIT

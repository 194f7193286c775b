r"""What the code that the PAT paper names computes where it differs from the papers it follows. For comparison only.

The code is KhoiDOO/ibla at commit 20c21d1, named by version 4 of the paper; the authors may have used other code for
their tables. The functions below restate its formulas, in this library's conventions; :mod:`patlib.paper.deviations`
sets each beside the paper and beside patlib, with a check that can fail.

Shapes: N images, L classes, H x W pixels; logits (N,L,H,W), target (N,H,W) integer labels. The released code has no
label to ignore, so every label must be a class, and :func:`void_as_class` makes a class of void as that code does.
:math:`m_c` counts the pixels of class c in the *batch*, M = NHW all of them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from patlib.metrics import ReleasedMeanIoU


def released_miou(batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """The released code's mIoU over (predictions, target) batches: see :class:`~patlib.metrics.ReleasedMeanIoU`.

    Predictions are labels (N,H,W) or logits. ``zip(predictions.split(8), target.split(8))`` makes batches of 8.
    """
    metric = ReleasedMeanIoU()
    for predictions, target in batches:
        metric.update(predictions, target)
    return float(metric.compute())


def released_balanced_softmax(logits: Tensor, target: Tensor) -> Tensor:
    r"""Mean cross-entropy of :math:`e^{x^c} m_c`. Balanced softmax (Ren et al. 2020) has :math:`x^c+\log n_c`."""
    counts = batch_pixels(target, logits.shape[1]).to(logits.dtype)
    return F.cross_entropy(logits.exp() * counts.view(1, -1, 1, 1), target)


def released_ldam_margins(target: Tensor, num_classes: int, max_margin: float = 0.5) -> Tensor:
    r"""Margins (L,) of LDAM from the batch: :math:`\Delta_c\propto(m_c+10^{-4})^{-1/4}`, the largest ``max_margin``.

    Cao et al. (2019) count pixels in the training set. Where only a batch is counted, a class that is absent from it
    has by far the largest margin.
    """
    margins = (batch_pixels(target, num_classes).double() + 1e-4) ** -0.25
    return margins * (max_margin / margins.max())


def released_blv_variation(target: Tensor, num_classes: int) -> Tensor:
    r"""Scale (L,) of BLV's noise from the batch: :math:`f_c/\max f` with :math:`f_c=\log(m_c+10^{-4})`.

    Wang et al. (2023) have :math:`f_c=\log\sum n-\log n_c`, which is largest for the rarest class.
    """
    scale = (batch_pixels(target, num_classes).double() + 1e-4).log()
    return scale / scale.max()


def released_pat_weight(p: Tensor, exponent: float = 1.0) -> Tensor:
    r"""Weight :math:`\frac12 e^{c(1-p)}` of a pixel with true-class probability p, where c is ``exponent``.

    Eq. 5 of the PAT paper has :math:`e^{(1-p-\epsilon)/T}`, and Eq. 4 divides it by the mask size.
    """
    return 0.5 * torch.exp(exponent * (1 - p))


def released_pat(logits: Tensor, target: Tensor, tau: float = 1.0, exponent: float = 1.0) -> Tensor:
    r"""The released loss nearest to PAT: :math:`\frac1{NLHW}\sum_{ij}\frac12e^{c(1-q_y)}(-\log q_y)`.

    Here :math:`q=\mathrm{softmax}(x/\tau)`: the temperature divides the logits. The exponent c is 1 in the loss called
    ``inap`` and L in ``ina``. The gradient flows through the weight; no mask size and no :math:`\epsilon` occur.
    """
    nll = F.cross_entropy(logits / tau, target, reduction="none")
    return (released_pat_weight(torch.exp(-nll), exponent) * nll).mean() / logits.shape[1]


def released_cb(logits: Tensor, target: Tensor) -> Tensor:
    r"""Class-balanced cross-entropy with :math:`w_c=\frac{1-\beta}{1-\beta^{m_c}+10^{-6}}`, :math:`\beta=(M-1)/M`.

    The sum is divided by M. Cui et al. (2019) count the training set and rescale the weights to sum to L.
    """
    beta = (target.numel() - 1) / target.numel()
    counts = batch_pixels(target, logits.shape[1]).double()
    weights = ((1 - beta) / (1 - beta**counts + 1e-6)).to(logits.dtype)
    return (weights[target] * F.cross_entropy(logits, target, reduction="none")).mean()


def released_focal(logits: Tensor, target: Tensor, gamma: float = 2.0) -> Tensor:
    r"""Focal loss averaged over N, L, H and W: :math:`\frac1{NLHW}\sum_{ij}(1-p_y)^\gamma(-\log p_y)`."""
    nll = F.cross_entropy(logits, target, reduction="none")
    return ((1 - torch.exp(-nll)) ** gamma * nll).mean() / logits.shape[1]


def bilinear_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A label mask (H,W) uint8 resized to ``size`` = (H', W') as if its ids were brightness."""
    return np.array(Image.fromarray(mask).resize(size[::-1], Image.Resampling.BILINEAR))


def void_as_class(target: Tensor, num_classes: int, ignore_index: int = 255, first: bool = False) -> Tensor:
    """Labels in which void is one more class: the last, as the released code has it for Cityscapes, or the first.

    With ``first``, as for NYUv2, void is class 0 and every other class moves up by one.
    """
    void = target == ignore_index
    return (target + 1).masked_fill(void, 0) if first else target.masked_fill(void, num_classes)


def batch_pixels(target: Tensor, num_classes: int) -> Tensor:
    """Pixels of each class in the batch, (L,) int64."""
    return torch.bincount(target.flatten(), minlength=num_classes)

"""Losses that know the class frequencies of the training set: CB, CBFocal, BMS and LDAM."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor

from patlib.losses.base import PixelLoss, compute_dtype, per_class
from patlib.losses.checks import ClassPixels, check_number, check_strength
from patlib.losses.counting import value_of_label
from patlib.losses.pixelwise import focal_factor

BETA = "Of the effective number of pixels, in [0, 1); (N - 1)/N of all N training pixels if not given."


class ClassBalanced(PixelLoss):
    r"""Class-balanced cross-entropy (Cui et al. 2019): :math:`\frac1M\sum_{ij} w_y\,(-\log p_{ij}^y)`.

    The weights are :math:`w_c=\frac{1-\beta}{1-\beta^{n_c}}`, rescaled so that :math:`\sum_c w_c=L`. As in the authors'
    softmax code the sum is divided by M valid pixels, not by the sum of their weights, as PyTorch's ``weight=`` has it.
    With ``reduction`` "none" a pixel costs :math:`w_y(-\log p)`, and "sum" is the sum of these.

    0 <= ``beta`` < 1 was meant for image counts. With pixel counts their 0.9999 makes :math:`\beta^{n_c}` vanish and
    all weights equal, so the default is their :math:`\beta=(N-1)/N` with N all training pixels, where they have the
    number of unique prototypes: the weights then follow inverse frequency closely.

    ``power`` in place of beta weights by frequency itself, :math:`w_c\propto n_c^{-\text{power}}`, rescaled likewise.
    0 <= ``power`` <= 1 leads from equal weights to inverse frequency; 0.5 is the usual inverse square root.

    The chapter ``notebooks/07_the_baselines.md`` computes it by hand.

    Example:
        >>> import torch
        >>> from patlib.losses import ClassBalanced
        >>> logits = torch.zeros(1, 3, 2, 2)
        >>> target = torch.tensor([[[0, 0], [0, 1]]])
        >>> print(f"{ClassBalanced(3, class_pixels=[90, 9, 1])(logits, target):.4f}")
        0.1208
    """

    name, label, colour = "cb", "CB", "#029e73"
    needs_class_pixels = True
    class_weights: Tensor

    def __init__(
        self,
        num_classes: int,
        *,
        class_pixels: ClassPixels = None,
        ignore_index: int = 255,
        reduction: str = "mean",
        beta: Annotated[float | None, BETA] = None,
        power: Annotated[float | None, "Weights by n^-power in place of beta, in [0, 1]."] = None,
    ) -> None:
        super().__init__(num_classes, class_pixels=class_pixels, ignore_index=ignore_index, reduction=reduction)
        if self.class_pixels.min() < 1:
            raise ValueError(f"class_pixels are pixel counts, not shares; got {self.class_pixels.tolist()}")
        self.beta, self.power = beta, power
        if power is None:
            weights = self._inverse_effective_number(beta)
        elif beta is None:
            weights = self.class_pixels ** -check_number("power", power, "in [0, 1]", lambda value: 0 <= value <= 1)
        else:
            raise ValueError(f"power takes the place of beta; give only one of power={power!r} and beta={beta!r}")
        self.register_buffer("class_weights", weights * (num_classes / weights.sum()), persistent=False)

    def _inverse_effective_number(self, beta: float | None) -> Tensor:
        if beta is None:
            total = float(self.class_pixels.sum())
            self.beta = (total - 1) / total
            log_beta = math.log1p(-1 / total)  # of a large total: beta itself may round to 1
        else:
            self.beta = check_number("beta", beta, "in [0, 1)", lambda value: 0 <= value < 1)
            log_beta = math.log(self.beta) if self.beta > 0 else -math.inf
        # expm1: subtracting from 1 would lose every digit where beta^n is close to 1.
        return -1 / torch.expm1(self.class_pixels * log_beta)

    def weight(self, nll: Tensor, labels: Tensor, valid: Tensor) -> Tensor:
        """:math:`w_y` (N,H,W)."""
        return value_of_label(self.class_weights.to(nll.dtype), labels)


class ClassBalancedFocal(ClassBalanced):
    r"""Class-balanced focal loss: :math:`\frac1M\sum_{ij} w_y\,(1-p_{ij}^y)^\gamma\,(-\log p_{ij}^y)`.

    The weights w are those of :class:`ClassBalanced` (Cui et al. 2019), the focal factor is that of the softmax. With
    ``reduction`` "none" a pixel costs its term, and "sum" is the sum without 1/M.

    The chapter ``notebooks/07_the_baselines.md`` computes it by hand.

    Example:
        >>> import torch
        >>> from patlib.losses import ClassBalancedFocal
        >>> logits = torch.zeros(1, 3, 2, 2)
        >>> target = torch.tensor([[[0, 0], [0, 1]]])
        >>> print(f"{ClassBalancedFocal(3, class_pixels=[90, 9, 1])(logits, target):.4f}")
        0.0537
    """

    name, label, colour = "cbfocal", "CBFocal", "#56b4e9"

    def __init__(
        self,
        num_classes: int,
        *,
        class_pixels: ClassPixels = None,
        ignore_index: int = 255,
        reduction: str = "mean",
        beta: Annotated[float | None, BETA] = None,
        gamma: Annotated[float, "How strongly confident pixels are weighted down; 0 is not at all."] = 2.0,
    ) -> None:
        super().__init__(
            num_classes, class_pixels=class_pixels, ignore_index=ignore_index, reduction=reduction, beta=beta
        )
        self.gamma = check_strength("gamma", gamma)

    def weight(self, nll: Tensor, labels: Tensor, valid: Tensor) -> Tensor:
        r""":math:`w_y\,(1-p^y)^\gamma` (N,H,W)."""
        return super().weight(nll, labels, valid) * focal_factor(nll, self.gamma)


class BalancedSoftmax(PixelLoss):
    r"""Balanced softmax (BMS; Ren et al. 2020): mean cross-entropy of :math:`x^c+\log\pi_c`, :math:`\pi_c=n_c/\sum n`.

    The loss adjusts whenever it is called; predictions use the raw logits. A class without a training pixel keeps
    the official limit :math:`\pi_c\to0` (it leaves the softmax), with the smallest normal float32 in place of 0 so
    that the loss stays finite should the class turn up. ``reduction`` is that of the cross-entropy.

    The chapter ``notebooks/07_the_baselines.md`` computes it by hand.

    Example:
        >>> import torch
        >>> from patlib.losses import BalancedSoftmax
        >>> logits = torch.zeros(1, 3, 2, 2)
        >>> target = torch.tensor([[[0, 0], [0, 1]]])
        >>> print(f"{BalancedSoftmax(3, class_pixels=[90, 9, 1])(logits, target):.4f}")
        0.6810
    """

    name, label, colour = "bms", "BMS", "#cc78bc"
    needs_class_pixels = True
    log_prior: Tensor

    def __init__(
        self, num_classes: int, *, class_pixels: ClassPixels = None, ignore_index: int = 255, reduction: str = "mean"
    ) -> None:
        super().__init__(num_classes, class_pixels=class_pixels, ignore_index=ignore_index, reduction=reduction)
        counts = torch.as_tensor(class_pixels, dtype=torch.float64).detach().cpu()
        prior = (counts / counts.sum()).clamp_min(torch.finfo(torch.float32).tiny)
        self.register_buffer("log_prior", prior.log(), persistent=False)

    def adjust(self, logits: Tensor, labels: Tensor) -> Tensor:
        r""":math:`x^c+\log\pi_c` (N,L,H,W)."""
        return logits + per_class(self.log_prior, logits)


class LDAM(PixelLoss):
    r"""Label-distribution-aware margins (Cao et al. 2019): cross-entropy of :math:`s\,(x^c-\Delta_y\mathbb 1[c=y])`.

    The margins are :math:`\Delta_c\propto n_c^{-1/4}`, with ``max_margin`` for the rarest class. Counts are those of
    the whole training set. The authors use cosine logits in [-1, 1]; with the unbounded logits of a segmentation
    network ``scale`` mostly multiplies them. Their deferred re-weighting is not part of the loss. ``reduction`` is that
    of the cross-entropy.

    The chapter ``notebooks/07_the_baselines.md`` computes it by hand.

    Example:
        >>> import torch
        >>> from patlib.losses import LDAM
        >>> logits = torch.zeros(1, 3, 2, 2)
        >>> target = torch.tensor([[[0, 0], [0, 1]]])
        >>> print(f"{LDAM(3, class_pixels=[90, 9, 1])(logits, target):.4f}")
        4.5864
    """

    name, label, colour = "ldam", "LDAM", "#ca9161"
    needs_class_pixels = True
    margins: Tensor

    def __init__(
        self,
        num_classes: int,
        *,
        class_pixels: ClassPixels = None,
        ignore_index: int = 255,
        reduction: str = "mean",
        max_margin: Annotated[float, "Margin of the rarest class."] = 0.5,
        scale: Annotated[float, "What the logits are multiplied by."] = 20.0,
    ) -> None:
        super().__init__(num_classes, class_pixels=class_pixels, ignore_index=ignore_index, reduction=reduction)
        self.max_margin = check_strength("max_margin", max_margin)
        self.scale = check_number("scale", scale, "above 0 and at most 1e6", lambda value: 0 < value <= 1e6)
        margins = self.class_pixels**-0.25
        self.register_buffer("margins", margins * (self.max_margin / margins.max()), persistent=False)

    def adjust(self, logits: Tensor, labels: Tensor) -> Tensor:
        r""":math:`s\,(x^c-\Delta_y\mathbb 1[c=y])` (N,L,H,W), less s times the largest logit of the pixel."""
        logits = logits.to(compute_dtype(logits))
        # A softmax sees differences alone; scaling those to the largest logit cannot overflow to plus infinity.
        scaled = (logits - logits.detach().amax(1, keepdim=True)).mul_(self.scale)
        margins = (self.scale * self.margins).to(scaled.dtype)
        # Compiled for a CPU, comparing labels in the loop over classes, as elsewhere, takes twice as long as a scatter.
        return scaled.scatter_add_(1, labels.unsqueeze(1), value_of_label(-margins, labels).unsqueeze(1))

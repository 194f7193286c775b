"""Losses that look at pixels and masks alone: cross-entropy, focal and PAT."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from patlib.losses.base import PixelLoss
from patlib.losses.checks import check_number, check_strength
from patlib.losses.counting import count_labels


class CrossEntropy(PixelLoss):
    r"""Cross-entropy, Eq. 3 of the PAT paper as a mean: :math:`-\frac1M\sum_{ij}\log p_{ij}^{y}` over M valid pixels.

    Unlike ``torch.nn.functional.cross_entropy`` a batch without valid pixels gives 0, not NaN. With ``reduction`` "sum"
    it is Eq. 3 itself, with "none" :math:`-\log p` of each pixel.

    Example:
        >>> import torch
        >>> from patlib.losses import CrossEntropy
        >>> logits = torch.zeros(1, 3, 2, 2)
        >>> target = torch.tensor([[[0, 0], [0, 1]]])
        >>> print(f"{CrossEntropy(3)(logits, target):.4f}")
        1.0986
    """

    name, label, colour = "ce", "CE", "#949494"


class Focal(PixelLoss):
    r"""Softmax focal loss (Lin et al. 2017): :math:`\frac1M\sum_{ij}(1-p_{ij}^y)^\gamma\,(-\log p_{ij}^y)`.

    The original is one sigmoid a class, with alpha, divided by the number of positives; segmentation (and the PAT
    paper) uses this softmax form, divided by M valid pixels, not by M times L as some libraries do. The gradient
    flows through the modulating factor. ``gamma`` >= 0. With ``reduction`` "none" a pixel costs
    :math:`(1-p)^\gamma(-\log p)`, and "sum" is the sum of these.

    The chapter ``notebooks/07_the_baselines.md`` computes it by hand.

    Example:
        >>> import torch
        >>> from patlib.losses import Focal
        >>> logits = torch.zeros(1, 3, 2, 2)
        >>> target = torch.tensor([[[0, 0], [0, 1]]])
        >>> print(f"{Focal(3, gamma=2.0)(logits, target):.4f}")
        0.4883
    """

    name, label, colour = "focal", "Focal", "#0173b2"

    def __init__(
        self,
        num_classes: int,
        *,
        ignore_index: int = 255,
        reduction: str = "mean",
        gamma: Annotated[float, "How strongly confident pixels are weighted down; 0 is not at all."] = 2.0,
    ) -> None:
        super().__init__(num_classes, ignore_index=ignore_index, reduction=reduction)
        self.gamma = check_strength("gamma", gamma)

    def weight(self, nll: Tensor, labels: Tensor, valid: Tensor) -> Tensor:
        r""":math:`(1-p^y)^\gamma` (N,H,W)."""
        return focal_factor(nll, self.gamma)


class PAT(PixelLoss):
    r"""Pixel-wise adaptive training, Eq. 4 and 5 of the PAT paper, without its (N,L,H,W) weight tensor.

    .. math:: \frac1B\sum_i\sum_j \frac{\beta_{ij}^{y}}{S_i^{y}}\,(-\log p_{ij}^y),\qquad
              \beta_{ij}^{y}=\exp\frac{1-p_{ij}^y-\epsilon}{T}

    Sums run over B images and their pixels j; S is the size of the pixel's class in its image (:func:`mask_sizes`);
    a class absent from an image contributes nothing (Eq. 4 has 0/0 there). The value is the sum of per-image class
    means, so about as many times cross-entropy as an image has classes. It is divided by the B images of the batch with
    ``reduction`` "mean" alone: "sum" is the double sum, and "none" its terms, which are as small as 1/S.

    ``T`` > 0 and 0 <= ``eps`` <= 1 shape beta; the paper gives no value of eps. ``detach=True`` stops the gradient
    at beta, on which the paper is silent; the value is the same. ``size_weight=False`` leaves out 1/S (the pixels are
    then summed, as in Eq. 3) and ``adaptive=False`` leaves out beta: the two halves of the method, one at a time.

    0 <= ``alpha`` <= 1 makes the size weight :math:`1/S^\alpha`: 1 is the paper's, 0 none (pixels are summed). The sum
    is divided by B for every alpha, so a smaller alpha also makes the whole loss larger. Adam does not react to the
    scale of a loss; weight decay that is a term of the gradient and the clipping of gradients do.

    The chapter ``notebooks/06_adaptive_pixels.md`` writes it as the equations stand.

    Example:
        >>> import torch
        >>> from patlib.losses import PAT
        >>> logits = torch.zeros(1, 3, 2, 2)
        >>> target = torch.tensor([[[0, 0], [0, 1]]])
        >>> print(f"{PAT(3, T=20.0)(logits, target):.4f}")
        2.2717
    """

    name, label, colour = "pat", "PAT", "#d55e00"

    def __init__(
        self,
        num_classes: int,
        *,
        ignore_index: int = 255,
        reduction: str = "mean",
        T: Annotated[float, "Temperature of beta: the larger, the less confidence counts."] = 20.0,
        eps: Annotated[float, "Taken off the exponent of beta, in [0, 1]."] = 0.0,
        detach: Annotated[bool, "Whether the gradient stops at beta."] = True,
        size_weight: Annotated[bool, "Whether a pixel is divided by the size of its mask, 1/S."] = True,
        adaptive: Annotated[bool, "Whether a pixel is weighted by beta."] = True,
        alpha: Annotated[float, "Power of the size weight 1/S^alpha, in [0, 1]; the paper's is 1."] = 1.0,
    ) -> None:
        super().__init__(num_classes, ignore_index=ignore_index, reduction=reduction)
        self.T = check_number(
            "T", T, "above 0 (above 1/50: the sum of exp(1/T) must fit float32)", lambda value: value > 1 / 50
        )
        self.eps = check_number("eps", eps, "in [0, 1]", lambda value: 0 <= value <= 1)
        for name, value in {"detach": detach, "size_weight": size_weight, "adaptive": adaptive}.items():
            if not isinstance(value, bool):
                raise ValueError(f"{name} must be True or False; got {value!r}")
        self.alpha = check_number("alpha", alpha, "in [0, 1]", lambda value: 0 <= value <= 1)
        if not size_weight and self.alpha != 1:
            raise ValueError(f"alpha={alpha!r} is the power of the size weight, which size_weight=False leaves out")
        self.detach = detach
        self.size_weight = size_weight
        self.adaptive = adaptive

    def weight(self, nll: Tensor, labels: Tensor, valid: Tensor) -> Tensor:
        r""":math:`\beta^y/S^\alpha` (N,H,W), without the factors that ``adaptive`` and ``size_weight`` leave out."""
        weight = nll.new_ones(())
        if self.adaptive:
            p = torch.exp(-(nll.detach() if self.detach else nll))
            weight = torch.exp((1 - p - self.eps) / self.T)
        if self.size_weight:
            sizes = count_labels(labels, valid, self.num_classes).clamp_min(1)
            share = sizes.to(nll.dtype).reciprocal()  # (N,L): divided before it is spread over the pixels
            if self.alpha != 1:
                share = share**self.alpha
            weight = weight * share.gather(1, labels.flatten(1)).view_as(labels)
        return weight

    def normaliser(self, valid: Tensor) -> Tensor:
        """The number of images in the batch."""
        return torch.full((), len(valid), device=valid.device)  # filled there: a copy would make the device wait


def focal_factor(nll: Tensor, gamma: float) -> Tensor:
    r"""The modulating factor :math:`(1-p)^\gamma` from nll = -log p."""
    # At p = 1 the slope of (1-p)^gamma is infinite for gamma < 1, and 0 times infinity is NaN. The slope of the
    # product with nll is 0 there, which is what the floor gives: below it no gradient flows into the factor.
    return (-torch.expm1(-nll)).clamp_min(torch.finfo(nll.dtype).tiny) ** gamma

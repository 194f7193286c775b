"""The family behind the losses: one forward pass that leaves the adjustment and the weight to the methods."""

from __future__ import annotations

import inspect
import math
import warnings
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from patlib.losses.checks import ClassPixels, check_class_pixels, check_input, check_normaliser
from patlib.losses.counting import is_label
from patlib.tensors import check_classes, check_labels

REDUCTIONS = ("mean", "sum", "none")

MOST_NATS = 1e7
"""What a pixel costs at most before it is weighted. The sum over a batch then fits float32 with every weight there is,
however far apart the logits are. The gradient does not stop there."""


def cross_entropy(logits: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """Negative log-likelihood (N,H,W), 0 at ignored pixels: one formula in two forms, each the faster in its place."""
    if torch.compiler.is_compiling():
        compiled: Tensor = _CompiledCrossEntropy.apply(logits.to(compute_dtype(logits)), target, ignore_index)
        return compiled
    log_p = F.log_softmax(logits, dim=1, dtype=compute_dtype(logits))
    nll = F.nll_loss(log_p, target, ignore_index=ignore_index, reduction="none")
    with torch.no_grad():
        return nll.clamp_max_(MOST_NATS)


class _CompiledCrossEntropy(torch.autograd.Function):
    """The same for the compiler: one pass over the classes each way, and nothing kept but the logits and (N,H,W).

    NaN at a label that is no class, of which no error can be raised from compiled code. The gradient leaves ignored
    pixels to the weight, which is 0 there: a mask kept for it would be read byte by byte, 20 % of the whole on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor, ignore_index: int) -> Tensor:
        largest = logits.amax(1, keepdim=True)  # subtracted first, so that no term is large
        log_sum = (logits - largest).exp().sum(1, keepdim=True).log()
        own = torch.where(is_label(target, logits.shape[1]), logits, 0).sum(1)
        own = torch.where((target < 0) | (target >= logits.shape[1]), math.nan, own)
        ctx.save_for_backward(logits, target, largest, log_sum)
        nll = (log_sum.squeeze(1) - (own - largest.squeeze(1))).clamp_max(MOST_NATS)
        return torch.where(target != ignore_index, nll, 0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        logits, target, largest, log_sum = ctx.saved_tensors
        p = (logits - largest - log_sum).exp()
        gradient = _computed_once(gradient).unsqueeze(1)
        return torch.where(is_label(target, logits.shape[1]), p - 1, p) * gradient, None, None


@torch.library.custom_op("patlib::computed_once", mutates_args=())
def _computed_once(values: Tensor) -> Tensor:
    """A copy that the compiler cannot look through: it would compute a pixel's weight anew for each class."""
    return values.clone()


@_computed_once.register_fake
def _shape_of_computed_once(values: Tensor) -> Tensor:
    return torch.empty_like(values)


def compute_dtype(logits: Tensor) -> torch.dtype:
    """float32, or float64 for float64 logits: in half precision 1/S of a large mask underflows to 0."""
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


def per_class(values: Tensor, logits: Tensor) -> Tensor:
    """One number a class (L,) as (1,L,1,1), or with as many dimensions as the logits have, in their precision."""
    return values.to(compute_dtype(logits)).view(1, -1, *[1] * (logits.ndim - 2))


class PixelLoss(nn.Module):
    """The family: subclasses say how logits are adjusted, how pixels are weighted, what the sum is divided by.

    ``num_classes`` is L; everything else is given by name. ``class_pixels`` are the training set's pixel counts (L,),
    for the methods that use class frequency (TypeError for the others); :func:`count_class_pixels` counts them. A class
    without a training pixel is treated as being as rare as the rarest class that has some: a count of zero would make
    the official formulas infinite, and a count of one would push every other class aside
    (:class:`~patlib.losses.BalancedSoftmax` alone has a limit at zero, and keeps it).

    Pixels labelled ``ignore_index`` cost nothing and pull nothing. It is no class: ValueError for one of 0..L-1, as 255
    is with more than 255 classes. Pixels of a class that is to be left out, such as the background, are given another
    label before: ``target.masked_fill(target == 0, 255)``.

    ``reduction`` is "none" for the loss of every pixel, its weight times its negative log-likelihood, 0 where ignored;
    "sum" for the sum of these; "mean" for that sum over the method's own :meth:`normaliser`, as the formulas have it.
    Raises ValueError for a number of classes, an ignored label, a reduction or counts that are none.

    Example:
        >>> import torch
        >>> from patlib.losses import PixelLoss
        >>> class Unsure(PixelLoss):
        ...     def weight(self, nll, labels, valid):
        ...         return (torch.exp(-nll.detach()) <= 0.5).to(nll.dtype)
        >>> Unsure(num_classes=2)(torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1).long())
        tensor(0.6931)
    """

    name: ClassVar[str]
    """What a configuration calls the method."""
    label: ClassVar[str]
    """What a table calls it: the PAT paper's name."""
    colour: ClassVar[str]
    """Its colour in every figure, of a palette that colour-blind readers can tell apart."""

    needs_class_pixels = False
    num_classes: int
    ignore_index: int
    class_pixels: Tensor

    def __init__(
        self,
        num_classes: int,
        *,
        class_pixels: ClassPixels = None,
        ignore_index: int = 255,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        self.num_classes, self.ignore_index = check_classes(num_classes, ignore_index)
        if not isinstance(reduction, str) or reduction not in REDUCTIONS:
            raise ValueError(f"reduction must be one of {', '.join(REDUCTIONS)}; got {reduction!r}")
        self.reduction = reduction
        if self.needs_class_pixels:
            self.class_pixels = check_class_pixels(type(self).__name__, class_pixels, self.num_classes)
        elif class_pixels is not None:
            raise TypeError(f"{type(self).__name__} makes no use of class_pixels; build it without them")
        self._warned = False

    def extra_repr(self) -> str:
        """The constructor's arguments but ``class_pixels``, with their values: ``num_classes=4, T=20.0, ...``."""
        shared, own = (inspect.signature(kind).parameters for kind in (PixelLoss, type(self)))
        names = ["num_classes", *(name for name in own if name not in shared), "ignore_index", "reduction"]
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names if hasattr(self, name))

    def adjust(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Logits (N,L,H,W) as the log-softmax is to see them; ``labels`` (N,H,W) hold 0 at ignored pixels."""
        return logits

    def weight(self, nll: Tensor, labels: Tensor, valid: Tensor) -> Tensor:
        """Weight of each pixel, broadcastable to (N,H,W), from its nll, its label and whether it is valid."""
        return nll.new_ones(())

    def normaliser(self, valid: Tensor) -> Tensor:
        """What the weighted sum is divided by, scalar: how many pixels are valid, unless a method says otherwise."""
        return valid.sum()

    def per_pixel(self, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Negative log-likelihood (N,H,W), 0 at ignored pixels, and the weight of each pixel, broadcast to the same.

        Compiled, the nll has a gradient at ignored pixels too: multiply it by something that is 0 there.
        """
        check_input(logits, target, self.num_classes)
        target = target.long()
        valid = target != self.ignore_index
        labels = target.masked_fill(~valid, 0)
        self._check_labels(labels, valid)
        with torch.autocast(logits.device.type, enabled=False):
            nll = cross_entropy(self.adjust(logits, labels), target, self.ignore_index)
            return nll, self.weight(nll, labels, valid).expand_as(nll)

    if TYPE_CHECKING:  # nn.Module says Any

        def __call__(self, logits: Tensor, target: Tensor, normaliser: Tensor | None = None) -> Tensor:
            """What :meth:`forward` returns."""

    def forward(self, logits: Tensor, target: Tensor, normaliser: Tensor | None = None) -> Tensor:
        """Loss of logits (N,L,H,W), any float type, and integer labels (N,H,W): scalar, or (N,H,W) unreduced.

        Points and volumes are images of one and of three dimensions: (N,L,W) with (N,W), (N,L,D,H,W) with (N,D,H,W).

        ``normaliser`` takes the place of the batch's own where the batch is a part of a larger one: the sum of all
        parts' :meth:`normaliser`, at least 1. The parts' losses then add up to that of the whole. For "mean" alone.

        Half-precision logits are computed in float32, under autocast too; float64 stays float64. Loss and gradient are
        finite for finite logits: a pixel costs at most 1e7 nats before it is weighted. NaN or plus infinity among the
        logits makes the loss NaN. The gradient of float16 logits is float16 as well, and beyond 65504 infinite, which
        is what a gradient scaler looks for.

        Raises TypeError or ValueError for what is no tensor and for shapes or types that do not fit; where the labels
        are on the CPU, ValueError for a label that is neither a class nor ``ignore_index``. On a GPU labels are not
        read back: that would stall it. Under ``torch.compile`` such a label makes the loss NaN.
        """
        if normaliser is not None:
            if self.reduction != "mean":
                raise ValueError(f'normaliser belongs to reduction="mean"; this loss has reduction="{self.reduction}"')
            check_normaliser(normaliser)
        nll, weight = self.per_pixel(logits, target)
        if torch.compiler.is_compiling():
            weight = weight * (target.long() != self.ignore_index)
        if self.reduction == "none":
            return nll * weight
        if self.reduction == "sum":
            return (nll * weight).sum()
        if normaliser is None:
            normaliser = self.normaliser(target.long() != self.ignore_index).clamp_min(1)
        return (nll * weight).sum() / normaliser

    def _check_labels(self, labels: Tensor, valid: Tensor) -> None:
        largest = check_labels("label", labels, self.num_classes, self.ignore_index)
        # A mask of 0 and 255 has two classes, and with more classes a crop of nothing but class 0 and void is common.
        if largest != 0 or self.ignore_index != 255 or self.num_classes != 2 or self._warned:
            return
        counted = int(valid.sum())
        if 0 < counted <= valid.numel() / 2:
            self._warned = True
            warnings.warn(
                f"every label of this batch is 0 or the ignore label 255, and {valid.numel() - counted} of "
                f"{valid.numel()} are 255. If the masks were stored as 0 and 255, the whole foreground is ignored and "
                "only background is learnt: pass (target > 0).long() instead. If 255 is void, nothing is wrong.",
                stacklevel=6,  # the line that called the loss
            )

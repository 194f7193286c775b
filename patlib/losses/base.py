"""The family behind the losses: one forward pass that leaves the adjustment and the weight to the methods."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ClassPixels = Sequence[float] | Tensor | None


def mask_sizes(target: Tensor, num_classes: int, ignore_index: int = 255) -> Tensor:
    r"""Mask sizes :math:`S_i^l`: how many pixels of image i carry label l (below Eq. 2 of the PAT paper).

    ``target`` is (N,H,W); returns (N,L) int64. Ignored pixels count nowhere.
    """
    target = target.long()  # before comparing: in uint8 an ignore_index of -100 would wrap to label 156
    valid = target != ignore_index
    return count_labels(target.masked_fill(~valid, 0), valid, num_classes)


def count_labels(labels: Tensor, valid: Tensor, num_classes: int) -> Tensor:
    """Valid pixels of each class in each image, (N,L) int64, from labels (N,H,W) that hold 0 where not valid."""
    if torch.compiler.is_compiling():
        counts = is_label(labels, num_classes).sum((2, 3), dtype=torch.int32)
        counts[:, 0] -= (~valid).sum((1, 2), dtype=torch.int32)
        return counts.long()
    counts = torch.zeros(len(labels), num_classes, dtype=torch.int64, device=labels.device)
    # Adding 0 or 1 keeps every shape static; selecting the valid pixels would force a host synchronisation.
    return counts.scatter_add_(1, labels.flatten(1), valid.flatten(1).long())


def is_label(labels: Tensor, num_classes: int) -> Tensor:
    """One-hot labels (N,L,H,W) bool: for compiled code alone, which never builds the tensor.

    Comparing within the loop over classes is less work there than gathering and scattering: it needs no bounds checks,
    no atomic additions, no copies of the labels. Narrow labels leave room in the vector registers for the logits.
    """
    classes = torch.arange(num_classes, dtype=torch.int32, device=labels.device).view(1, -1, 1, 1)
    return labels.int().unsqueeze(1) == classes


def cross_entropy(logits: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """Negative log-likelihood (N,H,W), 0 at ignored pixels: one formula in two forms, each the faster in its place."""
    if torch.compiler.is_compiling():
        return _CompiledCrossEntropy.apply(logits.to(compute_dtype(logits)), target, ignore_index)
    log_p = F.log_softmax(logits, dim=1, dtype=compute_dtype(logits))
    return F.nll_loss(log_p, target, ignore_index=ignore_index, reduction="none")


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
        return torch.where(target != ignore_index, log_sum.squeeze(1) - (own - largest.squeeze(1)), 0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        logits, target, largest, log_sum = ctx.saved_tensors
        p = (logits - largest - log_sum).exp()
        return torch.where(is_label(target, logits.shape[1]), p - 1, p) * gradient.unsqueeze(1), None, None


def compute_dtype(logits: Tensor) -> torch.dtype:
    """float32, or float64 for float64 logits: in half precision 1/S of a large mask underflows to 0."""
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


class PixelLoss(nn.Module):
    """The family: subclasses say how logits are adjusted, how pixels are weighted, what the sum is divided by.

    ``num_classes`` is L; ``class_pixels`` are the training set's pixel counts (L,), needed by the methods that use
    class frequency. A class without a training pixel is treated as being as rare as the rarest class that has some:
    a count of zero would make the official formulas infinite, and a count of one would push every other class aside
    (:class:`~patlib.losses.BalancedSoftmax` alone has a limit at zero, and keeps it).
    """

    needs_class_pixels = False
    num_classes: int
    ignore_index: int
    class_pixels: Tensor

    def __init__(self, num_classes: int, class_pixels: ClassPixels = None, ignore_index: int = 255) -> None:
        super().__init__()
        if isinstance(num_classes, bool) or not isinstance(num_classes, Integral) or num_classes < 2:
            raise ValueError(f"num_classes must be an integer of at least 2, got {num_classes!r}")
        if isinstance(ignore_index, bool) or not isinstance(ignore_index, Integral):
            raise ValueError(f"ignore_index must be an integer label such as 255, got {ignore_index!r}")
        self.num_classes = int(num_classes)
        self.ignore_index = int(ignore_index)
        if self.needs_class_pixels:
            self.class_pixels = _check_class_pixels(type(self).__name__, class_pixels, num_classes)

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
        self._check_shapes(logits, target)
        target = target.long()
        valid = target != self.ignore_index
        labels = target.masked_fill(~valid, 0)
        self._check_labels(labels)
        with torch.autocast(logits.device.type, enabled=False):
            nll = cross_entropy(self.adjust(logits, labels), target, self.ignore_index)
            return nll, self.weight(nll, labels, valid).expand_as(nll)

    def forward(self, logits: Tensor, target: Tensor, normaliser: Tensor | None = None) -> Tensor:
        """Scalar loss of logits (N,L,H,W), any float type, and integer labels (N,H,W).

        ``normaliser`` takes the place of the batch's own where the batch is a part of a larger one: the sum of all
        parts' :meth:`normaliser`, at least 1. The parts' losses then add up to that of the whole.

        Half-precision logits are computed in float32, under autocast too; float64 stays float64.

        Raises ValueError for shapes or types that do not fit and, where the labels are on the CPU, for a label
        that is neither a class nor ``ignore_index``. On a GPU labels are not read back: that would stall it. Under
        ``torch.compile`` such a label makes the loss NaN.
        """
        nll, weight = self.per_pixel(logits, target)
        if torch.compiler.is_compiling():
            weight = weight * (target.long() != self.ignore_index)
        if normaliser is None:
            normaliser = self.normaliser(target.long() != self.ignore_index).clamp_min(1)
        return (nll * weight).sum() / normaliser

    def _check_shapes(self, logits: Tensor, target: Tensor) -> None:
        if logits.ndim != 4 or logits.shape[1] != self.num_classes or not logits.is_floating_point():
            raise ValueError(
                f"logits must be floating point of shape (N, {self.num_classes}, H, W), "
                f"got {logits.dtype} {tuple(logits.shape)}"
            )
        if target.is_floating_point() or target.is_complex() or target.dtype == torch.bool:
            raise ValueError(f"target must hold integer labels, got {target.dtype}; one-hot masks need argmax(dim=1)")
        expected = (logits.shape[0], *logits.shape[2:])
        if target.shape != expected:
            raise ValueError(
                f"target must have shape (N, H, W) = {expected} like the logits, got {tuple(target.shape)}"
            )

    def _check_labels(self, labels: Tensor) -> None:
        if labels.device.type != "cpu" or torch.compiler.is_compiling() or labels.numel() == 0:
            return
        low, high = (int(bound) for bound in torch.aminmax(labels))
        if low < 0 or high >= self.num_classes:
            raise ValueError(
                f"label {low if low < 0 else high} is neither a class (0..{self.num_classes - 1}) nor the ignore "
                f"label {self.ignore_index}; remap it, or pass the label to ignore as ignore_index"
            )


def _check_class_pixels(method: str, class_pixels: ClassPixels, num_classes: int) -> Tensor:
    if class_pixels is None:
        raise ValueError(
            f"{method} needs class_pixels, the training set's pixel count of each of {num_classes} classes"
        )
    counts = torch.as_tensor(class_pixels, dtype=torch.float64).detach().cpu()
    if counts.shape != (num_classes,):
        raise ValueError(f"class_pixels must have shape ({num_classes},), one count a class; got {tuple(counts.shape)}")
    if not bool(torch.isfinite(counts).all()) or bool((counts < 0).any()) or not bool((counts > 0).any()):
        raise ValueError(f"class_pixels must be finite, not negative and not all zero; got {counts.tolist()}")
    return torch.where(counts > 0, counts, counts[counts > 0].min())


def check_number(name: str, value: Any, rule: str, holds: Callable[[float], bool]) -> float:
    """The value as a float, or ValueError naming the value and the rule."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value) or not holds(float(value)):
        raise ValueError(f"{name} must be a number {rule}; got {value!r}")
    return float(value)

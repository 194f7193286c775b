r"""Eight segmentation losses that are one family: adjust the logits, weight the pixels.

Every method is three steps around one cross-entropy::

    logits --adjust--> logits' --log-softmax--> nll (N,H,W),  p = exp(-nll)
    loss = sum( weight * nll ) / normaliser

=======  =====================================  ===========================  ====================
name     adjust the logits (in training)        weight of a pixel            normaliser
=======  =====================================  ===========================  ====================
ce       unchanged                              1                            valid pixels
focal    unchanged                              (1 - p)^gamma                valid pixels
cb       unchanged                              w_class                      valid pixels
cbfocal  unchanged                              w_class (1 - p)^gamma        valid pixels
bms      plus log prior                         1                            valid pixels
ldam     minus margin of the true class, x s    1                            valid pixels
blv      plus noise scaled by rarity            1                            valid pixels
pat      unchanged                              exp((1 - p - eps)/T) / S     images in the batch
=======  =====================================  ===========================  ====================

The one-hot target of the PAT paper's Eq. 4 leaves only the true class's channel of its weight tensor, so no weight
here is an (N,L,H,W) tensor: what is kept for the gradient is one log-softmax. Adjusted logits (bms, ldam, blv) are a
copy that lives until their log-softmax is taken.

Shapes: N images, L classes, H x W pixels; logits (N,L,H,W), target (N,H,W). Points (N,L,W) and volumes (N,L,D,H,W) are
images of one and of three dimensions. "Valid" pixels are those whose label is not ``ignore_index``. A batch without
valid pixels costs 0 and has a zero gradient. The table's normaliser is that of ``reduction`` "mean"; "sum" leaves it
out, and "none" returns weight * nll.

Notebook 01 writes the loss of the paper image by image, class by class and pixel by pixel, 04 and 06 derive the two
halves of PAT, and 07 builds all eight methods from these three steps.

Logits, targets and masks that are no tensors raise TypeError. Whatever else is refused raises ValueError: tensors that
are sparse, nested, quantised or on the meta device, of another type, shape or device, labels on the CPU that are no
class, and parameters or counts out of range.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from patlib.losses.base import PixelLoss
from patlib.losses.checks import ClassPixels
from patlib.losses.counting import count_class_pixels, mask_sizes
from patlib.losses.frequency import LDAM, BalancedSoftmax, ClassBalanced, ClassBalancedFocal
from patlib.losses.pixelwise import PAT, CrossEntropy, Focal
from patlib.losses.variation import BLV
from patlib.names import nearest

__all__ = [
    "BLV",
    "LDAM",
    "LOSSES",
    "PAT",
    "BalancedSoftmax",
    "ClassBalanced",
    "ClassBalancedFocal",
    "CrossEntropy",
    "Focal",
    "PixelLoss",
    "build_loss",
    "count_class_pixels",
    "loss_parameters",
    "loss_signature",
    "mask_sizes",
]

LOSSES: dict[str, type[PixelLoss]] = {
    loss.name: loss
    for loss in (CrossEntropy, Focal, ClassBalanced, ClassBalancedFocal, BalancedSoftmax, LDAM, BLV, PAT)
}
"""The methods by name, in the order of the paper's tables. Whatever asks for a loss, its label, its colour or its
parameters asks here, so a ninth is a class and its entry: ``LOSSES["mine"] = Mine`` where it is not part of patlib."""


def loss_signature(name: str) -> dict[str, inspect.Parameter]:
    """The method's own parameters as its constructor declares them, each with its type and its default.

    The type is ``Annotated[float, "what the parameter means"]`` in the losses of this room. Raises ValueError for a
    name that is no loss.

    Example:
        >>> from patlib.losses import loss_signature
        >>> gamma = loss_signature("focal")["gamma"]
        >>> gamma.default, gamma.annotation.__metadata__
        (2.0, ('How strongly confident pixels are weighted down; 0 is not at all.',))
    """
    if name not in LOSSES:
        raise ValueError(f"unknown loss {name!r}{_nearest(name, LOSSES)}; known: {', '.join(LOSSES)}")
    return dict(_own_parameters(LOSSES[name]))  # type: ignore[arg-type]  # a class can be hashed


@cache
def _own_parameters(loss: Callable[..., PixelLoss]) -> dict[str, inspect.Parameter]:
    shared = inspect.signature(PixelLoss).parameters
    own = inspect.signature(loss, eval_str=True).parameters
    return {key: parameter for key, parameter in own.items() if key not in shared}


def loss_parameters(name: str) -> dict[str, Any]:
    """The method's own parameters and their defaults. Raises ValueError for a name that is no loss.

    Example:
        >>> from patlib.losses import loss_parameters
        >>> loss_parameters("focal")
        {'gamma': 2.0}
    """
    return {key: parameter.default for key, parameter in loss_signature(name).items()}


def build_loss(
    name: str, num_classes: int, class_pixels: ClassPixels = None, ignore_index: int = 255, **params: Any
) -> PixelLoss:
    """The loss of that name, called as ``loss(logits (N,L,H,W), target (N,H,W)) -> scalar``.

    ``class_pixels`` (L,) are training-set pixel counts; cb, cbfocal, bms, ldam and blv need them, the others drop them.
    ``params`` are the method's own, see :func:`loss_parameters`, and ``reduction`` ("mean", "sum" or "none"). Raises
    ValueError that names the value and the rule, also for an ``ignore_index`` that is one of the classes.

    A loss is a module: move it with ``.to(device)``. Its class tables are float64, which MPS lacks: there it is
    ``.float().to("mps")``. BLV adds its noise in ``train()`` mode only.

    Example:
        >>> import torch
        >>> from patlib.losses import build_loss
        >>> loss = build_loss("pat", num_classes=3, T=20)
        >>> logits = torch.zeros(1, 3, 2, 2)
        >>> target = torch.tensor([[[0, 0], [0, 255]]])
        >>> print(f"{loss(logits, target):.4f}")
        1.1358
    """
    known = loss_parameters(name)
    for key in params:
        if key not in known and key != "reduction":
            raise ValueError(
                f"loss {name!r} has no parameter {key!r}{_nearest(key, known)}; it takes: {', '.join(known) or 'none'}"
            )
    if LOSSES[name].needs_class_pixels:
        params["class_pixels"] = class_pixels
    return LOSSES[name](num_classes, ignore_index=ignore_index, **params)


def _nearest(name: object, known: Iterable[str]) -> str:
    """The known name that was probably meant, as a part of a message."""
    meant = nearest(name, known)
    return f" (did you mean {meant!r}?)" if meant else ""

"""What the losses say about input that does not fit: what was given, what was expected, and how to mend it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from patlib import tensors
from patlib.tensors import FLOATS, INTEGERS, check_counts, kind_of

ClassPixels = Sequence[float] | Tensor | None

AXES = {1: "(N, W)", 2: "(N, H, W)", 3: "(N, D, H, W)"}
RESIZED_BY = {1: "linear", 2: "bilinear", 3: "trilinear"}


def check_input(logits: Any, target: Any, num_classes: int) -> None:
    """TypeError for what is no tensor; ValueError for shapes, types and devices that do not fit each other."""
    check_tensor("logits", logits)
    check_tensor("target", target)
    if logits.dtype not in FLOATS or logits.ndim not in (3, 4, 5) or logits.shape[1] != num_classes:
        raise ValueError(
            f"logits must be floating point of 16, 32 or 64 bits and of shape (N, {num_classes}, H, W), "
            f"(N, {num_classes}, W) or (N, {num_classes}, D, H, W), got {logits.dtype} {tuple(logits.shape)}"
            f"{_logits_remedy(logits, target, num_classes)}"
        )
    expected = (logits.shape[0], *logits.shape[2:])
    if target.dtype not in INTEGERS or target.shape != expected:
        raise ValueError(
            f"target must hold integer labels of shape {AXES[logits.ndim - 2]} = {expected}, got {target.dtype} "
            f"{tuple(target.shape)}{_target_remedy(logits, target)}"
        )
    if target.device != logits.device:
        raise ValueError(
            f"logits are on {logits.device}, target is on {target.device}; use target.to(logits.device), and move "
            "the loss there as well with loss.to(logits.device)"
        )


def check_tensor(name: str, value: Any) -> None:
    """As :func:`patlib.tensors.check_tensor`, with what is wrong in a training loop where that is."""
    tensors.check_tensor(name, value, partial(_absent_remedy, name))


def _absent_remedy(name: str, value: Any) -> str:
    if name == "logits" and isinstance(value, Mapping | tuple | list) and len(value) > 0:
        return _heads_remedy(value)
    if name == "mask" and not isinstance(value, np.ndarray):
        return "; what is iterated over must yield masks or (image, mask) pairs"
    if value is None and name == "logits":
        return "; does the network's forward() end in return?"
    return "; does the dataset return a mask with every image?" if value is None else ""


def check_integers(name: str, value: Tensor) -> None:
    """Raise ValueError, which says how to mend it, for a tensor that is not of an integer type."""
    if value.dtype not in INTEGERS:
        raise ValueError(f"{name} must hold integer labels, got {value.dtype}{_use(f'{name}.long()', value)}")


def check_class_pixels(method: str, class_pixels: ClassPixels, num_classes: int) -> Tensor:
    """The counts as float64 (L,), where a class without a pixel has as many as the rarest class that has some."""
    if class_pixels is None:
        raise ValueError(
            f"{method} needs class_pixels, the training set's pixel count of each of {num_classes} classes; "
            "patlib.losses.count_class_pixels counts them"
        )
    counts = check_counts("class_pixels", class_pixels, num_classes)
    return torch.where(counts > 0, counts, counts[counts > 0].min())


def check_number(name: str, value: Any, rule: str, holds: Callable[[float], bool]) -> float:
    """The value as a float, or ValueError naming the value and the rule."""
    try:
        number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or not holds(number):
        raise ValueError(f"{name} must be a number {rule}; got {value!r}")
    return number


def check_strength(name: str, value: Any) -> float:
    """A number from 0 to 1e6: an exponent, a margin or a factor beyond that leaves float32 no room."""
    return check_number(name, value, "of at least 0 and at most 1e6", lambda number: 0 <= number <= 1e6)


def check_normaliser(value: Any) -> None:
    """TypeError or ValueError unless it is a positive number, or a tensor of one; on a GPU it is not read."""
    if isinstance(value, Tensor):
        tensors.check_tensor("normaliser", value)
        if value.numel() != 1 or value.dtype not in FLOATS + INTEGERS:
            raise ValueError(f"normaliser must be one number, got {value.dtype} of shape {tuple(value.shape)}")
        if value.device.type != "cpu" or torch.compiler.is_compiling():
            return
        value = value.item()
    elif not isinstance(value, Real):
        raise TypeError(f"normaliser must be a number or a tensor of one, got {kind_of(value)}")
    check_number("normaliser", value, "above 0", lambda number: number > 0)


def _logits_remedy(logits: Tensor, target: Tensor, num_classes: int) -> str:
    shape = tuple(logits.shape)
    if not logits.is_floating_point():
        return "; the order is loss(logits, target)" if target.is_floating_point() else ""
    if logits.ndim in (3, 4, 5) and shape[1] == 1:
        return (
            "; one channel is the logit of a sigmoid: torch.cat([torch.zeros_like(logits), logits], 1) makes two "
            "classes of it, whose softmax equals that sigmoid, for a loss with num_classes=2"
        )
    if logits.ndim in (3, 4, 5) and shape[-1] == num_classes and target.shape == shape[:-1]:
        return "; the classes belong in axis 1: logits.movedim(-1, 1)"
    if logits.ndim in (2, 3, 4) and shape[0] == num_classes and target.shape == shape[1:]:
        return "; a single image needs an axis of images: loss(logits[None], target[None])"
    if logits.ndim in (3, 4, 5):
        return f"; this loss has num_classes={num_classes}, the network {shape[1]} channels: they must be equal"
    return ""


def _target_remedy(logits: Tensor, target: Tensor) -> str:
    images, channels, *spatial = logits.shape
    shape = tuple(target.shape)
    integers = "" if target.dtype in INTEGERS else ".long()"
    if shape == (images, 1, *spatial):
        remedy = f"target.squeeze(1){integers}"
    elif shape in ((images, channels, *spatial), (images, *spatial, channels)):
        axis = 1 if shape == (images, channels, *spatial) else -1
        number = ".long()" if target.dtype == torch.bool else ""
        return f"; one-hot masks become labels with target{number}.argmax({axis})"
    elif shape == (images, *spatial):
        remedy = f"target{integers}"
    elif shape == tuple(spatial) and images == 1:
        remedy = f"target[None]{integers}"
    elif len(shape) == 1 + len(spatial) and shape[0] == images:
        if sorted(shape) == sorted((images, *spatial)):
            return "; are the axes of its images in the order of the logits'?"
        return (
            "; resize the logits: torch.nn.functional.interpolate(logits, size=target.shape[1:], "
            f'mode="{RESIZED_BY[len(spatial)]}")'
        )
    else:
        return ""
    return _use(remedy, target)


def _use(remedy: str, labels: Tensor) -> str:
    if not labels.is_floating_point():
        return f"; use {remedy}"
    return f"; use {remedy}, or load the mask anew if torchvision's ToTensor divided its labels by 255"


def _heads_remedy(outputs: Any) -> str:
    main, *others = list(outputs) if isinstance(outputs, Mapping) else range(len(outputs))
    lines = ["outputs = network(images)", f"value = loss(outputs[{main!r}], target)"]
    if others:
        lines.append(f"value = value + 0.4 * sum(loss(outputs[key], target) for key in {others!r})")
    return (
        f" of {len(outputs)}. Of a network with several outputs, "
        "choose the one that holds the logits, and weigh auxiliary heads yourself:\n    " + "\n    ".join(lines)
    )

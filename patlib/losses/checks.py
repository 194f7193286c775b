"""What the losses say about input that does not fit: what was given, what was expected, and how to mend it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

ClassPixels = Sequence[float] | Tensor | None

AXES = {1: "(N, W)", 2: "(N, H, W)", 3: "(N, D, H, W)"}
RESIZED_BY = {1: "linear", 2: "bilinear", 3: "trilinear"}


def check_input(logits: Any, target: Any, num_classes: int) -> None:
    """TypeError for what is no tensor; ValueError for shapes, types and devices that do not fit each other."""
    check_tensor("logits", logits)
    check_tensor("target", target)
    if not logits.is_floating_point() or logits.ndim not in (3, 4, 5) or logits.shape[1] != num_classes:
        raise ValueError(
            f"logits must be floating point of shape (N, {num_classes}, H, W), (N, {num_classes}, W) or "
            f"(N, {num_classes}, D, H, W), got {logits.dtype} {tuple(logits.shape)}"
            f"{_logits_remedy(logits, target, num_classes)}"
        )
    expected = (logits.shape[0], *logits.shape[2:])
    if not _holds_integers(target) or target.shape != expected:
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
    """TypeError unless it is a tensor, ValueError unless it is a dense one that has values."""
    if isinstance(value, Tensor):
        if value.layout != torch.strided:
            raise ValueError(f"{name} must be a dense tensor, got one of {value.layout}; use {name}.to_dense()")
        if value.is_meta:
            raise ValueError(
                f"{name} is on the meta device, where tensors have no values; create network and data on the CPU or a "
                "GPU, or give a network of the meta device memory there with network.to_empty(device=...)"
            )
    elif name == "logits" and isinstance(value, Mapping | tuple | list) and len(value) > 0:
        raise TypeError(_heads_remedy(value))
    else:
        remedy = ""
        if isinstance(value, np.ndarray):
            remedy = f"; use torch.from_numpy({name})"
        elif name == "mask":
            remedy = "; what is iterated over must yield masks or (image, mask) pairs"
        elif isinstance(value, list | tuple) and len(value) > 0:
            remedy = f"; use torch.as_tensor({name})"
        elif value is None and name == "logits":
            remedy = "; does the network's forward() end in return?"
        elif value is None:
            remedy = "; does the dataset return a mask with every image?"
        raise TypeError(f"{name} must be a torch.Tensor, got {_kind(value)}{remedy}")


def check_integers(name: str, value: Tensor) -> None:
    """Raise ValueError, which says how to mend it, for a tensor that is not of an integer type."""
    if not _holds_integers(value):
        raise ValueError(f"{name} must hold integer labels, got {value.dtype}{_use(f'{name}.long()', value)}")


def check_labels(labels: Tensor, num_classes: int, ignore_index: int) -> int | None:
    """The largest label, which is checked where that makes no device wait: on the CPU, outside compiled code."""
    if labels.device.type != "cpu" or torch.compiler.is_compiling() or labels.numel() == 0:
        return None
    low, high = (int(bound) for bound in torch.aminmax(labels))
    if low < 0 or high >= num_classes:
        raise ValueError(
            f"label {low if low < 0 else high} is neither a class (0..{num_classes - 1}) nor the ignore "
            f"label {ignore_index}; remap it, or pass the label to ignore as ignore_index"
        )
    return high


def check_classes(num_classes: Any, ignore_index: Any) -> None:
    """Raise ValueError for fewer than two classes, and for a number of classes or a label that is no integer."""
    if isinstance(num_classes, bool) or not isinstance(num_classes, Integral) or num_classes < 2:
        raise ValueError(f"num_classes must be an integer of at least 2, got {num_classes!r}")
    if isinstance(ignore_index, bool) or not isinstance(ignore_index, Integral):
        raise ValueError(f"ignore_index must be an integer label such as 255, got {ignore_index!r}")


def check_class_pixels(method: str, class_pixels: ClassPixels, num_classes: int) -> Tensor:
    """The counts as float64 (L,), where a class without a pixel has as many as the rarest class that has some."""
    if class_pixels is None:
        raise ValueError(
            f"{method} needs class_pixels, the training set's pixel count of each of {num_classes} classes; "
            "patlib.losses.count_class_pixels counts them"
        )
    counts = torch.as_tensor(class_pixels, dtype=torch.float64).detach().cpu()
    if counts.shape != (num_classes,):
        raise ValueError(f"class_pixels must have shape ({num_classes},), one count a class; got {tuple(counts.shape)}")
    if not bool(torch.isfinite(counts).all()) or bool((counts < 0).any()) or not bool((counts > 0).any()):
        raise ValueError(f"class_pixels must be finite, not negative and not all zero; got {counts.tolist()}")
    if bool((counts > 1e18).any()):
        raise ValueError(f"class_pixels must be pixel counts of at most 1e18; got {counts.tolist()}")
    return torch.where(counts > 0, counts, counts[counts > 0].min())


def check_number(name: str, value: Any, rule: str, holds: Callable[[float], bool]) -> float:
    """The value as a float, or ValueError naming the value and the rule."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value) or not holds(float(value)):
        raise ValueError(f"{name} must be a number {rule}; got {value!r}")
    return float(value)


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
    integers = "" if _holds_integers(target) else ".long()"
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
        f"logits must be a torch.Tensor, got {_kind(outputs)} of {len(outputs)}. Of a network with several outputs, "
        "choose the one that holds the logits, and weigh auxiliary heads yourself:\n    " + "\n    ".join(lines)
    )


def _holds_integers(value: Tensor) -> bool:
    return not (value.is_floating_point() or value.is_complex() or value.dtype == torch.bool)


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__module__}.{type(value).__name__}".replace("builtins.", "")

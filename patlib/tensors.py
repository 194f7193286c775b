"""What the losses and the metrics say of a tensor that is none, of labels that are no labels, and of counts.

What must be a tensor and is of another kind is a TypeError. All else is a ValueError: a tensor of another layout, type,
shape or device, a label that is no class, a number out of range.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor

INTEGERS = (
    torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint32, torch.uint64,
)  # fmt: skip
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
MOST_CLASSES = 2**24
"""As many as float32 can tell apart."""


def check_tensor(name: str, value: Any, remedy: Callable[[Any], str] | None = None) -> None:
    """TypeError unless it is a tensor, ValueError unless it is a dense one that has values.

    ``remedy`` says how what is no tensor is mended, beyond what holds for any argument.
    """
    if not isinstance(value, Tensor):
        own = remedy(value) if remedy is not None else ""
        raise TypeError(f"{name} must be a torch.Tensor, got {kind_of(value)}{own or _tensor_remedy(name, value)}")
    if value.is_nested or value.layout != torch.strided:
        layout = "nested tensors" if value.is_nested else value.layout
        dense = "torch.nested.to_padded_tensor" if value.is_nested else f"{name}.to_dense()"
        raise ValueError(f"{name} must be a dense tensor, got one of {layout}; use {dense}")
    if value.is_meta:
        raise ValueError(
            f"{name} is on the meta device, where tensors have no values; create network and data on the CPU or a "
            "GPU, or give a network of the meta device memory there with network.to_empty(device=...)"
        )
    if value.is_quantized:
        raise ValueError(f"{name} must not be quantised, got {value.dtype}; use {name}.dequantize()")


def _tensor_remedy(name: str, value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"; use torch.from_numpy({name})"
    if isinstance(value, list | tuple) and len(value) > 0:
        return f"; use torch.as_tensor({name})"
    return ""


def check_labels(name: str, labels: Tensor, num_classes: int, ignore_index: int) -> int | None:
    """The largest label, which is checked where that makes no device wait: on the CPU, outside compiled code."""
    if labels.device.type != "cpu" or torch.compiler.is_compiling() or labels.numel() == 0:
        return None
    low, high = (int(bound) for bound in torch.aminmax(labels))
    if low < 0 or high >= num_classes:
        raise ValueError(
            f"{name} {low if low < 0 else high} is neither a class (0..{num_classes - 1}) nor the ignore "
            f"label {ignore_index}; remap it, or pass the label to ignore as ignore_index"
        )
    return high


def check_classes(num_classes: Any, ignore_index: Any, most: int = MOST_CLASSES) -> tuple[int, int]:
    """Both as integers; ValueError for what is none, and for an ignore label that is a class."""
    if isinstance(num_classes, bool) or not isinstance(num_classes, Integral) or not 2 <= int(num_classes) <= most:
        raise ValueError(f"num_classes must be an integer of at least 2 and at most {most}, got {num_classes!r}")
    whole = isinstance(ignore_index, Integral) and not isinstance(ignore_index, bool)
    if not whole or not -(2**63) <= int(ignore_index) < 2**63:
        raise ValueError(f"ignore_index must be an integer label of 64 bits such as 255, got {ignore_index!r}")
    check_ignored(int(num_classes), int(ignore_index))
    return int(num_classes), int(ignore_index)


def check_ignored(num_classes: int, ignore_index: int) -> None:
    """ValueError for an ignore label that is one of the classes.

    The pixels of that class would count nowhere, and still the network would have a logit for it and the table a row.
    Which pixels are to be left out is said by the target.
    """
    if 0 <= ignore_index < num_classes:
        none = 255 if num_classes <= 255 else -1
        raise ValueError(
            f"ignore_index {ignore_index} is one of the {num_classes} classes, and its pixels would count nowhere: "
            f"give a label that is none, such as {none}. A class that is to be left out is marked in the target: "
            f"target.masked_fill(target == {ignore_index}, {none})"
        )


def check_counts(name: str, counts: Any, num_classes: int) -> Tensor:
    """Pixel counts of the classes, of any kind of sequence, as float64 (L,) on the CPU; ValueError for what is none."""
    try:
        if isinstance(counts, str | bytes | dict | set) or (isinstance(counts, Tensor) and counts.is_complex()):
            raise TypeError(f"got {kind_of(counts)}")
        if isinstance(counts, Tensor):
            check_tensor(name, counts)
        values = torch.as_tensor(counts, dtype=torch.float64).detach().cpu()
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ValueError(
            f"{name} must be {num_classes} numbers, one count a class; got {counts!r} ({error})"
        ) from error
    if values.shape != (num_classes,):
        raise ValueError(f"{name} must have shape ({num_classes},), one count a class; got {tuple(values.shape)}")
    if not bool(torch.isfinite(values).all()) or bool((values < 0).any()) or not bool((values > 0).any()):
        raise ValueError(f"{name} must be finite, not negative and not all zero; got {values.tolist()}")
    if bool((values > 1e18).any()):
        raise ValueError(f"{name} must be pixel counts of at most 1e18; got {values.tolist()}")
    return values


def kind_of(value: Any) -> str:
    """What a value is, as a part of a message."""
    return "None" if value is None else f"a {type(value).__module__}.{type(value).__name__}".replace("builtins.", "")

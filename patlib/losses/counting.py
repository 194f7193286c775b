"""How many pixels each class has: in every image (the paper's mask sizes) and in a whole training set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from patlib.losses.checks import check_integers, check_tensor
from patlib.tensors import check_classes, check_labels, kind_of


def mask_sizes(target: Tensor, num_classes: int, ignore_index: int = 255) -> Tensor:
    r"""Mask sizes :math:`S_i^l`: how many pixels of image i carry label l (below Eq. 2 of the PAT paper).

    ``target`` is (N,H,W), (N,W) or (N,D,H,W); returns (N,L) int64. Ignored pixels count nowhere. Raises TypeError
    for what is no tensor, and ValueError for one of another type or shape, and for a label on the CPU that is neither a
    class nor ``ignore_index``. Notebook 01 counts them with a loop.

    Example:
        >>> import torch
        >>> from patlib.losses import mask_sizes
        >>> target = torch.tensor([[[0, 0], [2, 255]], [[1, 1], [1, 1]]])
        >>> mask_sizes(target, num_classes=3)
        tensor([[2, 0, 1],
                [0, 4, 0]])
    """
    num_classes, ignore_index = check_classes(num_classes, ignore_index)
    check_tensor("target", target)
    check_integers("target", target)
    if target.ndim not in (2, 3, 4):
        raise ValueError(f"target must have shape (N, H, W), (N, W) or (N, D, H, W), got {tuple(target.shape)}")
    target = target.long()  # before comparing: in uint8 an ignore_index of -100 would wrap to label 156
    valid = target != ignore_index
    labels = target.masked_fill(~valid, 0)
    check_labels("label", labels, num_classes, ignore_index)
    return count_labels(labels, valid, num_classes)


def count_class_pixels(masks: Tensor | Iterable[Any], num_classes: int, ignore_index: int = 255) -> Tensor:
    """Pixels of each class over all masks, (L,) int64 on the CPU: the ``class_pixels`` of a training set.

    ``masks`` is a tensor (..., H, W) of integer labels, an iterable of such tensors or NumPy arrays, or an iterable of
    (image, mask) pairs such as a dataset or a loader yields; of a pair only the mask is read. Ignored pixels count
    nowhere, and ``ignore_index`` is no class. Raises TypeError or ValueError that names the place in ``masks`` and what
    is wrong there.

    Example:
        >>> import torch
        >>> from patlib.losses import count_class_pixels
        >>> masks = torch.tensor([[[0, 0], [2, 255]]])
        >>> count_class_pixels(masks, num_classes=3)
        tensor([2, 0, 1])
    """
    num_classes, ignore_index = check_classes(num_classes, ignore_index)
    if not (hasattr(masks, "__iter__") or hasattr(masks, "__getitem__")):
        raise TypeError(f"masks must be a tensor, or yield masks or (image, mask) pairs; got {kind_of(masks)}")
    counts = torch.zeros(num_classes, dtype=torch.int64)
    for place, item in enumerate([masks] if isinstance(masks, Tensor) else masks):
        mask = item[1] if isinstance(item, tuple | list) and len(item) == 2 else item
        try:
            mask = torch.from_numpy(np.asarray(mask)) if isinstance(mask, np.ndarray) else mask
            check_tensor("mask", mask)
            check_integers("mask", mask)
            counts += mask_sizes(mask.reshape(1, -1), num_classes, ignore_index)[0].cpu()
        except (TypeError, ValueError) as error:
            raise type(error)(f"masks[{place}]: {error}") from None
    return counts


def count_labels(labels: Tensor, valid: Tensor, num_classes: int) -> Tensor:
    """Valid pixels of each class in each image, (N,L) int64, from labels (N,H,W) that hold 0 where not valid."""
    if torch.compiler.is_compiling():
        spatial = tuple(range(1, labels.ndim))
        counts = is_label(labels, num_classes).sum([axis + 1 for axis in spatial], dtype=torch.int32)
        counts[:, 0] -= (~valid).sum(spatial, dtype=torch.int32)
        return counts.long()
    counts = torch.zeros(len(labels), num_classes, dtype=torch.int64, device=labels.device)
    # Adding 0 or 1 keeps every shape static; selecting the valid pixels would force a host synchronisation.
    return counts.scatter_add_(1, labels.flatten(1), valid.flatten(1).long())


def value_of_label(values: Tensor, labels: Tensor) -> Tensor:
    """The value of each pixel's class (N,H,W), from values (L,) and labels (N,H,W)."""
    if torch.compiler.is_compiling():  # in the loop over classes that the loss has anyway, for the reasons of is_label
        return torch.where(is_label(labels, len(values)), values.view(1, -1, *[1] * (labels.ndim - 1)), 0).sum(1)
    return values.expand(len(labels), -1).gather(1, labels.flatten(1)).view_as(labels)  # thrice as fast as indexing


def is_label(labels: Tensor, num_classes: int) -> Tensor:
    """One-hot labels (N,L,H,W) bool: for compiled code alone, which never builds the tensor.

    Comparing within the loop over classes is less work there than gathering and scattering: it needs no bounds checks,
    no atomic additions, no copies of the labels. Narrow labels leave room in the vector registers for the logits.
    """
    classes = torch.arange(num_classes, dtype=torch.int32, device=labels.device)
    return labels.int().unsqueeze(1) == classes.view(1, -1, *[1] * (labels.ndim - 1))

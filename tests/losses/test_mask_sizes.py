"""The sizes of the masks, and class weights of rare classes."""

import math
from decimal import Decimal, localcontext

import pytest
import torch

from patlib.losses import build_loss, count_class_pixels, mask_sizes


def test_class_weights_of_rare_classes_keep_their_digits() -> None:
    """1 - beta^n in float32 is 0 for these counts and this beta, where pixel counts live in practice."""
    counts, beta = [4_000_000_000, 2_000_000, 50], 1 - 2**-33
    with localcontext(prec=60):
        effective = [float((1 - Decimal(beta) ** count) / (1 - Decimal(beta))) for count in counts]
    total = sum(1 / number for number in effective)
    loss = build_loss("cb", 3, counts, beta=beta)
    for label, number in enumerate(effective):
        value = loss(torch.zeros(1, 3, 1, 1, dtype=torch.float64), torch.full((1, 1, 1), label)).item()
        assert value == pytest.approx(3 / number / total * math.log(3), rel=1e-9)


def test_mask_sizes_count_each_class_in_each_image() -> None:
    target = torch.tensor([[[0, 0, 2], [255, 2, 0]], [[255, 255, 255], [255, 1, 255]]])
    assert mask_sizes(target, 4).tolist() == [[3, 0, 2, 0], [0, 1, 0, 0]]
    assert mask_sizes(target, 256, ignore_index=-1)[0, 255] == 1
    assert mask_sizes(target.to(torch.uint8), 4).tolist() == mask_sizes(target, 4).tolist()


def test_pixels_of_a_class_are_not_left_out_of_the_counts() -> None:
    for count in (mask_sizes, count_class_pixels):
        with pytest.raises(ValueError, match="ignore_index 1 is one of the 3 classes"):
            count(torch.zeros(1, 2, 2).long(), 3, ignore_index=1)


def test_mask_sizes_of_small_integer_types_do_not_wrap_the_ignore_label() -> None:
    assert mask_sizes(torch.tensor([[[156, 0]]], dtype=torch.uint8), 200, ignore_index=-100)[0, 156] == 1

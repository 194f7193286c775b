"""Class pixels of a training set, counted from a tensor, from masks one at a time, from datasets and loaders."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

from patlib.losses import build_loss, count_class_pixels, mask_sizes

MASKS = torch.tensor([[[0, 0, 2], [255, 2, 0]], [[255, 255, 255], [255, 1, 255]], [[2, 2, 2], [2, 2, 2]]])
COUNTS = [3, 1, 8, 0]
PAIRS = TensorDataset(torch.zeros(3, 3, 2, 3), MASKS)


@pytest.mark.parametrize(
    "masks",
    [
        MASKS,
        MASKS.to(torch.uint8),
        MASKS[:, None, None],
        list(MASKS),
        (mask for mask in MASKS),
        MASKS.numpy(),
        [mask.numpy().astype(np.uint8) for mask in MASKS],
        [MASKS[:2], MASKS[2]],
        (MASKS[0], MASKS[1:]),
        PAIRS,
        [(None, mask) for mask in MASKS],
        DataLoader(PAIRS, batch_size=2),
        DataLoader(MASKS, batch_size=2),
    ],
    ids=lambda masks: type(masks).__name__,
)
def test_every_form_of_the_same_masks_has_the_same_counts(masks: object) -> None:
    counts = count_class_pixels(masks, 4)
    assert counts.dtype == torch.int64 and counts.tolist() == COUNTS


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.integers(2, 6), st.sampled_from([255, -100, -1]))
def test_the_counts_are_those_of_a_loop_over_pixels(seed: int, num_classes: int, ignore_index: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    masks = torch.randint(0, num_classes, (3, 4, 5), generator=generator)
    masks[torch.rand(masks.shape, generator=generator) < 0.2] = ignore_index
    pixels = [label for label in masks.flatten().tolist() if label != ignore_index]
    assert count_class_pixels(masks, num_classes, ignore_index).tolist() == [
        pixels.count(c) for c in range(num_classes)
    ]


def test_the_counts_are_what_the_losses_take() -> None:
    weights = build_loss("cb", 3, count_class_pixels(MASKS, 3), power=1).class_weights
    torch.testing.assert_close(weights[1] / weights[2], torch.tensor(8.0).double())


def test_no_masks_are_no_pixels() -> None:
    assert count_class_pixels([], 3).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("masks", "error", "words"),
    [
        ([MASKS[0], MASKS[2] + 1], ValueError, ["masks[1]", "label 3 ", "0..2", "255"]),
        (MASKS - 1, ValueError, ["masks[0]", "label -1 "]),
        ([MASKS.float()], ValueError, ["masks[0]", "float32", ".long()", "ToTensor"]),
        ([MASKS > 1], ValueError, ["masks[0]", "bool", "use mask.long()"]),
        ([{"mask": MASKS}], TypeError, ["masks[0]", "dict", "(image, mask)"]),
        ([(1, 2, 3)], TypeError, ["masks[0]", "tuple"]),
        ([None], TypeError, ["masks[0]", "None"]),
        ("masks", TypeError, ["masks[0]", "str"]),
    ],
)
def test_what_cannot_be_counted_is_named_with_its_place(masks: object, error: type[Exception], words: list) -> None:
    with pytest.raises(error) as raised:
        count_class_pixels(masks, 3)
    assert all(word in str(raised.value) for word in words), str(raised.value)


def test_the_number_of_classes_is_checked() -> None:
    with pytest.raises(ValueError, match="num_classes"):
        count_class_pixels(MASKS, 1)


@pytest.mark.parametrize("label", [9, -1, 254])
def test_mask_sizes_name_a_bad_label_as_the_losses_do(label: int) -> None:
    with pytest.raises(ValueError, match=rf"label {label} is neither a class \(0\.\.3\) nor the ignore label 255"):
        mask_sizes(torch.tensor([[[0, label]]]), 4)


def test_mask_sizes_of_what_is_no_tensor_name_it() -> None:
    with pytest.raises(TypeError, match=r"target must be a torch.Tensor, got a numpy.ndarray; use torch.from_numpy"):
        mask_sizes(MASKS.numpy(), 3)


@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        (MASKS.float(), ValueError, "integer labels, got torch.float32"),
        (torch.zeros(4).long(), ValueError, r"shape \(N, H, W\).*got \(4,\)"),
        (None, TypeError, "target must be a torch.Tensor, got None"),
    ],
)
def test_mask_sizes_are_of_labels_in_images(target: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        mask_sizes(target, 4)


def test_what_yields_no_masks_is_named() -> None:
    with pytest.raises(TypeError, match=r"masks must be a tensor.*got None"):
        count_class_pixels(None, 4)

"""The arithmetic of scores: a matrix for each image, and the thirds of the classes."""

import pytest
import torch
from segmentation_reference import NUM_CLASSES, random_split, scores

from patlib.metrics.scores import frequency_groups, image_confusions


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
@pytest.mark.parametrize("ignore_index", [255, -1])
def test_each_image_has_a_matrix_of_its_own_with_true_labels_as_rows(dtype, ignore_index):
    logits, target = random_split(4)
    labels, target = logits.argmax(1), target.where(target != 255, ignore_index)
    kept = target if ignore_index < 0 else target.to(dtype)
    expected = torch.zeros(len(target), NUM_CLASSES, NUM_CLASSES, dtype=torch.int64)
    for image, (predicted, true) in enumerate(zip(labels.flatten(1).tolist(), target.flatten(1).tolist(), strict=True)):
        for column, row in zip(predicted, true, strict=True):
            if row != ignore_index:
                expected[image, row, column] += 1
    found = image_confusions(labels.to(dtype), kept, NUM_CLASSES, ignore_index)
    assert found.dtype == torch.int64 and found.tolist() == expected.tolist()


def test_the_classes_are_cut_into_thirds_of_which_the_earlier_are_larger():
    assert frequency_groups([5, 1, 9, 7, 3], 5) == {"head": [2, 3], "medium": [0, 4], "tail": [1]}
    assert frequency_groups([1, 2], 2) == {"head": [1], "medium": [0], "tail": []}
    assert frequency_groups([4, 4, 4], 3) == {"head": [0], "medium": [1], "tail": [2]}  # equal ones in their order


def test_every_class_is_in_one_group() -> None:
    target = torch.arange(20).view(1, 4, 5)
    guess = torch.where(target < 13, target, 0)
    result = scores(guess, target, 20, class_pixels=torch.arange(20, 0, -1))
    assert result["miou_head"].item() == pytest.approx((6 + 1 / 8) / 7)
    assert result["miou_medium"].item() == pytest.approx(6 / 7)
    assert result["miou_tail"].item() == 0

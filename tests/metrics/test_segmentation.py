"""The metrics equal naive loops and torchmetrics, however the split is batched, permuted or spread over processes."""

import math
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from segmentation_reference import NUM_CLASSES, assert_same, mean, naive, random_split, scores
from torch import Tensor
from torchmetrics.classification import MulticlassJaccardIndex

from patlib.metrics import SegmentationMetrics

many = settings(derandomize=True, deadline=None, database=None, max_examples=15)
seeds = st.integers(0, 2**31)


@many
@given(seeds)
def test_every_score_equals_naive_loops(seed: int) -> None:
    assert_same(scores(*random_split(seed)), naive(*random_split(seed)))


@many
@given(seeds, st.sampled_from([255, -1, -100, 7]))
def test_any_label_that_is_no_class_can_be_the_ignored_one(seed: int, ignore_index: int) -> None:
    logits, target = random_split(seed)
    target[target == 255] = ignore_index
    assert_same(scores(logits, target, ignore_index=ignore_index), naive(logits, target, ignore_index=ignore_index))


@many
@given(seeds)
def test_mean_iou_equals_torchmetrics(seed: int) -> None:
    logits, target = random_split(seed)
    theirs = MulticlassJaccardIndex(NUM_CLASSES, average="macro", ignore_index=255)
    theirs.update(logits, target)
    assert scores(logits, target)["miou"].item() == pytest.approx(theirs.compute().item(), rel=1e-6)


def test_a_class_that_never_occurs_is_left_out_but_a_predicted_one_is_not() -> None:
    target = torch.tensor([[[0, 0], [1, 1]]])
    absent = scores(torch.tensor([[[0, 0], [1, 0]]]), target, 3)
    assert absent["iou"].tolist() == pytest.approx([2 / 3, 1 / 2, math.nan], nan_ok=True)
    assert absent["miou"].item() == pytest.approx((2 / 3 + 1 / 2) / 2)
    guessed = scores(torch.tensor([[[0, 0], [1, 2]]]), target, 3)
    assert guessed["iou"].tolist() == [1, 0.5, 0]
    assert guessed["miou"].item() == pytest.approx(0.5)
    # Accuracy has no false positives: a class without a true pixel has none.
    assert guessed["mean_acc"].item() == pytest.approx(0.75)
    assert guessed["mean_dice"].item() == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert guessed["dice_err"].item() == pytest.approx(1 - (1 + 2 / 3) / 3)


def test_predictions_at_ignored_pixels_count_nowhere() -> None:
    target = torch.tensor([[[0, 255], [1, 255]]])
    for guess in (0, 2, 255):
        result = scores(torch.tensor([[[0, guess], [1, guess]]]), target, 3)
        assert result["iou"].tolist() == pytest.approx([1, 1, math.nan], nan_ok=True)
        assert result["pixel_acc"] == 1


def test_labels_give_the_scores_of_logits_without_cross_entropy() -> None:
    logits, target = random_split(0)
    from_logits, from_labels = scores(logits, target), scores(logits.argmax(1), target)
    assert from_labels.pop("cross_entropy").isnan() and from_logits.pop("cross_entropy").isfinite()
    assert_same(from_labels, from_logits)


@pytest.mark.parametrize("shape", [(12,), (2, 2, 3)])
def test_points_and_volumes_are_images_of_other_dimensions(shape: tuple[int, ...]) -> None:
    logits, target = random_split(0)
    other = logits.view(4, NUM_CLASSES, *shape), target.view(4, *shape)
    assert_same(scores(*other), scores(logits, target))
    assert torch.equal(scores(other[0].argmax(1), other[1])["iou"], scores(logits.argmax(1), target)["iou"])


def test_uniform_logits_have_a_cross_entropy_of_log_l_nats() -> None:
    logits, target = random_split(0)
    assert scores(0 * logits, target)["cross_entropy"].item() == pytest.approx(math.log(NUM_CLASSES), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_cross_entropy_of_other_types_is_summed_in_float32(dtype: torch.dtype) -> None:
    logits, target = random_split(1)
    logits = logits.to(dtype)
    result = scores(logits, target)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert scores(logits, target)["cross_entropy"] == result["cross_entropy"]
    assert result["cross_entropy"].item() == pytest.approx(naive(logits, target)["cross_entropy"], rel=2e-6)


def test_confident_mistakes_cost_a_finite_number_of_nats() -> None:
    logits = torch.tensor([100.0, -100.0]).view(1, 2, 1, 1)
    assert scores(logits, torch.ones(1, 1, 1).long(), 2)["cross_entropy"] == 200


@many
@given(seeds, st.lists(st.integers(1, 3), min_size=1, max_size=4))
def test_how_a_split_is_batched_does_not_matter(seed: int, sizes: list[int]) -> None:
    logits, target = random_split(seed, sum(sizes))
    metrics = SegmentationMetrics(NUM_CLASSES)
    for batch in zip(logits.split(sizes), target.split(sizes), strict=True):
        metrics.update(*batch)
    assert_same(metrics.compute(), scores(logits, target))


@many
@given(seeds, st.permutations(range(4)), st.permutations(range(NUM_CLASSES)))
def test_the_order_of_images_and_the_names_of_classes_do_not_matter(seed: int, images: list, order: list) -> None:
    logits, target = random_split(seed)
    renamed = torch.full_like(target, 255)
    for new, old in enumerate(order):
        renamed[target == old] = new
    counts = [11, 5, 9, 2, 7]
    expected = scores(logits, target, class_pixels=counts)
    expected["iou"] = expected["iou"][order]
    permuted = scores(logits[images][:, order], renamed[images], class_pixels=[counts[old] for old in order])
    assert_same(permuted, expected)


def test_head_medium_and_tail_are_thirds_by_training_frequency() -> None:
    logits, target = random_split(2)
    counts = [5, 900, 70, 10_000, 1]
    result = scores(logits, target, class_pixels=counts)
    iou = naive(logits, target)["iou"]
    assert result["miou_head"].item() == pytest.approx(mean([iou[3], iou[1]]))
    assert result["miou_medium"].item() == pytest.approx(mean([iou[2], iou[0]]))
    assert result["miou_tail"].item() == pytest.approx(iou[4], nan_ok=True)
    assert not {key for key in scores(logits, target) if key.startswith("miou_")}


def test_a_perfect_and_a_hopeless_prediction() -> None:
    _, target = random_split(3)
    perfect = scores(target, target, 4)
    assert [perfect[key].item() for key in ("miou", "pixel_acc", "mean_acc", "mean_dice", "dice_err")] == [
        1,
        1,
        1,
        1,
        0,
    ]
    hopeless = scores(torch.where(target == 255, 0, (target + 1) % 4), target, 4)
    assert [hopeless[key].item() for key in ("miou", "pixel_acc", "mean_acc", "mean_dice", "dice_err")] == [
        0,
        0,
        0,
        0,
        1,
    ]


def test_nothing_seen_gives_nan_not_an_error() -> None:
    _, target = random_split(0)
    result = scores(torch.zeros_like(target), torch.full_like(target, 255))
    assert all(value.isnan().all() for value in result.values())


def test_reset_forgets_and_a_batch_value_does_not() -> None:
    logits, target = random_split(0)
    metrics = SegmentationMetrics(NUM_CLASSES)
    first = metrics(logits[:2], target[:2])
    assert_same(first, scores(logits[:2], target[:2]))
    metrics(logits[2:], target[2:])
    assert_same(metrics.compute(), scores(logits, target))
    assert_same(metrics.compute(), scores(logits, target))
    metrics.reset()
    metrics.update(logits[:1], target[:1])
    assert_same(metrics.compute(), scores(logits[:1], target[:1]))


def test_updating_builds_no_graph_and_changes_no_input() -> None:
    logits, target = random_split(0)
    kept = logits.clone(), target.clone()
    result = scores(logits.requires_grad_(), target)
    assert not result["cross_entropy"].requires_grad
    assert torch.equal(logits, kept[0]) and torch.equal(target, kept[1])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
def test_the_label_type_does_not_matter(dtype: torch.dtype) -> None:
    logits, target = random_split(0)
    assert_same(scores(logits, target.to(dtype)), scores(logits, target))


@pytest.mark.parametrize(
    ("predictions", "target", "words"),
    [
        (torch.zeros(1, 4, 2, 2), torch.zeros(1, 2, 2).long(), ["(N, 5, H, W)", "(1, 4, 2, 2)"]),
        (torch.zeros(1, 5, 2, 3), torch.zeros(1, 2, 2).long(), ["(1, 5, 2, 3)", "(1, 2, 2)"]),
        (torch.zeros(1, 2, 3).long(), torch.zeros(1, 2, 2).long(), ["(1, 2, 3)", "(1, 2, 2)"]),
        (torch.zeros(1, 2, 2).long(), torch.full((1, 2, 2), 5), ["target label 5", "0..4", "255"]),
        (torch.zeros(1, 2, 2).long(), torch.full((1, 2, 2), -1), ["target label -1"]),
        (torch.full((1, 2, 2), 7), torch.zeros(1, 2, 2).long(), ["predicted label 7"]),
        (torch.zeros(1, 2, 2).long(), torch.full((1, 2, 2), 0.7), ["integer", "float32"]),
        (torch.zeros(1, 2, 2).long(), torch.zeros(1, 2, 2).bool(), ["target must hold integer labels", "bool"]),
        (torch.zeros(1, 2, 2).long(), torch.zeros(1, 2, 2).cfloat(), ["target", "complex64"]),
        (torch.zeros(1, 2, 2).bool(), torch.zeros(1, 2, 2).long(), ["predictions", "or logits", "bool"]),
        (torch.zeros(1, 5, 2, 2).cfloat(), torch.zeros(1, 2, 2).long(), ["predictions", "complex64"]),
    ],
)
def test_wrong_input_is_named_with_the_rule(predictions: Tensor, target: Tensor, words: list[str]) -> None:
    metrics = SegmentationMetrics(NUM_CLASSES)
    with pytest.raises(ValueError) as raised:
        metrics.update(predictions, target)
    assert all(word in str(raised.value) for word in words), str(raised.value)
    assert metrics.confusion.sum() == 0


@pytest.mark.parametrize(
    ("build", "words"),
    [
        ({"num_classes": 1}, ["num_classes", "1"]),
        ({"num_classes": 10**6}, ["num_classes", "at most 10000", "1000000"]),
        ({"num_classes": 3, "ignore_index": 2**63}, ["ignore_index", "64 bits"]),
        ({"num_classes": 3, "ignore_index": "x"}, ["ignore_index", "'x'"]),
        ({"num_classes": 3, "ignore_index": 0}, ["ignore_index 0 is one of the 3 classes", "target == 0, 255"]),
        ({"num_classes": 300}, ["ignore_index 255 is one of the 300 classes", "such as -1"]),
        ({"num_classes": 3, "class_pixels": [1, 2]}, ["class_pixels", "(3,)", "(2,)"]),
    ],
)
def test_wrong_construction_is_named_with_the_rule(build: dict, words: list[str]) -> None:
    with pytest.raises(ValueError) as raised:
        SegmentationMetrics(**build)
    assert all(word in str(raised.value) for word in words), str(raised.value)


def sum_over_processes(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    logits, target = random_split(0)
    metrics = SegmentationMetrics(NUM_CLASSES, class_pixels=[9, 7, 5, 3, 1])
    # Shares of different sizes: a mean of the processes' scores would be wrong.
    share = slice(0, 1) if rank == 0 else slice(1, 4)
    metrics.update(logits[share], target[share])
    torch.save(metrics.compute(), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


# Forked, because two fresh interpreters spend ten seconds on importing torch.
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forking is reliable on Linux only")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_two_processes_share_one_confusion_matrix(tmp_path: Path) -> None:
    torch.multiprocessing.start_processes(sum_over_processes, (str(tmp_path),), nprocs=2, start_method="fork")
    expected = scores(*random_split(0), class_pixels=[9, 7, 5, 3, 1])
    for rank in range(2):
        assert_same(torch.load(tmp_path / f"{rank}.pt"), expected)

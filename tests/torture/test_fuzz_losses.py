"""Losses and metrics with arguments of every kind: refused by name, or a right number.

An argument is written as Python, so that a case that breaks something can be read and kept as a text.
"""

import json
import random

import numpy as np
import pytest
import torch
from drawn_arguments import FLOATS, INTEGERS, NAMES, NUMBERS, L, cases
from hypothesis import strategies as st
from judging import refusal

from patlib.losses import build_loss, count_class_pixels, mask_sizes
from patlib.metrics import (
    ReleasedMeanIoU,
    SegmentationMetrics,
    confusion_scores,
    frequency_groups,
    image_confusions,
)


def dense(value: object) -> bool:
    return (
        isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and not (value.is_nested or value.is_meta or value.is_quantized)
    )


def named(dtype: torch.dtype, names: list[str]) -> bool:
    return str(dtype).removeprefix("torch.") in names


def labels_fit(target: object, ignored: int) -> bool:
    if not dense(target) or not named(target.dtype, INTEGERS):
        return False
    return all(0 <= label < L or label == ignored for label in target.long().flatten().tolist())


def logits_fit(logits: object, target: torch.Tensor) -> bool:
    shape = target.shape
    return dense(logits) and named(logits.dtype, FLOATS) and logits.shape == (*shape[:1], L, *shape[1:])


def ignorable(ignored: object, classes: int = L) -> bool:
    """Whether a label may be ignored: it is a whole number of 64 bits and no class."""
    whole = isinstance(ignored, int | np.integer) and not isinstance(ignored, bool)
    return whole and -(2**63) <= ignored < 2**63 and not 0 <= ignored < classes


def attack_loss(case: dict, value: dict) -> Exception | None:
    loss, error = refusal(
        lambda: build_loss(
            case["name"], value["classes"], value["counts"], value["ignored"], reduction=value["reduction"],
            **value["parameters"],
        )
    )  # fmt: skip
    if error is not None:
        return error
    assert ignorable(value["ignored"], loss.num_classes), "accepted a label to ignore that is none or a class"
    logits, target, ignored = value["first"], value["target"], loss.ignore_index
    if case["call"] == "parameters":
        # Whatever was accepted must be of use, with logits as far apart as can be.
        drawn = random.Random(str(case))
        logits = torch.tensor([drawn.choice(NUMBERS) for _ in range(24)]).view(2, L, 2, 2)
        target = torch.tensor([drawn.randrange(L) for _ in range(8)]).view(2, 2, 2)
        assert loss.num_classes in (L, 300)
        if loss.num_classes != L:
            return None
    if dense(logits) and logits.is_floating_point() and named(logits.dtype, FLOATS):
        logits = logits.detach().requires_grad_()
    result, error = refusal(lambda: loss(logits, target, value["normaliser"]))
    if error is not None:
        fitting = labels_fit(target, ignored) and target.ndim in (2, 3, 4) and logits_fit(logits, target)
        assert not fitting or value["normaliser"] is not None, f"refused what is right: {error}"
        return error
    assert labels_fit(target, ignored) and logits_fit(logits, target), "accepted what is wrong"
    assert result.shape == (target.shape if loss.reduction == "none" else ())
    valid = (target.long() != ignored).unsqueeze(1).expand_as(logits)
    seen = logits.detach()[valid]
    if seen.isnan().any() or seen.isposinf().any():
        assert result.isnan().any(), "a number for logits that are none"
    elif seen.isfinite().all() and value["normaliser"] is None:
        assert result.isfinite().all() and (result >= 0).all(), f"the loss is {result}"
        result.sum().backward()
        assert logits.dtype == torch.float16 or logits.grad[valid].isfinite().all(), "the gradient is not finite"
    return None


def attack_metrics(case: dict, value: dict) -> Exception | None:
    predictions, target, ignored = value["first"], value["target"], value["ignored"]
    metric, error = refusal(
        lambda: SegmentationMetrics(L, ignored) if case["call"] == "metrics" else ReleasedMeanIoU(ignored)
    )
    assert ignorable(ignored) == (error is None)
    if error is not None:
        return error
    _, error = refusal(lambda: metric.update(predictions, target))
    released = case["call"] == "released"
    right = labels_fit(target, ignored) and (target.ndim == 3 or (target.ndim in (2, 4) and not released))
    if right and dense(predictions) and not predictions.is_floating_point():
        seen = predictions.long()[target.long() != ignored] if predictions.shape == target.shape else None
        right = named(predictions.dtype, INTEGERS) and seen is not None
        right = right and (released or bool(((seen >= 0) & (seen < L)).all()))
    elif right:
        right = logits_fit(predictions, target)
    if error is not None:
        assert not right, f"refused what is right: {error}"
        assert released or (metric.confusion.sum() == 0 and metric.nll_pixels == 0), "half of a batch was counted"
        return error
    assert right or released, "accepted what is wrong"
    scores = {"miou": metric.compute()} if released else metric.compute()
    if right and predictions.is_floating_point() and predictions.numel():
        seen = predictions[(target.long() != ignored).unsqueeze(1).expand_as(predictions)]
        if seen.isnan().any() or seen.isposinf().any():
            assert scores["miou"].isnan(), "a score of logits that are no numbers"
        elif seen.isfinite().all() and not released:
            assert scores["cross_entropy"].isfinite() == bool(len(seen)), "no score of finite logits"
    assert not 0 > scores["miou"] and not scores["miou"] > 1
    return None


def attack_counting(case: dict, value: dict) -> Exception | None:
    first, target, ignored, counts = (value[name] for name in ("first", "target", "ignored", "counts"))
    calls = {
        "sizes": lambda: mask_sizes(target, L, ignored),
        "count": lambda: count_class_pixels([target], L, ignored),
        "images": lambda: image_confusions(first, target, L, ignored),
        "scores": lambda: confusion_scores(first)["miou"],
        "groups": lambda: frequency_groups(counts, L),
    }
    result, error = refusal(calls[case["call"]])
    if error is not None:
        return error
    if case["call"] in ("sizes", "count", "images"):
        assert ignorable(ignored), "accepted a label to ignore that is none or a class"
        pair = isinstance(target, tuple | list) and len(target) == 2
        assert pair or isinstance(target, np.ndarray) or labels_fit(target, ignored), "accepted what is wrong"
    if case["call"] in ("sizes", "images"):
        assert result.sum() == (target.long() != ignored).sum(), "pixels were lost"
    if case["call"] == "scores":
        assert not 0 > result and not result > 1, f"the score is {result}"
    return None


ATTACKS = {"loss": attack_loss, "parameters": attack_loss, "metrics": attack_metrics, "released": attack_metrics}


@pytest.mark.filterwarnings("ignore::UserWarning")  # of torch, and of the losses about masks of 0 and 255
def test_arguments_of_every_kind_are_refused_by_name_or_give_a_right_number(trials):
    def check(_, content):
        case = json.loads(content)
        value = {name: eval(text, NAMES) for name, text in case.items() if name not in ("call", "name", "parameters")}
        value["parameters"] = {name: eval(text, NAMES) for name, text in case.get("parameters", {}).items()}
        error = ATTACKS.get(case["call"], attack_counting)(case, value)
        return "refused" if error is not None else "answered"

    contents = cases().map(lambda case: json.dumps(case, indent=1).encode())
    trials.fuzz("losses and metrics", st.tuples(st.just("json"), contents), check, short=100)

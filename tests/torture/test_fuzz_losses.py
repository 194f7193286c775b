"""Losses and metrics with arguments of every kind: refused by name, or a right number.

An argument is written as Python, so that a case that breaks something can be read and kept as a text.
"""

import json
import math
import random

import numpy as np
import pytest
import torch
from judging import refusal

from patlib.losses import LOSSES, build_loss, count_class_pixels, loss_parameters, mask_sizes
from patlib.metrics import (
    ReleasedMeanIoU,
    SegmentationMetrics,
    confusion_scores,
    frequency_groups,
    image_confusions,
)

NAMES = {"torch": torch, "np": np, "nan": math.nan, "inf": math.inf}
L = 3
LARGEST = 3.4028234663852886e38
NUMBERS = [0.0, 1.0, -1.0, 1e4, -1e4, 88.0, -104.0, 1e20, 1e37, -1e37, LARGEST, -LARGEST, 1e-45]
FLOATS = ["float16", "bfloat16", "float32", "float64"]
INTEGERS = ["uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"]
OTHERS = ["bool", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2"]
ODD = [
    "None", "'text'", "b'x'", "3", "2.5", "True", "object()", "[]", "()", "{}", "[[1, 2], [3]]", "range(3)", "{1, 2}",
    "{'out': torch.zeros(1, 3, 2, 2)}", "(torch.zeros(1, 3, 2, 2),) * 2", "np.zeros((1, 3, 2, 2))", "np.array(['a'])",
    "np.zeros((1, 2, 2), dtype=object)", "np.ma.zeros((1, 2, 2))", "np.zeros((1, 2, 2), dtype=np.int64)", "nan",
    "torch.zeros(1, 3, 2, 2).to_sparse()", "torch.zeros(1, 2, 2).long().to_sparse()", "torch.eye(3).to_sparse_csr()",
    "torch.zeros(1, 3, 2, 2, device='meta')", "torch.zeros(1, 2, 2, device='meta').long()", "torch.nn.Linear(1, 1)",
    "torch.quantize_per_tensor(torch.zeros(1, 3, 2, 2), 1.0, 0, torch.qint8)", "torch.zeros(1, 3, 2, 2).to_mkldnn()",
    "torch.quantize_per_tensor(torch.zeros(1, 2, 2), 1.0, 0, torch.quint8)", "torch.float32", "torch.Size([1])",
    "torch.nested.nested_tensor([torch.zeros(3, 2), torch.zeros(3, 4)])",
]  # fmt: skip
COUNTS = [
    "[90, 9, 1]", "[1e18, 1, 1]", "[1e18] * 3", "[0, 0, 1e18]", "[0, 5, 5]", "[10**18, 10**17, 1]", "(9, 3, 1)",
    "np.array([9 * 10**17, 1, 1])", "torch.tensor([1.0, 2.0, 3.0], requires_grad=True)", "torch.tensor([1, 2, 3])",
    "[1e19, 1, 1]", "[0, 0, 0]", "[-1, 2, 3]", "[nan, 1, 1]", "[inf, 1, 1]", "[1, 2]", "[[1, 2, 3]]", "'abc'", "'123'",
    "5", "[]", "{}", "{1, 2, 3}", "['1', '2', '3']", "[None, 1, 1]", "[1j, 1, 1]", "torch.tensor([1j, 1, 1])", "None",
    "torch.eye(3).to_sparse()", "torch.zeros(3, device='meta')", "object()", "[10**400, 1, 1]", "[1, [2], 3]",
    "np.array(['1', '2', '3'])", "np.array([2**62, 1, 1], dtype=np.uint64)", "iter([1, 2, 3])", "[1e-300, 1, 1]",
]  # fmt: skip
VALUES = [
    "0", "1", "2", "0.5", "-1", "1e-300", "5e-324", "0.0200001", "0.02", "20", "1e3", "1e6", "1e7", "1e38", "1e39",
    "1.7e308", "nan", "inf", "-inf", "True", "False", "None", "'1'", "'gaussian'", "'uniform'", "'xavier'", "[]", "[1]",
    "1j", "b'1'", "np.float32(2)", "np.int64(1)", "np.array(1.0)", "np.array([1.0, 2.0])", "torch.tensor(2.0)",
    "10**400", "-10**400", "object()", "0.9999999999999999", "torch.zeros((), device='meta')",
]  # fmt: skip
CLASSES = ["3"] * 8 + ["1", "0", "-1", "2.5", "'3'", "None", "True", "10**30", "np.int64(3)", "2**63", "[3]", "300"]
IGNORED = ["255"] * 4 + ["-1", "-100", "3", "254", "10**9", "2**40"]
WRONG_IGNORED = ["0", "2", "2**63", "-2**70", "1.5", "'x'", "None", "True", "[1]", "torch.tensor(1)"]


def tensor(rng: random.Random, shape: list[int], dtype: str, values: list[float]) -> str:
    drawn = [rng.choice(values) for _ in range(math.prod(shape))]
    first = "float64" if any(value % 1 for value in drawn) or max(map(abs, drawn), default=0) > 2**53 else "int64"
    drawn = drawn if first == "float64" else [int(value) for value in drawn]
    return f"torch.tensor({drawn}, dtype=torch.{first}).reshape({shape}).to(torch.{dtype})"


def draw_batch(rng: random.Random, ignored: str, axes: int, labels: bool = False) -> tuple[str, str]:
    """Logits, or predicted labels, and a target: most of them fit each other."""
    spatial = [rng.randint(0, 3) if rng.random() < 0.05 else rng.randint(1, 3) for _ in range(axes)]
    images = rng.randint(0, 2)
    shapes = [[images, *spatial] if labels else [images, L, *spatial], [images, *spatial]]
    if rng.random() < 0.25:
        shapes[rng.randrange(2)] = [rng.randint(0, 4) for _ in range(rng.randint(0, 6))]
    numbers = [rng.gauss(0, 3) for _ in range(9)] if rng.random() < 0.5 else NUMBERS
    known = [0, 1, 2, int(eval(ignored, NAMES))]
    dtypes = [
        rng.choice(OTHERS if rng.random() < 0.15 else kinds) for kinds in (INTEGERS if labels else FLOATS, INTEGERS)
    ]
    first = tensor(rng, shapes[0], dtypes[0], known if labels else numbers)
    if not labels and rng.random() < 0.2:
        third = f"torch.arange({math.prod(shapes[0])}).reshape({shapes[0]}) == 3"
        first = f"torch.where({third}, {rng.choice(['nan', 'inf', '-inf'])}, {first})"
    unknown = [rng.choice([-1, -2, 3, 100, 200, 256, -256])] if rng.random() < 0.15 else []
    second = tensor(rng, shapes[1], dtypes[1], known + unknown)
    odd = rng.random()
    return rng.choice(ODD) if odd < 0.06 else first, rng.choice(ODD) if odd > 0.94 else second


def draw(rng: random.Random) -> dict:
    call = rng.choice(
        ["loss", "loss", "parameters", "metrics", "metrics", "released", "sizes", "count", "images", "scores", "groups"]
    )
    wrong = call == "parameters"
    case = {"call": call, "classes": rng.choice(CLASSES) if wrong else "3", "ignored": rng.choice(IGNORED)}
    axes = rng.randint(1, 3) if call == "loss" else 2
    case["first"], case["target"] = draw_batch(
        rng, case["ignored"], axes, call == "images" or (call in ("metrics", "released") and rng.random() < 0.3)
    )
    case["counts"] = rng.choice(COUNTS if wrong or call == "groups" else COUNTS[:10])
    if call in ("loss", "parameters"):
        case["name"] = rng.choice(list(LOSSES))
        case["reduction"] = rng.choice(
            ["'mean'", "'sum'", "'none'"] + ["'MEAN'", "None", "[]", "np.array(['sum'])"] * wrong
        )
        own = [name for name in loss_parameters(case["name"]) if rng.random() < 0.5]
        case["parameters"] = {name: rng.choice(VALUES) for name in own} if wrong else {}
        case["normaliser"] = rng.choice(VALUES) if call == "loss" and rng.random() < 0.1 else "None"
    if call not in ("loss", "scores", "groups") and rng.random() < 0.1:
        case["ignored"] = rng.choice(WRONG_IGNORED)
    if call == "scores":
        side = rng.randint(1, 3)
        case["first"] = (
            tensor(
                rng,
                [side, side + (rng.random() < 0.2)],
                rng.choice(["int64", "float64", "bool", "uint8"]),
                [0, 1, 5, rng.choice([-1, math.nan, 2**40])],
            )
            if rng.random() < 0.8
            else rng.choice(ODD)
        )
    return case


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
    right = labels_fit(target, ignored) and target.ndim == 3
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


@pytest.mark.filterwarnings("ignore")  # of torch, about prototypes, and of the losses, about masks of 0 and 255
def test_arguments_of_every_kind_are_refused_by_name_or_give_a_right_number(trials):
    for trial in trials("losses and metrics", short=300):
        trial.input = trial.stored.read_bytes() if trial.stored else json.dumps(draw(trial.rng), indent=1).encode()
        case = json.loads(trial.input)
        value = {name: eval(text, NAMES) for name, text in case.items() if name not in ("call", "name", "parameters")}
        value["parameters"] = {name: eval(text, NAMES) for name, text in case.get("parameters", {}).items()}
        attacks = {
            "loss": attack_loss,
            "parameters": attack_loss,
            "metrics": attack_metrics,
            "released": attack_metrics,
        }
        error = attacks.get(case["call"], attack_counting)(case, value)
        trial.counts["refused" if error is not None else "answered"] += 1

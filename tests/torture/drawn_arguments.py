"""Arguments for the losses and the metrics, as hypothesis draws them; each is written as Python, and kept as a text."""

import itertools
import math

import numpy as np
import torch
from hypothesis import strategies as st

from patlib.losses import LOSSES, loss_parameters

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


CALLS = ["loss", "loss", "parameters", "metrics", "metrics", "released", "sizes", "count", "images", "scores", "groups"]


def rarely(percent: int) -> st.SearchStrategy[bool]:
    return st.integers(0, 99).map(lambda drawn: drawn >= 100 - percent)


def some(usual: list, others: list, percent: int) -> st.SearchStrategy:
    """Mostly one of the usual values."""
    both = {False: st.sampled_from(usual), True: st.sampled_from(others)}
    return rarely(percent).flatmap(both.__getitem__)


def few(values: st.SearchStrategy) -> st.SearchStrategy[list]:
    return st.lists(values, min_size=1, max_size=9)


def written(shape: list[int], dtype: str, values: list[float]) -> str:
    drawn = list(itertools.islice(itertools.cycle(values), math.prod(shape)))
    first = "float64" if any(value % 1 for value in drawn) or max(map(abs, drawn), default=0) > 2**53 else "int64"
    drawn = drawn if first == "float64" else [int(value) for value in drawn]
    return f"torch.tensor({drawn}, dtype=torch.{first}).reshape({shape}).to(torch.{dtype})"


# Made once: to make a strategy takes longer than to draw from it.
TRUE, SELDOM, RARE, UNUSUAL = rarely(50), rarely(6), rarely(10), rarely(25)
LABEL_TYPES, LOGIT_TYPES = some(INTEGERS, OTHERS, 15), some(FLOATS, OTHERS, 15)
LOGITS = few(st.sampled_from(NUMBERS) | st.floats(-9, 9) | st.floats(width=32, allow_nan=False, allow_infinity=False))
LABELS = {
    label: few(some([0, 1, 2, int(eval(label, NAMES))], [-1, -2, 3, 100, 200, 256, -256], 3)) for label in IGNORED
}
CLASS = {label: few(st.sampled_from([0, 1, 2, int(eval(label, NAMES))])) for label in IGNORED}
NOT_FINITE, ODDITY, SHAPE = (
    st.sampled_from(["nan", "inf", "-inf"]),
    st.sampled_from(ODD),
    st.lists(st.integers(0, 4), max_size=6),
)
SIDES = st.lists(st.integers(1, 3), min_size=3, max_size=3)
CONFUSIONS = few(st.sampled_from([0, 1, 5, -1, math.nan, 2**40]) | st.integers(0, 99))
REDUCTIONS = ["'mean'", "'sum'", "'none'"]
PARAMETERS = {
    loss: st.fixed_dictionaries(
        {}, optional=dict.fromkeys(loss_parameters(loss), st.sampled_from(VALUES) | st.floats().map(repr))
    )
    for loss in LOSSES
}


@st.composite
def batches(draw, ignored: str, axes: int, labels: bool) -> tuple[str, str]:
    """Logits, or predicted labels, and a target: most of them fit each other."""
    spatial = draw(SIDES)[:axes]
    if draw(RARE):
        spatial[0] = 0
    images = draw(st.integers(0, 2))
    shapes = [[images, *spatial] if labels else [images, L, *spatial], [images, *spatial]]
    if draw(UNUSUAL):
        shapes[draw(TRUE)] = draw(SHAPE)
    first = written(shapes[0], draw(LABEL_TYPES if labels else LOGIT_TYPES), draw(CLASS[ignored] if labels else LOGITS))
    if not labels and draw(UNUSUAL):
        third = f"torch.arange({math.prod(shapes[0])}).reshape({shapes[0]}) == 3"
        first = f"torch.where({third}, {draw(NOT_FINITE)}, {first})"
    second = written(shapes[1], draw(LABEL_TYPES), draw(LABELS[ignored]))
    return draw(ODDITY) if draw(SELDOM) else first, draw(ODDITY) if draw(SELDOM) else second


@st.composite
def cases(draw) -> dict:
    call = draw(st.sampled_from(CALLS))
    wrong = call == "parameters"
    case = {"call": call, "classes": draw(st.sampled_from(CLASSES)) if wrong else "3"}
    case["ignored"] = draw(st.sampled_from(IGNORED))
    labels = call == "images" or (call in ("metrics", "released") and draw(UNUSUAL))
    axes = draw(st.integers(1, 3)) if call in ("loss", "metrics", "sizes") else 2
    case["first"], case["target"] = draw(batches(case["ignored"], axes, labels))
    case["counts"] = draw(st.sampled_from(COUNTS if wrong or call == "groups" else COUNTS[:10]))
    if call in ("loss", "parameters"):
        case["name"] = draw(st.sampled_from(list(LOSSES)))
        others = ["'MEAN'", "None", "[]", "np.array(['sum'])"] if wrong else []
        case["reduction"] = draw(st.sampled_from(REDUCTIONS + others))
        case["parameters"] = draw(PARAMETERS[case["name"]]) if wrong else {}
        case["normaliser"] = draw(st.sampled_from(VALUES)) if call == "loss" and draw(RARE) else "None"
    if call not in ("loss", "scores", "groups") and draw(RARE):
        case["ignored"] = draw(st.sampled_from(WRONG_IGNORED))
    if call == "scores":
        side, dtype = draw(st.integers(1, 3)), draw(st.sampled_from(["int64", "float64", "bool", "uint8"]))
        confusion = written([side, side + draw(RARE)], dtype, draw(CONFUSIONS))
        case["first"] = draw(ODDITY) if draw(UNUSUAL) else confusion
    return case

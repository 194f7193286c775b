"""Arguments for the losses and the metrics, drawn by chance; each is written as Python, and kept as a text."""

import math
import random

import numpy as np
import torch

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

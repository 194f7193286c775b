"""Each loss and its gradient equal the papers' formulas, written out in `reference`, and numbers worked out by hand."""

import math
from collections.abc import Callable

import pytest
import reference
import torch
from loss_batches import CLASS_PIXELS, NUM_CLASSES, random_batch
from torch import Tensor

from patlib.losses import LOSSES, build_loss, loss_parameters

Function = Callable[[Tensor, Tensor], Tensor]

CASES: list[tuple[str, dict, Function]] = [
    ("ce", {}, reference.cross_entropy),
    *(
        ("focal", {"gamma": gamma}, lambda x, y, gamma=gamma: reference.focal(x, y, gamma))
        for gamma in (0, 0.5, 1, 2, 3, 5)
    ),
    *(
        ("cb", {"beta": beta}, lambda x, y, beta=beta: reference.class_balanced(x, y, beta, CLASS_PIXELS))
        for beta in (0, 0.9, 0.9999, 1 - 1e-6)
    ),
    *(
        ("cb", {"power": power}, lambda x, y, power=power: reference.power_weighted(x, y, power, CLASS_PIXELS))
        for power in (0, 0.5, 1)
    ),
    *(
        (
            "cbfocal",
            {"beta": beta, "gamma": gamma},
            lambda x, y, beta=beta, gamma=gamma: reference.class_balanced_focal(x, y, beta, gamma, CLASS_PIXELS),
        )
        for beta, gamma in ((0.99, 0.5), (0.9999, 2))
    ),
    ("bms", {}, lambda x, y: reference.balanced_softmax(x, y, CLASS_PIXELS)),
    *(
        (
            "ldam",
            {"max_margin": margin, "scale": scale},
            lambda x, y, margin=margin, scale=scale: reference.label_distribution_aware_margin(
                x, y, CLASS_PIXELS, margin, scale
            ),
        )
        for margin, scale in ((0.5, 20), (0.5, 1), (0, 3), (1.5, 10))
    ),
    *(
        ("pat", params, lambda x, y, params=params: reference.pat(x, y, params["T"], **rest(params)))
        for params in (
            {"T": 20},
            {"T": 5, "eps": 0.25},
            {"T": 0.1},
            {"T": 0.5, "detach": False},
            {"T": 20, "eps": 1.0, "detach": False},
            {"T": 2, "size_weight": False},
            {"T": 2, "size_weight": False, "detach": False},
            {"T": 2, "adaptive": False},
            {"T": 2, "adaptive": False, "size_weight": False},
            {"T": 5, "alpha": 0},
            {"T": 5, "alpha": 0.25},
            {"T": 5, "eps": 0.1, "alpha": 0.5, "detach": False},
            {"T": 5, "alpha": 0.5, "adaptive": False},
            {"T": 5, "alpha": 1},
        )
    ),
]


def rest(params: dict) -> dict:
    renamed = {key: value for key, value in params.items() if key != "T"}
    if "eps" in renamed:
        renamed["epsilon"] = renamed.pop("eps")
    return renamed


def case_name(case: tuple[str, dict, Function]) -> str:
    return "-".join([case[0], *(f"{key}={value}" for key, value in case[1].items())])


def value_and_gradient(function: Function, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    leaf = logits.clone().requires_grad_()
    value = function(leaf, target)
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.detach(), gradient


@pytest.mark.parametrize("case", CASES, ids=case_name)
@pytest.mark.parametrize("seed", [0, 1])
def test_value_and_gradient_equal_the_paper_in_float64(case: tuple[str, dict, Function], seed: int) -> None:
    name, params, expected = case
    logits, target = random_batch(seed)
    loss = build_loss(name, NUM_CLASSES, CLASS_PIXELS, **params)
    ours, theirs = (value_and_gradient(function, logits, target) for function in (loss, expected))
    assert ours[0].dtype == torch.float64 and ours[0].shape == ()
    torch.testing.assert_close(ours[0], theirs[0], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(ours[1], theirs[1], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_float32_agrees_with_float64(case: tuple[str, dict, Function], batch: tuple[Tensor, Tensor]) -> None:
    name, params, expected = case
    logits, target = batch
    loss = build_loss(name, NUM_CLASSES, CLASS_PIXELS, **params)
    value, gradient = value_and_gradient(loss, logits.float(), target)
    exact_value, exact_gradient = value_and_gradient(expected, logits.float().double(), target)
    assert value.dtype == gradient.dtype == torch.float32
    torch.testing.assert_close(value.double(), exact_value, rtol=2e-6, atol=0)
    torch.testing.assert_close(gradient.double(), exact_gradient, rtol=1e-4, atol=1e-6 * float(exact_value))


def test_defaults_are_those_of_the_specification() -> None:
    assert {name: loss_parameters(name) for name in LOSSES if name not in ("cb", "cbfocal")} == {
        "ce": {},
        "focal": {"gamma": 2.0},
        "bms": {},
        "ldam": {"max_margin": 0.5, "scale": 20.0},
        "blv": {"sigma": 0.5, "law": "gaussian"},
        "pat": {"T": 20.0, "eps": 0.0, "detach": True, "size_weight": True, "adaptive": True, "alpha": 1.0},
    }
    assert set(loss_parameters("cb")) == {"beta", "power"}
    assert set(loss_parameters("cbfocal")) == {"beta", "gamma"} and loss_parameters("cbfocal")["gamma"] == 2.0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("focal", lambda x, y: reference.focal(x, y, 2)),
        ("ldam", lambda x, y: reference.label_distribution_aware_margin(x, y, CLASS_PIXELS, 0.5, 20)),
        ("pat", lambda x, y: reference.pat(x, y, 20)),
        # (N - 1) / N with N all training pixels, as Cui et al. motivate it.
        ("cb", lambda x, y: reference.class_balanced(x, y, 1 - 1 / sum(CLASS_PIXELS), CLASS_PIXELS)),
        ("cbfocal", lambda x, y: reference.class_balanced_focal(x, y, 1 - 1 / sum(CLASS_PIXELS), 2, CLASS_PIXELS)),
    ],
)
def test_defaults_are_used(name: str, expected: Function, batch: tuple[Tensor, Tensor]) -> None:
    torch.testing.assert_close(build_loss(name, NUM_CLASSES, CLASS_PIXELS)(*batch), expected(*batch), rtol=1e-9, atol=0)


def test_cross_entropy_equals_torch(batch: tuple[Tensor, Tensor]) -> None:
    expected = torch.nn.functional.cross_entropy(*batch, ignore_index=255)
    torch.testing.assert_close(build_loss("ce", NUM_CLASSES)(*batch), expected, rtol=1e-14, atol=0)


@pytest.mark.parametrize("temperature", [0.2, 5, 20, 50])
def test_pat_equals_sums_of_python_floats(batch: tuple[Tensor, Tensor], temperature: float) -> None:
    value = build_loss("pat", NUM_CLASSES, T=temperature)(*batch)
    assert value.item() == pytest.approx(reference.pat_by_pixel(*batch, temperature), rel=1e-12)


def test_numbers_by_hand() -> None:
    # p of the true class is 3/4 at the first pixel and 1/4 at the other two; the last pixel is ignored.
    logits = torch.tensor([[math.log(3), 0.0], [math.log(3), 0.0], [0.0, math.log(3)], [0.0, 9.0]], dtype=torch.float64)
    logits = logits.t().reshape(1, 2, 2, 2)
    target = torch.tensor([[[0, 1], [0, 255]]])
    easy, hard = math.log(4 / 3), math.log(4)
    counts = [16, 1]
    expected = {
        ("ce", ()): (easy + 2 * hard) / 3,
        ("focal", (("gamma", 2),)): (easy / 16 + 2 * hard * 9 / 16) / 3,
        # Effective numbers 1.96875 - the geometric sum 1 + .5 + ... of 16 terms at beta .5 is 2 (1 - 2^-16) - and 1.
        ("cb", (("beta", 0.5),)): (
            (2 / (1 + 2 * (1 - 2**-16))) * (easy + hard) + (2 - 2 / (1 + 2 * (1 - 2**-16))) * hard
        )
        / 3,
        # Weighted odds: 16 x 3 : 1, 16 x 3 : 1 against class 1, and 16 x 1 : 3.
        ("bms", ()): (math.log(49 / 48) + math.log(49) + math.log(19 / 16)) / 3,
        # Margins 16^(-1/4) x .5 = .25 and .5; at scale 2 the odds are squared.
        ("ldam", (("max_margin", 0.5), ("scale", 2))): (
            math.log1p(math.exp(0.5) / 9) + math.log1p(math.exp(1.0) * 9) + math.log1p(math.exp(0.5) * 9)
        )
        / 3,
        # Class 0 has two pixels, class 1 one.
        ("pat", (("T", 0.25), ("eps", 0.5))): math.exp(-1) * easy / 2 + math.exp(1) * hard / 2 + math.exp(1) * hard,
    }
    for (name, params), value in expected.items():
        loss = build_loss(name, 2, counts, **dict(params))
        assert loss(logits, target).item() == pytest.approx(value, rel=1e-12), name


def test_uniform_logits_of_two_images_cost_log_l_a_present_class() -> None:
    target = torch.tensor([[[0, 0, 0, 1]], [[2, 2, 255, 255]]])
    value = build_loss("pat", 5, T=20)(torch.zeros(2, 5, 1, 4), target).item()
    assert value == pytest.approx((2 + 1) / 2 * math.log(5) * math.exp(0.8 / 20), rel=1e-6)


@pytest.mark.parametrize(("alpha", "divisors"), [(0.25, (2, 1)), (0.5, (4, 1)), (1, (16, 1)), (0, (1, 1))])
def test_alpha_is_the_power_of_the_mask_size(alpha: float, divisors: tuple[int, int]) -> None:
    """16 and 1 pixels of two classes, the third absent, and a second image that is all ignored but counts in B."""
    target = torch.tensor([[[0] * 16 + [1]], [[255] * 17]])
    value = build_loss("pat", 3, adaptive=False, alpha=alpha)(torch.zeros(2, 3, 1, 17), target).item()
    assert value == pytest.approx((16 / divisors[0] + 1 / divisors[1]) / 2 * math.log(3), rel=1e-6)


def test_with_alpha_one_the_size_weight_is_exactly_the_float32_reciprocal() -> None:
    sizes = torch.arange(1, 40)
    target = torch.arange(39).repeat_interleave(sizes).view(1, 1, -1)
    _, weight = build_loss("pat", 39, adaptive=False, alpha=1).per_pixel(
        torch.zeros(1, 39, 1, len(target[0, 0])), target
    )
    assert torch.equal(weight[0, 0], (1 / sizes.float())[target[0, 0]])


def test_alpha_zero_leaves_out_the_size_weight(batch: tuple[Tensor, Tensor]) -> None:
    stated = value_and_gradient(build_loss("pat", NUM_CLASSES, alpha=0), *batch)
    without = value_and_gradient(build_loss("pat", NUM_CLASSES, size_weight=False), *batch)
    assert torch.equal(stated[0], without[0]) and torch.equal(stated[1], without[1])


def test_power_weights_are_inverse_roots_of_counts_that_sum_to_the_number_of_classes() -> None:
    weights = build_loss("cb", 3, [900, 0, 9], power=0.5).class_weights
    torch.testing.assert_close(weights, torch.tensor([1 / 30, 1 / 3, 1 / 3], dtype=torch.float64) * 3 / 0.7)


@pytest.mark.parametrize("flow", [False, True])
def test_pat_gradient_of_a_logit_in_closed_form(flow: bool) -> None:
    T, eps = 2.0, 0.3
    logits, target = random_batch(3)
    _, gradient = value_and_gradient(build_loss("pat", NUM_CLASSES, T=T, eps=eps, detach=not flow), logits, target)
    p, y = reference.softmax(logits), reference.one_hot(target, NUM_CLASSES)
    p_true = (p * y).sum(1, keepdim=True)
    sizes = (y * y.sum((2, 3), keepdim=True)).sum(1, keepdim=True).clamp_min(1)
    weight = torch.exp((1 - p_true - eps) / T) / sizes / len(target) * y.sum(1, keepdim=True)
    if flow:
        weight = weight * (1 - p_true * torch.log(p_true.clamp_min(1e-300)) / T)
    torch.testing.assert_close(gradient, weight * (p - y), rtol=1e-10, atol=1e-14)


def test_gradcheck(setting: tuple[str, dict]) -> None:
    name, params = setting
    if name == "pat":
        params = params | {"detach": False}  # a detached factor is no derivative of the value, on purpose
    logits, target = random_batch(5, height=1, width=3)
    loss = build_loss(name, NUM_CLASSES, CLASS_PIXELS, **params)
    assert torch.autograd.gradcheck(lambda x: loss(x, target), logits.requires_grad_())

"""Extreme logits, absent classes, ignored pixels, empty batches and half precision: always finite, always right."""

import math

import pytest
import reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_batches import CLASS_PIXELS, NUM_CLASSES, SETTINGS, random_batch, run, setting_name

from patlib.losses import build_loss


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("extreme", [100, -100])
def test_extreme_logits_are_finite(setting: tuple[str, dict], dtype: torch.dtype, extreme: float) -> None:
    logits, target = random_batch(0)
    logits[:, 1] = extreme
    logits[:, 2] = -extreme
    run(*setting, logits.to(dtype), target)


LARGEST = torch.finfo(torch.float32).max
# Where the weights are largest, and where the gradient flows through them.
SHARP = [
    ("pat", {"T": 0.0201}),
    ("pat", {"T": 0.0201, "size_weight": False, "detach": False}),
    ("focal", {"gamma": 50}),
]


EXTREMES = [0.0, 1.0, 1e4, 1e20, 1e37, -1e37, 1e38, -1e38, LARGEST, -LARGEST]


@pytest.mark.parametrize("chosen", [*SETTINGS, ("blv", {"sigma": 5.0}), *SHARP], ids=setting_name)
@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from(EXTREMES), min_size=24, max_size=24))
def test_any_finite_logits_have_a_finite_loss_and_gradient(chosen: tuple[str, dict], values: list[float]) -> None:
    logits, target = torch.tensor(values).view(2, NUM_CLASSES, 1, 3), torch.tensor([[[0, 3, 255]], [[1, 1, 2]]])
    run(*chosen, logits, target)
    run(*chosen, logits.double() * 1e269, target)


@pytest.mark.slow
@pytest.mark.parametrize("chosen", [("ce", {}), ("bms", {}), ("ldam", {}), ("blv", {}), *SHARP], ids=setting_name)
def test_so_they_have_compiled(chosen: tuple[str, dict]) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.tensor(EXTREMES)[torch.randint(0, len(EXTREMES), (2, NUM_CLASSES, 5, 9), generator=generator)]
    target = torch.randint(0, NUM_CLASSES, (2, 5, 9), generator=generator)
    loss = build_loss(chosen[0], NUM_CLASSES, CLASS_PIXELS, **chosen[1]).eval()
    torch.compiler.reset()
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    outcomes = []
    for function in (loss, compiled):
        leaf = logits.clone().requires_grad_()
        value = function(leaf, target)
        value.backward()
        assert value.isfinite() and leaf.grad.isfinite().all()
        outcomes.append((value.detach(), leaf.grad))
    torch.testing.assert_close(*outcomes, rtol=1e-5, atol=1e-6)


def test_a_mistake_however_large_costs_at_most_ten_million_nats_and_pulls_as_before(setting: tuple[str, dict]) -> None:
    target = torch.zeros(1, 1, 1, dtype=torch.long)
    outcomes = [
        run(*setting, torch.tensor([-gap, gap, 0.0, 0.0]).view(1, 4, 1, 1), target) for gap in (1e7, 1e20, LARGEST)
    ]
    for value, gradient in outcomes:
        torch.testing.assert_close((value, gradient), outcomes[0], rtol=1e-6, atol=0)
        assert gradient[0, 0] < 0 < gradient[0, 1]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_what_is_no_number_stays_in_the_loss(setting: tuple[str, dict], bad: float, compiled: bool) -> None:
    logits, target = random_batch(0)
    target[0, 0, 0] = 1
    loss = build_loss(setting[0], NUM_CLASSES, CLASS_PIXELS, **setting[1])
    torch.compiler.reset()
    loss = torch.compile(loss, backend="aot_eager", fullgraph=True) if compiled else loss
    for channel in (1, 2):
        worse = logits.float()
        worse[0, channel, 0, 0] = bad
        assert loss(worse, target).isnan()


def test_a_float16_gradient_that_does_not_fit_is_infinite_for_a_gradient_scaler_to_see() -> None:
    logits = torch.tensor([-9.0, 9.0]).view(1, 2, 1, 1)
    target = torch.zeros(1, 1, 1, dtype=torch.long)
    for dtype, finite in ((torch.float16, False), (torch.bfloat16, True), (torch.float32, True)):
        leaf = logits.to(dtype).requires_grad_()
        build_loss("pat", 2, T=0.05)(leaf, target).backward()
        assert bool(leaf.grad.isfinite().all()) == finite


def test_a_confident_mistake_costs_its_gap_in_nats() -> None:
    logits = torch.tensor([100.0, -100.0]).view(1, 2, 1, 1)
    target = torch.ones(1, 1, 1, dtype=torch.long)
    counts = [30, 10]
    expected = {
        ("ce", ()): 200,
        ("focal", (("gamma", 0.5),)): 200,
        ("bms", ()): 200 + math.log(3),
        ("ldam", (("max_margin", 0.5), ("scale", 20))): 20 * 200.5,
        ("pat", (("T", 5),)): 200 * math.exp(1 / 5),
    }
    for (name, params), value in expected.items():
        assert run(name, dict(params), logits, target, class_pixels=counts)[0].item() == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("name", ["focal", "cbfocal"])
def test_a_certain_pixel_costs_and_pulls_nothing(name: str, gamma: float, dtype: torch.dtype) -> None:
    """p = 1 exactly, where the slope of (1 - p)^0.5 is infinite; the second pixel must keep its gradient."""
    sharp = torch.tensor([[1000.0, 0.3], [0.0, -0.2], [0.0, 0.1]], dtype=dtype).view(1, 3, 1, 2)
    target = torch.zeros(1, 1, 2, dtype=torch.long)
    counts = [5, 5, 5]
    params = {"gamma": gamma} | ({"beta": 0.9} if name == "cbfocal" else {})
    value, gradient = run(name, params, sharp, target, class_pixels=counts)
    alone, alone_gradient = run(name, params, sharp[..., 1:], target[..., 1:], class_pixels=counts)
    assert gradient[..., 0].double().abs().max() < 1e-18
    torch.testing.assert_close(2 * value, alone, rtol=1e-6, atol=0)
    torch.testing.assert_close(2 * gradient[..., 1:], alone_gradient, rtol=2e-3, atol=1e-7)


@pytest.mark.parametrize(
    # float32 resolves 1 - p down to 1e-7 only, so its relative error grows with the gap.
    ("dtype", "gaps", "tolerance"),
    [(torch.float32, [2.0, 5.0, 8.0], 2e-3), (torch.float64, [8.0, 13.0, 18.0], 1e-6)],
)
def test_focal_near_certainty_agrees_with_the_literal_formula(dtype: torch.dtype, gaps: list, tolerance: float) -> None:
    logits = torch.tensor([gaps, [0.0, 0.0, 0.0]], dtype=dtype).view(1, 2, 1, 3)
    target = torch.zeros(1, 1, 3, dtype=torch.long)
    _, gradient = run("focal", {"gamma": 0.5}, logits, target, class_pixels=None)
    leaf = logits.double().requires_grad_()
    reference.focal(leaf, target, 0.5).backward()
    torch.testing.assert_close(gradient.double(), leaf.grad, rtol=tolerance, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_a_batch_without_valid_pixels_costs_zero_and_pulls_nothing(setting: tuple, dtype: torch.dtype) -> None:
    logits, target = random_batch(0)
    value, gradient = run(*setting, logits.to(dtype), torch.full_like(target, 255))
    assert value == 0 and gradient.count_nonzero() == 0


def test_an_image_without_valid_pixels_leaves_the_others_alone(setting: tuple[str, dict]) -> None:
    logits, target = random_batch(0)
    target[1] = 255
    value, gradient = run(*setting, logits, target)
    alone, alone_gradient = run(*setting, logits[:1], target[:1])
    images = 2 if setting[0] == "pat" else 1  # PAT divides by the images of the batch, the others by valid pixels
    torch.testing.assert_close(images * value, alone, rtol=1e-12, atol=0)
    torch.testing.assert_close(images * gradient[:1], alone_gradient, rtol=1e-10, atol=1e-16)
    assert gradient[1].count_nonzero() == 0


def test_empty_batches_cost_zero(setting: tuple[str, dict]) -> None:
    name, params = setting
    loss = build_loss(name, NUM_CLASSES, CLASS_PIXELS, **params)
    assert loss(torch.zeros(0, NUM_CLASSES, 2, 2), torch.zeros(0, 2, 2, dtype=torch.long)) == 0


def test_ignored_pixels_pull_nothing(setting: tuple[str, dict]) -> None:
    logits, target = random_batch(1)
    assert (target == 255).any()
    value, gradient = run(*setting, logits, target)
    ignored = (target == 255).unsqueeze(1).expand_as(logits)
    assert gradient[ignored].count_nonzero() == 0
    assert gradient[~ignored].count_nonzero() > 0
    changed = torch.where(ignored, -7 * logits + 3, logits)
    torch.testing.assert_close(run(*setting, changed, target)[0], value, rtol=0, atol=0)


@pytest.mark.parametrize("ignore_index", [-100, -1, 7, 255])
def test_any_label_that_is_no_class_can_be_the_ignored_one(setting: tuple[str, dict], ignore_index: int) -> None:
    logits, target = random_batch(1)
    expected = run(*setting, logits, target)
    moved = run(*setting, logits, target.masked_fill(target == 255, ignore_index), ignore_index=ignore_index)
    torch.testing.assert_close(moved, expected, rtol=0, atol=0)


def test_one_pixel_masks_weigh_as_much_as_a_whole_road() -> None:
    logits = torch.zeros(1, 3, 50, 50)
    target = torch.zeros(1, 50, 50, dtype=torch.long)
    target[0, 20, 30] = 2
    _, gradient = run("pat", {}, logits, target, class_pixels=None)
    share = gradient.abs().sum(1)[0]
    assert share[20, 30].item() == pytest.approx((share.sum() - share[20, 30]).item(), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_mask_too_large_for_half_precision_keeps_its_weight(dtype: torch.dtype) -> None:
    """90000 pixels are infinite in float16, 1/S is subnormal."""
    target = torch.zeros(1, 300, 300, dtype=torch.long)
    value = build_loss("pat", 2, T=20)(torch.zeros(1, 2, 300, 300, dtype=dtype), target)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(math.log(2) * math.exp(0.5 / 20), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("autocast", [False, True])
def test_half_precision_is_computed_in_float32(setting: tuple, dtype: torch.dtype, autocast: bool) -> None:
    logits, target = random_batch(2)
    half = (3 * logits).to(dtype)
    expected, expected_gradient = run(*setting, half.float(), target)
    with torch.autocast("cpu", dtype=dtype, enabled=autocast):
        value, gradient = run(*setting, half, target)
    assert value.dtype == torch.float32 and gradient.dtype == dtype
    torch.testing.assert_close(value, expected, rtol=0, atol=0)
    torch.testing.assert_close(gradient, expected_gradient.to(dtype), rtol=0, atol=0)


def test_autocast_leaves_float32_and_float64_alone(setting: tuple[str, dict]) -> None:
    logits, target = random_batch(2)
    for dtype in (torch.float32, torch.float64):
        expected = run(*setting, logits.to(dtype), target)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = run(*setting, logits.to(dtype), target)
        assert value[0].dtype == dtype
        torch.testing.assert_close(value, expected, rtol=0, atol=0)

"""What must hold for any logits and labels, tried on many."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_batches import CLASS_PIXELS, NUM_CLASSES, SETTINGS, random_batch, setting_name
from torch import Tensor

from patlib.losses import PixelLoss, build_loss

many = settings(derandomize=True, deadline=None, database=None, max_examples=8)
seeds = st.integers(0, 2**31)
sides = st.integers(1, 5)
every_setting = pytest.mark.parametrize("chosen", SETTINGS, ids=setting_name)


def build(chosen: tuple[str, dict], counts: list[int] = CLASS_PIXELS) -> PixelLoss:
    return build_loss(chosen[0], NUM_CLASSES, counts, **chosen[1])


def assert_equal(value: Tensor, expected: Tensor | float) -> None:
    assert value.item() == pytest.approx(torch.as_tensor(expected).item(), rel=1e-10, abs=1e-12)


@every_setting
@many
@given(seeds, sides, sides, st.permutations(range(NUM_CLASSES)))
def test_renaming_the_classes_changes_nothing(chosen, seed, height, width, order) -> None:
    logits, target = random_batch(seed, 2, height, width)
    renamed = torch.full_like(target, 255)
    for new, old in enumerate(order):
        renamed[target == old] = new
    counts = [CLASS_PIXELS[old] for old in order]
    assert_equal(build(chosen, counts)(logits[:, order], renamed), build(chosen)(logits, target))


@every_setting
@many
@given(seeds, st.permutations(range(3)))
def test_the_order_of_images_and_pixels_does_not_matter(chosen, seed, order) -> None:
    logits, target = random_batch(seed, 3)
    loss = build(chosen)
    expected = loss(logits, target)
    assert_equal(loss(logits[order], target[order]), expected)
    shuffle = torch.randperm(target[0].numel(), generator=torch.Generator().manual_seed(seed))
    shuffled = logits.flatten(2)[..., shuffle].view_as(logits), target.flatten(1)[:, shuffle].view_as(target)
    assert_equal(loss(*shuffled), expected)


@every_setting
@many
@given(seeds, st.floats(-50, 50))
def test_a_constant_added_to_a_pixels_logits_changes_nothing(chosen, seed, constant) -> None:
    logits, target = random_batch(seed)
    offsets = constant * torch.randn(2, 1, 3, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    loss = build(chosen)
    assert loss(logits + offsets, target).item() == pytest.approx(loss(logits, target).item(), rel=1e-8, abs=1e-9)


@every_setting
@many
@given(seeds, st.floats(-1e4, 1e4))
def test_ignored_logits_do_not_matter(chosen, seed, value) -> None:
    logits, target = random_batch(seed)
    loss = build(chosen)
    changed = torch.where((target == 255).unsqueeze(1), torch.full_like(logits, value), logits)
    assert_equal(loss(changed, target), loss(logits, target))


@every_setting
@many
@given(seeds, sides, sides)
def test_enlarging_the_image_changes_nothing_but_unweighted_sums(chosen, seed, height, width) -> None:
    """Nearest enlargement by 2: S, and the number of pixels, grow by 4. PAT's sums then grow by 4^(1 - alpha)."""
    logits, target = random_batch(seed, 2, height, width)
    loss = build(chosen)
    enlarged = (tensor.repeat_interleave(2, -1).repeat_interleave(2, -2) for tensor in (logits, target))
    alpha = chosen[1].get("alpha", 1) if chosen[1].get("size_weight", True) else 0
    growth = 4 ** (1 - alpha) if chosen[0] == "pat" else 1
    assert_equal(loss(*enlarged), growth * loss(logits, target))


@every_setting
@many
@given(seeds)
def test_padding_with_ignored_pixels_changes_nothing(chosen, seed) -> None:
    logits, target = random_batch(seed)
    loss = build(chosen)
    padded = torch.nn.functional.pad(logits, (1, 2, 0, 3)), torch.nn.functional.pad(target, (1, 2, 0, 3), value=255)
    assert_equal(loss(*padded), loss(logits, target))


@every_setting
@many
@given(seeds)
def test_gradients_of_a_pixel_sum_to_zero_and_pull_the_true_logit_up(chosen, seed) -> None:
    logits, target = random_batch(seed)
    leaf = logits.requires_grad_()
    build(chosen)(leaf, target).backward()
    assert leaf.grad.sum(1).abs().max() < 1e-10
    valid = target != 255
    true = leaf.grad.gather(1, target.masked_fill(~valid, 0).unsqueeze(1)).squeeze(1)
    assert (true[valid] <= 0).all()


@many
@given(seeds, st.integers(1, 3))
def test_pat_of_a_batch_is_the_mean_over_images(seed, images) -> None:
    logits, target = random_batch(seed, images)
    loss = build_loss("pat", NUM_CLASSES)
    alone = [loss(logits[i : i + 1], target[i : i + 1]) for i in range(images)]
    assert_equal(loss(logits, target), sum(alone) / images)


@pytest.mark.parametrize("chosen", [setting for setting in SETTINGS if setting[0] != "pat"], ids=setting_name)
@many
@given(seeds)
def test_the_others_are_the_mean_over_valid_pixels(chosen, seed) -> None:
    logits, target = random_batch(seed, 3)
    loss = build(chosen)
    parts = [(loss(logits[i : i + 1], target[i : i + 1]), (target[i] != 255).sum()) for i in range(3)]
    total = sum(value * count for value, count in parts)
    assert_equal(loss(logits, target) * (target != 255).sum(), total)


@many
@given(seeds, st.floats(0.05, 100), st.floats(0, 1), st.floats(0, 8))
def test_beta_stays_between_its_bounds(seed, T, eps, sharpness) -> None:
    logits, target = random_batch(seed, 1, 1, 1)
    target.clamp_max_(NUM_CLASSES - 1)
    logits = sharpness * logits
    with_beta = build_loss("pat", NUM_CLASSES, T=T, eps=eps)(logits, target).item()
    without = build_loss("pat", NUM_CLASSES, adaptive=False)(logits, target).item()
    beta = with_beta / without if without > 1e-300 else math.exp(-eps / T)
    assert math.exp(-eps / T) * (1 - 1e-9) <= beta <= math.exp((1 - eps) / T) * (1 + 1e-9)


@many
@given(seeds)
def test_a_large_temperature_leaves_the_size_weight_alone(seed) -> None:
    logits, target = random_batch(seed)
    warm, size_only = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    value = build_loss("pat", NUM_CLASSES, T=1e12)(warm, target)
    expected = build_loss("pat", NUM_CLASSES, adaptive=False)(size_only, target)
    assert_equal(value, expected)
    value.backward()
    expected.backward()
    torch.testing.assert_close(warm.grad, size_only.grad, rtol=1e-9, atol=1e-14)


@many
@given(seeds)
def test_size_only_is_the_sum_of_class_means(seed) -> None:
    logits, target = random_batch(seed)
    loss = build_loss("pat", NUM_CLASSES, adaptive=False)
    cross_entropy = build_loss("ce", NUM_CLASSES)
    parts = [
        cross_entropy(logits[i : i + 1], target[i : i + 1].masked_fill(target[i : i + 1] != label, 255))
        for i in range(2)
        for label in range(NUM_CLASSES)
    ]
    assert_equal(loss(logits, target), sum(parts) / 2)


@many
@given(seeds, st.floats(0.1, 50), st.floats(0, 1))
def test_eps_only_scales_and_detaching_only_changes_the_gradient(seed, T, eps) -> None:
    batch = random_batch(seed)
    plain = build_loss("pat", NUM_CLASSES, T=T)(*batch)
    assert_equal(build_loss("pat", NUM_CLASSES, T=T, eps=eps)(*batch), math.exp(-eps / T) * plain)
    assert_equal(build_loss("pat", NUM_CLASSES, T=T, detach=False)(*batch), plain)


@many
@given(seeds)
def test_methods_meet_where_their_parameters_switch_them_off(seed) -> None:
    batch = random_batch(seed)
    expected = build_loss("ce", NUM_CLASSES)(*batch)
    equal_counts = [7] * NUM_CLASSES
    for name, params, counts in (
        ("focal", {"gamma": 0}, None),
        ("cb", {"beta": 0}, CLASS_PIXELS),
        ("cb", {"beta": 0.9}, equal_counts),
        ("cbfocal", {"beta": 0, "gamma": 0}, CLASS_PIXELS),
        ("bms", {}, equal_counts),
        ("ldam", {"max_margin": 0, "scale": 1}, CLASS_PIXELS),
        ("blv", {"sigma": 0}, CLASS_PIXELS),
    ):
        assert_equal(build_loss(name, NUM_CLASSES, counts, **params)(*batch), expected)
    valid = (batch[1] != 255).sum()
    summed = build_loss("pat", NUM_CLASSES, size_weight=False, adaptive=False)(*batch)
    assert_equal(2 * summed, valid * expected)


@many
@given(seeds, st.floats(0.01, 100))
def test_only_the_ratios_of_class_pixels_matter_to_margins_and_priors(seed, factor) -> None:
    batch = random_batch(seed)
    scaled = [factor * count for count in CLASS_PIXELS]
    for name in ("bms", "ldam"):
        assert_equal(build_loss(name, NUM_CLASSES, scaled)(*batch), build_loss(name, NUM_CLASSES, CLASS_PIXELS)(*batch))

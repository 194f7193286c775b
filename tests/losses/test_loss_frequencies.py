"""Losses where the training set's pixel counts are extreme, or come in another form."""

import pytest
import reference
import torch
from loss_batches import CLASS_PIXELS, NUM_CLASSES, random_batch, run
from torch import Tensor

from patlib.losses import build_loss


@pytest.mark.parametrize("name", ["cb", "cbfocal", "bms", "ldam", "blv"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("counts", [[900, 0, 30, 0], [5, 0, 0, 0], torch.tensor([1e10, 0.0, 1.0, 0.0])])
def test_classes_without_a_training_pixel_stay_finite(name: str, dtype: torch.dtype, counts: object) -> None:
    logits, target = random_batch(0)
    for labels in (target, torch.full_like(target, 1), torch.full_like(target, 2)):
        run(name, {}, logits.to(dtype), labels, class_pixels=counts)
    for beta in (0.0, 0.9999):
        if name in ("cb", "cbfocal"):
            run(name, {"beta": beta}, logits.to(dtype), target, class_pixels=counts)


def test_balanced_softmax_ignores_a_class_without_training_pixels() -> None:
    logits, target = random_batch(0)
    target[target == 3] = 0
    value, gradient = run("bms", {}, logits, target, class_pixels=[900, 50, 30, 0])
    expected = reference.balanced_softmax(logits[:, :3], target, [900, 50, 30])
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
    assert gradient[:, 3].abs().max() < 1e-30


@pytest.mark.parametrize("name", ["cb", "ldam"])
def test_a_class_without_training_pixels_counts_as_the_rarest_with_some(name: str) -> None:
    logits, target = random_batch(0)
    params = {"beta": 0.99} if name == "cb" else {}
    value = run(name, params, logits, target, class_pixels=[900, 0, 30, 100])
    torch.testing.assert_close(value, run(name, params, logits, target, class_pixels=[900, 30, 30, 100]))


@pytest.mark.parametrize("unit", [1.0, 1e9, 2e14, 2.5e17])
def test_the_weights_of_very_large_counts_depend_on_their_ratios_alone(unit: float) -> None:
    """Beyond 1e16 pixels the default beta rounds to 1."""
    counts = [4e6, 1e6, 2e6]
    for name in ("cb", "bms", "ldam", "blv"):
        few, many = (
            build_loss(name, 3, [factor * count / 4e6 for count in counts]) for factor in (4e6, 4 * max(unit, 1e6))
        )
        for (_, expected), (_, value) in zip(few.named_buffers(), many.named_buffers(), strict=True):
            torch.testing.assert_close(value, expected, rtol=1e-6, atol=0)


def test_class_pixels_may_be_lists_arrays_and_tensors(method: str, batch: tuple[Tensor, Tensor]) -> None:
    values = []
    for counts in (CLASS_PIXELS, torch.tensor(CLASS_PIXELS), torch.tensor(CLASS_PIXELS).double().numpy()):
        torch.manual_seed(0)
        values.append(build_loss(method, NUM_CLASSES, counts)(*batch))
    assert values[0] == values[1] == values[2]


def test_memory_layout_and_label_type_do_not_matter(setting: tuple[str, dict]) -> None:
    logits, target = random_batch(0)
    expected = run(*setting, logits, target)
    layouts = [
        (logits.to(memory_format=torch.channels_last), target),
        (logits, target.transpose(1, 2).contiguous().transpose(1, 2)),
        *((logits, target.to(dtype)) for dtype in (torch.uint8, torch.int16, torch.int32)),
    ]
    for other in layouts:
        torch.testing.assert_close(run(*setting, *other), expected, rtol=1e-12, atol=1e-16)

"""How a loss is built: everything but the number of classes by name, class pixels where they are used, a full repr."""

import re

import pytest
import torch
from loss_batches import CLASS_PIXELS, NUM_CLASSES

from patlib.losses import LOSSES, PixelLoss, build_loss, loss_parameters


@pytest.mark.parametrize("kind", LOSSES.values(), ids=lambda kind: kind.__name__)
def test_only_the_number_of_classes_goes_without_its_name(kind: type[PixelLoss]) -> None:
    with pytest.raises(TypeError, match="positional argument"):
        kind(NUM_CLASSES, CLASS_PIXELS)


@pytest.mark.parametrize("name", [name for name, kind in LOSSES.items() if not kind.needs_class_pixels])
def test_class_pixels_are_refused_by_a_loss_without_a_use_for_them_and_dropped_by_build_loss(name: str) -> None:
    with pytest.raises(TypeError, match="class_pixels"):
        LOSSES[name](NUM_CLASSES, class_pixels=CLASS_PIXELS)
    assert not hasattr(build_loss(name, NUM_CLASSES, CLASS_PIXELS), "class_pixels")


def test_class_pixels_that_are_missing_can_be_counted() -> None:
    with pytest.raises(ValueError, match="count_class_pixels"):
        build_loss("bms", NUM_CLASSES)


def test_a_loss_of_ones_own_has_the_same_arguments() -> None:
    class Rooted(PixelLoss):
        needs_class_pixels = True

        def weight(self, nll, labels, valid):
            return (self.class_pixels**-0.5)[labels]

    loss = Rooted(2, class_pixels=[4, 1], reduction="none")
    logits = torch.zeros(1, 2, 1, 2, dtype=torch.float64)
    assert (2 * loss(logits, torch.tensor([[[0, 1]]])) / torch.tensor(2.0).double().log()).flatten().tolist() == [1, 2]
    assert repr(loss) == "Rooted(num_classes=2, ignore_index=255, reduction='none')"


@pytest.mark.parametrize(
    ("name", "params", "expected"),
    [
        ("ce", {}, "CrossEntropy(num_classes=4, ignore_index=255, reduction='mean')"),
        ("focal", {"gamma": 3}, "Focal(num_classes=4, gamma=3.0, ignore_index=255, reduction='mean')"),
        (
            "pat",
            {"T": 5, "alpha": 0.5, "reduction": "sum"},
            "PAT(num_classes=4, T=5.0, eps=0.0, detach=True, size_weight=True, adaptive=True, alpha=0.5, "
            "ignore_index=255, reduction='sum')",
        ),
        (
            "cb",
            {"power": 0.5},
            "ClassBalanced(num_classes=4, beta=None, power=0.5, ignore_index=255, reduction='mean')",
        ),
    ],
)
def test_the_repr_states_every_argument(name: str, params: dict, expected: str) -> None:
    assert repr(build_loss(name, NUM_CLASSES, CLASS_PIXELS, **params)) == expected


def test_the_repr_holds_every_parameter_of_every_method(method: str) -> None:
    text = repr(build_loss(method, NUM_CLASSES, CLASS_PIXELS))
    assert re.findall(r"(\w+)=", text)[1:-2] == list(loss_parameters(method))
    assert "class_pixels" not in text and "\n" not in text

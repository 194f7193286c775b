"""Messages name the remedy for the very input they refuse: here the remedy is taken from the message, and works."""

import re
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
import torch
from loss_batches import CLASS_PIXELS, NUM_CLASSES, random_batch
from torch import Tensor

from patlib.losses import build_loss

LOGITS, LABELS = random_batch(0)
ONE_HOT = torch.nn.functional.one_hot(LABELS.masked_fill(LABELS == 255, 0), NUM_CLASSES)
FIRST = ONE_HOT.movedim(-1, 1)
VALID = ONE_HOT.argmax(-1)


def refused(logits: object, target: object, error: type[Exception] = ValueError, num_classes: int = NUM_CLASSES) -> str:
    with pytest.raises(error) as raised:
        build_loss("ce", num_classes)(logits, target)
    return str(raised.value)


def loss_of(logits: Tensor, target: Tensor) -> Tensor:
    return build_loss("ce", logits.shape[1])(logits, target)


@pytest.mark.parametrize(
    ("target", "remedy", "labels"),
    [
        (LABELS.unsqueeze(1), "target.squeeze(1)", LABELS),
        (LABELS.unsqueeze(1).float(), "target.squeeze(1).long()", LABELS),
        (LABELS.float(), "target.long()", LABELS),
        ((LABELS == 1), "target.long()", (LABELS == 1).long()),
        ((LABELS == 1).unsqueeze(1), "target.squeeze(1).long()", (LABELS == 1).long()),
        (FIRST, "target.argmax(1)", VALID),
        (FIRST.float(), "target.argmax(1)", VALID),
        (FIRST.bool(), "target.long().argmax(1)", VALID),
        (ONE_HOT, "target.argmax(-1)", VALID),
    ],
)
def test_the_remedy_for_a_target_works(target: Tensor, remedy: str, labels: Tensor) -> None:
    message = refused(LOGITS, target)
    named = re.search(r"target[\w.]*(?:\([-\d]*\)[\w.]*)+", message.split(";", 1)[1])
    assert named is not None and named[0].rstrip(".") == remedy, message
    assert torch.equal(eval(remedy, {"target": target}), labels)


def test_labels_that_were_divided_are_not_said_to_be_mended_by_long() -> None:
    assert "load the mask anew if torchvision's ToTensor divided its labels by 255" in refused(LOGITS, LABELS / 255)


def test_a_single_image_needs_an_axis_of_images() -> None:
    assert "use target[None]" in refused(LOGITS[:1], LABELS[0])
    assert "loss(logits[None], target[None])" in refused(LOGITS[0, :, :, :3], LABELS[0, :, :3])
    assert loss_of(LOGITS[0][None], LABELS[0][None]).isfinite()


@pytest.mark.parametrize(("spatial", "mode"), [((3,), "linear"), ((3, 4), "bilinear"), ((3, 4, 5), "trilinear")])
def test_logits_of_another_size_are_to_be_resized(spatial: tuple[int, ...], mode: str) -> None:
    logits = torch.zeros(2, NUM_CLASSES, *spatial)
    target = torch.zeros(2, *(2 * side for side in spatial)).long()
    message = refused(logits, target)
    call = re.search(r"torch\.nn.*\)", message)
    assert call is not None and f'mode="{mode}"' in call[0]
    assert loss_of(eval(call[0], {"torch": torch, "logits": logits, "target": target}), target).isfinite()


def test_swapped_axes_are_not_resized() -> None:
    message = refused(LOGITS, LABELS.transpose(1, 2))
    assert "order of the logits" in message and "interpolate" not in message


def test_one_channel_becomes_two_classes_whose_loss_is_that_of_the_sigmoid() -> None:
    logits, target = LOGITS[:, :1], (LABELS == 1).long()
    for num_classes in (2, NUM_CLASSES):
        message = refused(logits, target, num_classes=num_classes)
        assert "num_classes=2" in message
    two = eval(re.search(r"torch\.cat\(.*?, 1\)", message)[0], {"torch": torch, "logits": logits})
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], target.double())
    torch.testing.assert_close(build_loss("ce", 2)(two, target), expected)


def test_classes_in_the_last_axis_are_to_be_moved() -> None:
    assert "logits.movedim(-1, 1)" in refused(LOGITS.movedim(1, -1), LABELS)


def test_another_number_of_classes_is_named() -> None:
    assert "num_classes=7, the network 4 channels" in refused(LOGITS, LABELS, num_classes=7)


def test_swapped_arguments_are_named() -> None:
    assert "the order is loss(logits, target)" in refused(LABELS, LOGITS)


Outputs = namedtuple("Outputs", ["out", "aux"])


@pytest.mark.parametrize(
    "outputs",
    [
        (LOGITS, LOGITS, LOGITS),
        [LOGITS, 2 * LOGITS],
        (LOGITS,),
        Outputs(LOGITS, 2 * LOGITS),
        {"out": LOGITS, "aux": 2 * LOGITS},
        OrderedDict(logits=LOGITS),
    ],
)
def test_the_recipe_for_several_outputs_works(method: str, outputs: object) -> None:
    loss = build_loss(method, NUM_CLASSES, CLASS_PIXELS)
    with pytest.raises(
        TypeError, match=f"got a .*{type(outputs).__name__} of {len(outputs)}.*auxiliary heads"
    ) as raised:
        loss(outputs, LABELS)
    recipe = [line.strip() for line in str(raised.value).split(":\n")[1].splitlines()]
    assert len(recipe) <= 3
    names = {"network": lambda images: outputs, "images": None, "loss": loss.eval(), "target": LABELS}
    exec("\n".join(recipe), names)
    heads = list(outputs.values()) if isinstance(outputs, dict) else list(outputs)
    expected = loss(heads[0], LABELS) + 0.4 * sum(loss(head, LABELS) for head in heads[1:])
    torch.testing.assert_close(names["value"], expected)


@pytest.mark.parametrize(
    ("logits", "target", "error", "words"),
    [
        (None, LABELS, TypeError, ["logits", "None", "return"]),
        (LOGITS, None, TypeError, ["target", "None", "mask"]),
        (LOGITS.numpy(), LABELS, TypeError, ["logits", "numpy.ndarray", "torch.from_numpy(logits)"]),
        (LOGITS, LABELS.numpy(), TypeError, ["target", "numpy.ndarray", "torch.from_numpy(target)"]),
        (LOGITS, LABELS.tolist(), TypeError, ["target", "list", "torch.as_tensor(target)"]),
        (LOGITS, np.int64(3), TypeError, ["target", "numpy.int64"]),
        ((), LABELS, TypeError, ["logits", "tuple"]),
        (LOGITS.to_sparse(), LABELS, ValueError, ["logits", "sparse", "logits.to_dense()"]),
        (LOGITS, LABELS.to_sparse(), ValueError, ["target", "sparse", "target.to_dense()"]),
        (LOGITS.to(torch.float8_e5m2), LABELS, ValueError, ["16, 32 or 64 bits", "float8_e5m2"]),
        (LOGITS.to("meta"), LABELS, ValueError, ["logits", "meta device", "to_empty"]),
        (LOGITS, LABELS.to("meta"), ValueError, ["target", "meta device"]),
        (LOGITS, LABELS.to(torch.complex64), ValueError, ["integer", "complex64"]),
        (LOGITS.to(torch.complex64), LABELS, ValueError, ["floating point", "complex64"]),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_what_is_no_dense_tensor_is_named_with_a_remedy(
    method: str, logits: object, target: object, error: type[Exception], words: list[str]
) -> None:
    with pytest.raises(error) as raised:
        build_loss(method, NUM_CLASSES, CLASS_PIXELS)(logits, target)
    assert all(word in str(raised.value) for word in words), str(raised.value)

"""Metric, labels and model: the rows about the released code's protocol, each checked on a small batch."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from patlib.datasets import Split
from patlib.metrics import SegmentationMetrics
from patlib.models import build_model
from patlib.paper import released
from patlib.paper.deviations.row import Deviation, L, Reading, require, small_batch
from patlib.trainer.batches import DeviceSplit, shuffled


def _check_miou() -> str:
    logits, target = small_batch((0.3, 0.2, 0.1, 0.2, 0.2))
    target[::2] = target[::2].masked_fill(target[::2] == 2, 0)  # two images without class 2
    predictions = torch.where(logits.amax(1) > 2, target, logits.argmax(1))
    better = torch.where((predictions > 2) & (target > 2), target, predictions)  # classes 3 and 4 no longer mixed up
    by_size = {
        size: released.released_miou(zip(predictions.split(size), target.split(size), strict=True))
        for size in (1, 3, 4)
    }
    unmoved = released.released_miou([(better, target)])
    before, after = _standard_miou(predictions, target), _standard_miou(better, target)
    require(unmoved == by_size[4] and after > before + 0.01, "the released mIoU does not see classes 3 and 4")
    require(max(by_size.values()) - min(by_size.values()) > 1e-3, "the released mIoU depends on the batch size")
    sizes = ", ".join(f"{value:.3f} in batches of {size}" for size, value in by_size.items())
    return f"classes 3, 4 mended: standard {before:.3f} to {after:.3f}, released {by_size[4]:.3f} as before; {sizes}"


def _check_void() -> str:
    _, target = small_batch()
    target = target.masked_fill(target == 1, 255)
    last, first = (released.void_as_class(target, L, first=flag) for flag in (False, True))
    guess = torch.zeros_like(first) + 3
    knows_void = torch.where(first == 0, 0, guess)
    gain = [released.released_miou([(predictions, first)]) for predictions in (guess, knows_void)]
    require(bool((last < L + 1).all() and (last == L).any()), "every pixel has a class")
    require(gain[1] > gain[0] + 0.1, "predicting void raises the released mIoU of NYUv2's labels")
    scores = [_standard_miou(predictions, target) for predictions in (guess, knows_void.masked_fill(first == 0, 4))]
    require(scores[0] == scores[1], "in patlib a prediction at void counts nowhere")
    share = float((target == 255).float().mean())
    return (
        f"with {100 * share:.0f} % void, finding void moves the released mIoU {gain[0]:.2f} to {gain[1]:.2f}, ours not"
    )


def _check_bilinear_masks() -> str:
    mask = np.zeros((32, 48), dtype=np.uint8)
    mask[:, 20:] = 4
    mask[10:22, 30:41] = 9
    blurred = released.bilinear_mask(mask, (16, 24))
    nearest = np.array(Image.fromarray(mask).resize((24, 16), Image.Resampling.NEAREST))
    invented, pixels = np.unique(blurred[~np.isin(blurred, mask)], return_counts=True)
    require(len(invented) > 0, "bilinear resizing invents class ids")
    require(set(np.unique(nearest)) == set(np.unique(mask)), "nearest neighbour invents none")
    rarest = int((nearest == 9).sum() / pixels.min())
    return (
        f"a mask of classes 0, 4, 9 gains {', '.join(map(str, invented))}; the smallest has {pixels.min()} pixels, and "
        f"with 1/S each of them weighs as much as {rarest} of class 9"
    )


def _check_segnet_head() -> str:
    torch.manual_seed(0)
    images = torch.rand(2, 3, 32, 48)
    head, linear = (build_model("segnet", L, 8, released_head=flag) for flag in (True, False))
    with torch.no_grad():
        theirs, ours = head(images), linear(images)
    zero = float((theirs == 0).float().mean())
    require(
        float(theirs.min()) == 0 and 0.2 < zero < 0.8, "no logit of the released head is negative, about half are 0"
    )
    require(float(ours.min()) < 0, "a linear head has negative logits")
    low = float(ours.min())
    return f"smallest logit {float(theirs.min()):.0f}, {100 * zero:.0f} % exactly 0; of a linear head {low:.2f}"


def _check_augmentation() -> str:
    _, mirrored = shuffled(20_000, torch.Generator().manual_seed(0), augment=True)
    share = float(mirrored.float().mean())
    require(abs(share - RELEASED_MIRRORED) > 0.2, "patlib mirrors more often than the released code does")
    return (
        f"mirrored: {100 * share:.0f} % of the images, released {100 * RELEASED_MIRRORED:.0f} % of Pet's and no others"
    )


def _check_normalisation() -> str:
    image = np.zeros((1, 1, 2, 3), dtype=np.uint8)
    image[0, 0, 1] = 204
    split = Split(images=image, masks=np.zeros((1, 1, 2), dtype=np.uint8), names=("dark",))
    images, _ = DeviceSplit(split, torch.device("cpu")).batch(torch.tensor([0]))
    paper, theirs = image / image.max(), released_pet_image(image)
    ranges = [(float(values.min()), float(values.max())) for values in (paper, theirs, images)]
    require(len({(round(low, 3), round(high, 3)) for low, high in ranges}) == 3, "the three scale an image differently")
    return "an image of grey values 0 to 204: " + ", ".join(
        f"{who} {low:.1f} to {high:.1f}"
        for who, (low, high) in zip(("paper", "released on Pet", "patlib"), ranges, strict=True)
    )


RELEASED_MIRRORED = 0.2
"""The probability with which the released code mirrors a training image of Oxford-IIIT Pet."""


def released_pet_image(image: np.ndarray) -> np.ndarray:
    """An image of grey values 0..255 as the released code gives it to the network for Oxford-IIIT Pet."""
    return (image / 255 - 0.5) / 0.5


def _standard_miou(predictions: Tensor, target: Tensor, num_classes: int = L) -> float:
    metric = SegmentationMetrics(num_classes)
    metric.update(predictions, target)
    return float(metric.compute()["miou"])


PROTOCOL_DEVIATIONS = (
    Deviation(
        "mIoU",
        "Mean intersection over union; no formula.",
        "Classes 0, 1 and 2 only, whatever the dataset. In each batch the mean over those that occur in it, then the "
        "plain mean over batches: the batch size and a last short batch count.",
        "One confusion matrix over the whole split, all classes. The released number is recorded beside it.",
        "read in code",
        _check_miou,
    ),
    Deviation(
        "Void",
        "Fig. 2c names void among the masks; 20 classes in Cityscapes and 14 in NYUv2.",
        "One class more, trained on and counted. In NYUv2 it is class 0, so one of the three that mIoU scores.",
        "Ignored by losses and metrics.",
        "read in code",
        _check_void,
    ),
    Deviation(
        "Resizing masks",
        "Masks are resized with the images; no method is named.",
        "Cityscapes: bilinear interpolation of label ids, which invents ids at borders.",
        "Nearest neighbour.",
        "read in code",
        _check_bilinear_masks,
    ),
    Deviation(
        "SegNet's last layer",
        "SegNet, as cited. That one ends in a convolution.",
        "Ends in batch norm and ReLU: no logit is negative, and about half are exactly 0 at the start.",
        "A linear layer; released_head=True gives the other.",
        "read in code",
        _check_segnet_head,
    ),
    Deviation(
        "Augmentation",
        "Not mentioned.",
        "Oxford-IIIT Pet alone: mirrored with probability 0.2; shifted, scaled and rotated with 0.5. Cityscapes and "
        "NYUv2 not at all.",
        "On every dataset, mirrored with probability 0.5 and nothing else; augment=False leaves that out.",
        "read in code",
        _check_augmentation,
    ),
    Deviation(
        "Image normalisation",
        "An image of Oxford-IIIT Pet is divided by its own maximum; NyU is brought into [0, 1].",
        "Oxford-IIIT Pet: divided by 255, less 0.5, over 0.5. Cityscapes: divided by 255.",
        "Divided by 255.",
        "read in code",
        _check_normalisation,
    ),
)

READ_NOT_EXECUTED = (
    Reading(
        "Batch size",
        "Not given.",
        "An argument that must be given.",
        "8 by default.",
    ),
    Reading(
        "Learning rate",
        "Not given.",
        "Adam at 1e-3 whatever --lr says; cosine to 0 over all steps.",
        "Adam, cosine; learning_rate is used.",
    ),
    Reading(
        "Checkpoint",
        "Not given.",
        "The epoch with the lowest cross-entropy on the validation images.",
        "The epoch with the highest validation mIoU; the last epoch is recorded too.",
    ),
    Reading(
        "Test images",
        "A tenth of the data is for testing.",
        "No pass over test images: what it logs is the average over training and validation batches.",
        "Every split is scored, once, with the chosen weights.",
    ),
    Reading(
        "Splits",
        "0.8 / 0.1 / 0.1 for all datasets.",
        "Cityscapes: the official lists. Oxford-IIIT Pet: the official trainval list and 80 % of the test list train. "
        "NYUv2: 0.8 / 0.1 / 0.1 at random.",
        "Oxford-IIIT Pet: either; CamVid: the published lists.",
    ),
    Reading(
        "Pet labels",
        "Background, boundary, main body.",
        "A label is the rank of its value among those in the mask, to which shifting and rotating may have added a 0.",
        "Fixed by value: pet, background, border.",
    ),
    Reading(
        "Oxford-IIIT Pet as described",
        '"37 categories", all images 640 x 340 pixels.',
        "Three classes.",
        "37 breeds are classes of whole images; the masks have three. The photographs come in many sizes.",
    ),
    Reading(
        "The cities of Fig. 4",
        "Images of the test set with their ground truth, from Berlin, Munich, Bielefeld and Leverkusen.",
        "Reads the fine annotations of the official lists.",
        "All four are cities of Cityscapes' official test list, whose ground truth is not public.",
    ),
    Reading(
        "Cityscapes as described",
        '"Roughly 1500 images" of 1024 x 512 pixels.',
        "Reads the fine annotations of the official lists.",
        "Its authors describe 5,000 finely annotated images of 2048 x 1024, 1,525 of them for testing.",
    ),
)
"""What was read in the released code, or is said of the datasets, and is not executed here."""

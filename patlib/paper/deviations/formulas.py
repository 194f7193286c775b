"""The paper against itself: what it says of its formulas beside what they give."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from patlib.losses import PAT, Focal
from patlib.paper.deviations.claims import TEXT
from patlib.paper.deviations.row import Deviation, require, small_batch


def _check_caption_of_fig_1() -> str:
    logits, target = small_batch()
    x = logits.requires_grad_()
    p = torch.softmax(x, dim=1).gather(1, target.unsqueeze(1)).squeeze(1)
    beta = torch.exp((1 - p.detach()) / 20)
    plain, captioned, eq_4 = (
        torch.autograd.grad(loss.sum(), x, retain_graph=True)[0]
        for loss in (-p.log(), weighted_as_captioned(beta, p), -beta * p.log())
    )
    require(torch.allclose(captioned, plain), "a constant weight on p leaves the gradient of cross-entropy")
    largest = float((eq_4 / plain).max())
    require(largest > 1.04, "the same weight in Eq. 4 does not")
    moved = float((captioned / plain).max())
    return f"gradient over cross-entropy's, at most: weight on p {moved:.3f}, Eq. 4 {largest:.3f}"


def weighted_as_captioned(beta: Tensor, p: Tensor) -> Tensor:
    """Cross-entropy of normalised logits that were multiplied by the weight, as the caption of Fig. 1 has it."""
    return -(beta * p).log()


def _check_beta_range() -> str:
    gap = torch.tensor([-30.0, 0.0, 30.0], dtype=torch.float64)
    logits = torch.stack([gap, torch.zeros(3, dtype=torch.float64)]).view(1, 2, 1, 3)
    beta = PAT(2, T=5.0, size_weight=False).per_pixel(logits, torch.zeros(1, 1, 3, dtype=torch.long))[1]
    require(float(beta.max()) > TEXT["largest beta"] + 0.1, "beta exceeds 1")
    require(abs(float(beta.min()) - 1) < 1e-9, "and is never below it (eps = 0)")
    require(float(beta.max()) <= math.exp(1 / 5) + 1e-9, "it cannot explode: exp(1/T) bounds it")
    return f"T = 5, p from 1 to 0: beta from {float(beta.min()):.2f} to {float(beta.max()):.2f}"


def _check_sums() -> str:
    pixels = 12
    terms = {equation: len(range(int(TEXT[f"first pixel of Eq. {equation}"]), pixels + 1)) for equation in (2, 3)}
    require(terms == {2: pixels + 1, 3: pixels}, "Eq. 2 has one term more than there are pixels, Eq. 3 has not")
    return f"{pixels} pixels: {terms[2]} terms in Eq. 2, {terms[3]} in Eq. 3"


def _check_equal_consideration() -> str:
    target = torch.zeros(1, 10, 10, dtype=torch.long)
    target[0, 0, :4] = 1
    weight = PAT(2, adaptive=False).per_pixel(torch.zeros(1, 2, 10, 10), target)[1]
    by_class = [float(weight[target == label].sum()) for label in (0, 1)]
    ratio = float(weight.max() / weight.min())
    require(abs(by_class[0] - by_class[1]) < 1e-5, "the classes of an image count alike")
    require(ratio > TEXT["largest weight of a pixel over the smallest"] + 1, "and their pixels therefore do not")
    return f"masks of 96 and 4 pixels: each class weighs {by_class[0]:.0f}, a pixel of the small one {ratio:.0f}-fold"


def _check_fig_3c() -> str:
    p = torch.tensor([0.5, 0.999999], dtype=torch.float64)
    weight, value = PAT(2, T=20.0, size_weight=False).weight, loss_value
    beta = weight(-p.log()[None], torch.zeros(1, 2, dtype=torch.long), torch.ones(1, 2, dtype=torch.bool))[0]
    require(float(beta[1]) > 1 - 1e-9, "the coefficient of a sure pixel is 1")
    require(float(value(beta, p)[1]) < 1e-5 * float(value(beta, p)[0]), "and its loss is nullified all the same")
    return (
        "p = 0.5 and 0.999999: beta "
        + " and ".join(f"{b:.3f}" for b in beta.tolist())
        + ", loss "
        + " and ".join(f"{v:.6f}" for v in value(beta, p).tolist())
    )


def loss_value(weight: Tensor, p: Tensor) -> Tensor:
    """What pixels of these weights and true-class probabilities add to the loss of Eq. 4."""
    return -weight * p.log()


def _check_focal_as_described() -> str:
    logits = torch.tensor([2.0, 1.0], dtype=torch.float64).view(1, 2, 1, 1)
    target = torch.zeros(1, 1, 1, dtype=torch.long)
    before, after = (float(Focal(2, gamma=2.0).per_pixel(logits + shift, target)[1].sum()) for shift in (0, 3))
    described = [float(inverse(logits + shift)[0, 0, 0, 0]) for shift in (0, 3)]
    require(abs(before - after) < 1e-9, "focal's weight follows from the probability")
    require(abs(described[0] - described[1]) > 0.1, "an inverse of the logits does not")
    return (
        f"3 added to all logits: (1 - p)^2 stays {after:.3f}, 1 / logit goes {described[0]:.2f} to {described[1]:.2f}"
    )


def inverse(logits: Tensor) -> Tensor:
    """The weight that section 2.2 ascribes to the focal loss."""
    return 1 / logits


FORMULA_DEVIATIONS = (
    Deviation(
        "Where the weight stands in Fig. 1",
        "The caption multiplies the normalised logits by the weight tensor; Eq. 4 multiplies their logarithm.",
        "",
        "A weight on p turns into a term that is added to the loss. Held constant, it has no gradient at all.",
        "arithmetic",
        _check_caption_of_fig_1,
    ),
    Deviation(
        "The range of beta",
        "Coefficients are normalised into [0, 1] (Fig. 1); without T and eps they may explode (section 4.1).",
        "",
        "Eq. 5 gives 1 to exp(1/T) with eps = 0: above the range, and bounded.",
        "arithmetic",
        _check_beta_range,
    ),
    Deviation(
        "Pixels in a sum",
        "Eq. 2 sums from j = 0 to HW, Eq. 3 and 4 from j = 1.",
        "",
        "Eq. 2 has one term more than the image has pixels.",
        "arithmetic",
        _check_sums,
    ),
    Deviation(
        "Equal consideration (section 3.2)",
        "Dividing by the mask size guarantees that all class-specific loss pixels receive equal consideration.",
        "",
        "Each class of an image then counts alike, and so a pixel of a small mask counts for more.",
        "arithmetic",
        _check_equal_consideration,
    ),
    Deviation(
        "What Fig. 3c shows",
        "Loss values, those of high probabilities not nullified (section 4.2); scaling coefficients (caption).",
        "",
        "The coefficient stays at 1. The loss value goes to 0 with -log p, whatever weighs it.",
        "arithmetic",
        _check_fig_3c,
    ),
    Deviation(
        "Focal as described (section 2.2)",
        "Takes the inverse of logits as a weight for each class.",
        "",
        "The weight is (1 - p)^gamma, of a pixel, and no function of a single logit.",
        "arithmetic",
        _check_focal_as_described,
    ),
)

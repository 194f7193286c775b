"""The paper against itself: what it says of its formulas beside what they give."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from patlib.losses import PAT
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
)

"""The losses of the released code: a row for each that differs from its paper, checked on a small batch."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from patlib.losses import BLV, LDAM, PAT, ClassBalanced, build_loss
from patlib.paper import released
from patlib.paper.deviations.row import Deviation, L, require, small_batch


def _check_pat_weight() -> str:
    p = torch.tensor([0.0, 1.0], dtype=torch.float64)
    low, high = released.released_pat_weight(p).flip(0).tolist()
    logits = torch.stack([torch.tensor([-30.0, 30.0]), torch.zeros(2)]).view(1, 2, 1, 2).double()
    ours = PAT(2, T=20.0, size_weight=False).per_pixel(logits, torch.zeros(1, 1, 2, dtype=torch.long))[1]
    factor = float(ours.max() / ours.min())
    require(abs(high / low - math.e) < 1e-9, "the released weight varies by a factor e")
    require(factor < 1.052, "Eq. 5 at T = 20 varies by 5 %")
    return (
        f"weight from p = 1 to p = 0: {low:.2f} to {high:.2f}, a factor {high / low:.2f}; Eq. 5 at T = 20: {factor:.3f}"
    )


def _check_pat_mask_size() -> str:
    _, target = small_batch()
    zeros = torch.zeros(1, L, 16, 24, dtype=torch.float64, requires_grad=True)
    target = target[:1]
    large, small = (int((target == label).sum()) for label in (0, 3))

    def ratio(loss: Tensor) -> float:
        pull = _gradient(loss, zeros).abs().sum(1)
        return float(pull[target == 3].mean() / pull[target == 0].mean())

    theirs, ours = ratio(released.released_pat(zeros, target)), ratio(PAT(L)(zeros, target))
    require(abs(theirs - 1) < 1e-9, "a pixel of a rare class pulls as much as one of a frequent class")
    require(abs(ours * small / large - 1) < 1e-9, "Eq. 4 lifts it by the ratio of the mask sizes")
    return f"pull of a pixel, class of {small} over class of {large} pixels: released {theirs:.1f}, Eq. 4 {ours:.1f}"


def _check_pat_temperature() -> str:
    logits, target = small_batch()
    x = logits.requires_grad_()
    chosen = F.one_hot(target, L).movedim(-1, 1)
    linear = -_gradient(((x - x.mean(1, keepdim=True)) * chosen).sum(), x).flatten()
    alike = {
        tau: float(F.cosine_similarity(_gradient(released.released_pat(x, target, tau), x).flatten(), linear, dim=0))
        for tau in (1.0, 20.0)
    }
    eq_4 = float(
        F.cosine_similarity(_gradient(PAT(L, T=20.0, size_weight=False)(x, target), x).flatten(), linear, dim=0)
    )
    require(alike[20.0] > 0.99 > alike[1.0], "at tau = 20 the released loss is nearly linear in the logits")
    require(eq_4 < 0.95, "Eq. 4 at T = 20 is not")
    return (
        f"cosine of the gradient with that of a linear loss: released {alike[1.0]:.3f} at tau = 1, "
        f"{alike[20.0]:.4f} at tau = 20; Eq. 4 at T = 20: {eq_4:.3f}"
    )


def _check_pat_flow() -> str:
    logits, target = small_batch()
    x = logits.requires_grad_()
    nll = F.cross_entropy(x, target, reduction="none")
    stopped = _gradient((released.released_pat_weight(torch.exp(-nll)).detach() * nll).mean() / L, x)
    pull = (_gradient(released.released_pat(x, target), x) / stopped).amax((1, 2, 3))
    ours, flowing = (_gradient(PAT(L, detach=detach)(x, target), x) for detach in (True, False))
    require(float(pull.max()) > 1.3, "the gradient flows through the released weight")
    moved = float((flowing / ours).max())
    require(moved < 1.02, "in Eq. 5 at T = 20 it hardly matters")
    return f"flowing over stopped gradient, at most: released {float(pull.max()):.2f}, Eq. 5 at T = 20 {moved:.3f}"


def _check_balanced_softmax() -> str:
    logits, target = small_batch()
    start = 0.05 * logits
    counts = released.batch_pixels(target, L)
    right = float(build_loss("bms", L, counts)(start, target))
    wrong = float(released.released_balanced_softmax(start, target))
    require(wrong > 50 * right, "at the start of training the released loss is far above balanced softmax")
    low = torch.full_like(logits, -20).requires_grad_()
    plateau = released.released_balanced_softmax(low, target)
    height = float(plateau.detach())
    slope = float(_gradient(plateau, low).abs().sum())
    require(abs(height - math.log(L)) < 1e-4, "the loss tends to ln L as all logits fall")
    require(slope < 1e-4, "and its gradient vanishes there")
    high = logits.float().index_fill(1, torch.tensor([0]), 89.0)
    require(not released.released_balanced_softmax(high, target).isfinite(), "float32 overflows at a logit of 89")
    require(bool(build_loss("bms", L, counts)(high, target).isfinite()), "balanced softmax does not")
    return (
        f"near-zero logits: {wrong:.0f} against {right:.2f}; all logits -20: loss {height:.3f} = ln {L}, "
        f"gradient {slope:.0e}; not finite at a logit of 89"
    )


def _check_ldam() -> str:
    counts = [5000, 800, 60, 4]
    target = torch.repeat_interleave(torch.arange(4), torch.tensor(counts)).view(1, 1, -1)
    full = released.released_ldam_margins(target, 4)
    squeezed = released.released_ldam_margins(target, 5)[:4]  # the fifth class is not in the batch
    ours = LDAM(5, class_pixels=[*counts, 0]).margins[:4]
    require(abs(float(full.max()) - 0.5) < 1e-9, "the rarest class has the largest margin")
    require(float(squeezed.max()) < 0.05, "an absent class squeezes the margins of those present")
    require(torch.allclose(ours, full, rtol=1e-4), "patlib's margins do not move")
    return (
        f"margins of four classes {_listed(full)}; with a fifth absent from the batch {_listed(squeezed)}; "
        f"patlib {_listed(ours)} either way"
    )


def _check_blv() -> str:
    counts = [5000, 800, 60, 4]
    target = torch.repeat_interleave(torch.arange(4), torch.tensor(counts)).view(1, 1, -1)
    scale = released.released_blv_variation(target, 5)
    ours = BLV(4, class_pixels=counts).variation
    require(
        bool((scale[:4].diff() < 0).all()) and float(scale[0]) == 1, "the most frequent class has the largest noise"
    )
    require(float(scale[4]) < 0, "an absent class has negative noise")
    require(bool((ours.diff() > 0).all()) and float(ours.min()) >= 0, "in patlib noise grows with rarity")
    return f"scale from frequent to rare to absent {_listed(scale)}; patlib {_listed(ours)}"


def _check_cb() -> str:
    ratios = []
    for repeat in (1, 8):
        logits, target = (tensor.repeat(repeat, *[1] * (tensor.ndim - 1)) for tensor in small_batch())
        nll = F.cross_entropy(logits, target, reduction="none")
        class_means = sum(float(nll[target == label].mean()) for label in range(L))
        value = float(released.released_cb(logits, target))
        require(1 <= value * target.numel() / class_means < 1.6, "the released value is the sum of class means over M")
        ratios.append(value / float(nll.mean()))
    require(abs(ratios[0] / ratios[1] - 8) < 0.1, "and falls as the batch grows")
    ours = ClassBalanced(L, class_pixels=released.batch_pixels(target, L))
    require(abs(float(ours.class_weights.sum()) - L) < 1e-9, "patlib's weights sum to L")
    share = ratios[0] * 1536 / (8 * 256 * 512)
    return (
        f"as a share of cross-entropy: {ratios[0]:.1e} on 1536 pixels, {ratios[1]:.1e} on eight times as many; "
        f"so about {share:.0e} on 8 x 256 x 512"
    )


def _check_focal() -> str:
    logits, target = small_batch()
    theirs, ours = float(released.released_focal(logits, target)), float(build_loss("focal", L)(logits, target))
    require(abs(theirs * L / ours - 1) < 1e-9, "the released focal loss is L times smaller")
    return f"{theirs:.4f} against {ours:.4f}, a factor {ours / theirs:.1f} = L"


def _gradient(value: Tensor, leaf: Tensor) -> Tensor:
    return torch.autograd.grad(value, leaf)[0]


def _listed(values: Tensor) -> str:
    return "(" + ", ".join(f"{value:.2g}" for value in values.tolist()) + ")"


LOSS_DEVIATIONS = (
    Deviation(
        "PAT: the weight",
        "Eq. 5: exp((1 - p - eps) / T).",
        "No loss is called PAT. The nearest, inap, has exp(1 - q) / 2: no eps, and no T in the exponent. In ina the "
        "exponent is L times larger.",
        "Eq. 5.",
        "read in code",
        _check_pat_weight,
    ),
    Deviation(
        "PAT: the mask size",
        "Eq. 4 divides by the size of the class's mask in its image.",
        "No mask size. The mean over N, L, H and W.",
        "Eq. 4.",
        "read in code",
        _check_pat_mask_size,
    ),
    Deviation(
        "PAT: the temperature",
        "T divides the exponent of Eq. 5.",
        "tau divides the logits inside the softmax, for the weight and for the cross-entropy.",
        "Eq. 5.",
        "read in code",
        _check_pat_temperature,
    ),
    Deviation(
        "PAT: gradient through the weight",
        "Does not say.",
        "Flows.",
        "Stopped; detach=False lets it flow.",
        "read in code",
        _check_pat_flow,
    ),
    Deviation(
        "Balanced softmax (BMS)",
        "Cites Ren et al. 2020: softmax of x + log n, n counted over the training set.",
        "Log-softmax of exp(x) n in place of x + log n; n counted in the batch.",
        "x + log n, training-set counts.",
        "read in code",
        _check_balanced_softmax,
    ),
    Deviation(
        "LDAM",
        "Cites Cao et al. 2019: margins from training-set counts.",
        "Batch counts plus 0.0001. A class that the batch lacks takes the largest margin; the others lose theirs.",
        "Training-set counts. A class without pixels counts as the rarest that has some.",
        "read in code",
        _check_ldam,
    ),
    Deviation(
        "BLV",
        "Cites Wang et al. 2023: the rarer the class, the larger its noise.",
        "The log of the batch count without its minus sign: the more frequent the class, the larger its noise.",
        "As Wang et al.",
        "read in code",
        _check_blv,
    ),
    Deviation(
        "Class-balanced (CB)",
        "Cites Cui et al. 2019: training-set counts, weights rescaled to sum to L.",
        "Batch counts, beta = (M - 1) / M, weights not rescaled, the sum divided by M. Values are so small that Adam's "
        "epsilon of 1e-8 counts.",
        "As Cui et al., with beta = (N - 1) / N by default.",
        "read in code",
        _check_cb,
    ),
    Deviation(
        "Focal",
        "Cites Lin et al. 2017, who divide by the number of positives.",
        "The mean over N, L, H and W: L times smaller than the mean over pixels.",
        "The mean over valid pixels.",
        "read in code",
        _check_focal,
    ),
)

"""The eight losses as their papers write them: one-hot tensors or loops over pixels in float64, no code of patlib.

N images, L classes, H x W pixels. Every function takes (N, L, H, W) logits and (N, H, W) labels and returns a scalar
that autograd can differentiate. Nothing here is stable or fast; that is the point.
"""

import math

import torch
from torch import Tensor


def one_hot(target: Tensor, num_classes: int) -> Tensor:
    """y of the PAT paper, (N, L, H, W): all zero at an ignored pixel, because its label is no class."""
    return torch.stack([(target == label).double() for label in range(num_classes)], dim=1)


def softmax(logits: Tensor) -> Tensor:
    powers = torch.exp(logits.double())
    return powers / powers.sum(dim=1, keepdim=True)


def pixels(logits: Tensor, target: Tensor, ignore_index: int):
    """Every valid pixel as (image, logits (L,), label)."""
    for n in range(target.shape[0]):
        for h in range(target.shape[1]):
            for w in range(target.shape[2]):
                label = int(target[n, h, w])
                if label != ignore_index:
                    yield n, logits[n, :, h, w].double(), label


def negative_log_likelihood(scores: Tensor, label: int) -> Tensor:
    return -torch.log(torch.exp(scores[label]) / torch.exp(scores).sum())


def mean(terms: list[Tensor]) -> Tensor:
    return torch.stack(terms).sum() / len(terms)


def cross_entropy(logits: Tensor, target: Tensor, ignore_index: int = 255) -> Tensor:
    return mean([negative_log_likelihood(x, y) for _, x, y in pixels(logits, target, ignore_index)])


def focal(logits: Tensor, target: Tensor, gamma: float, ignore_index: int = 255) -> Tensor:
    """Lin et al. 2017, Eq. 4, on the softmax probability of the true class."""
    y, p = one_hot(target, logits.shape[1]), softmax(logits)
    return -(y * (1 - p) ** gamma * torch.log(p)).sum() / (target != ignore_index).sum()


def class_balanced_weights(beta: float, class_pixels: list[int]) -> list[float]:
    """Cui et al. 2019: the inverse of the effective number 1 + beta + beta^2 + ..., rescaled to sum to L."""
    effective = [math.fsum(beta**power for power in range(count)) for count in class_pixels]
    total = sum(1 / number for number in effective)
    return [len(class_pixels) / number / total for number in effective]


def class_balanced(logits: Tensor, target: Tensor, beta: float, class_pixels: list[int], ignore_index=255) -> Tensor:
    weights = class_balanced_weights(beta, class_pixels)
    return mean([weights[y] * negative_log_likelihood(x, y) for _, x, y in pixels(logits, target, ignore_index)])


def power_weights(power: float, class_pixels: list[int]) -> list[float]:
    """n^-power, rescaled to sum to L."""
    powers = [1 / count**power for count in class_pixels]
    return [len(class_pixels) * value / math.fsum(powers) for value in powers]


def power_weighted(logits: Tensor, target: Tensor, power: float, class_pixels: list[int], ignore_index=255) -> Tensor:
    weights = power_weights(power, class_pixels)
    return mean([weights[y] * negative_log_likelihood(x, y) for _, x, y in pixels(logits, target, ignore_index)])


def class_balanced_focal(
    logits: Tensor, target: Tensor, beta: float, gamma: float, class_pixels: list[int], ignore_index: int = 255
) -> Tensor:
    weights = class_balanced_weights(beta, class_pixels)
    terms = []
    for _, x, y in pixels(logits, target, ignore_index):
        nll = negative_log_likelihood(x, y)
        terms.append(weights[y] * (1 - torch.exp(-nll)) ** gamma * nll)
    return mean(terms)


def balanced_softmax(logits: Tensor, target: Tensor, class_pixels: list[int], ignore_index: int = 255) -> Tensor:
    """Ren et al. 2020, Eq. 3: -log(n_y e^{x_y} / sum_c n_c e^{x_c})."""
    counts = torch.tensor(class_pixels, dtype=torch.float64)
    terms = []
    for _, x, y in pixels(logits, target, ignore_index):
        weighted = counts * torch.exp(x)
        terms.append(-torch.log(weighted[y] / weighted.sum()))
    return mean(terms)


def label_distribution_aware_margin(
    logits: Tensor, target: Tensor, class_pixels: list[int], max_margin: float, scale: float, ignore_index: int = 255
) -> Tensor:
    """Cao et al. 2019, Eq. 13: the margin C / n_y^(1/4), with C such that the rarest class gets `max_margin`."""
    constant = max_margin * min(class_pixels) ** 0.25
    terms = []
    for _, x, y in pixels(logits, target, ignore_index):
        margin = constant / class_pixels[y] ** 0.25
        true = torch.exp(scale * (x[y] - margin))
        others = sum(torch.exp(scale * x[c]) for c in range(len(x)) if c != y)
        terms.append(-torch.log(true / (true + others)))
    return mean(terms)


def logit_variation(
    logits: Tensor, target: Tensor, class_pixels: list[int], noise: Tensor, ignore_index: int = 255
) -> Tensor:
    """Wang et al. 2023: x_c + |noise| f_c / max f, f_c = log(sum n) - log n_c, for a given noise (N, L, H, W)."""
    frequency = [math.log(sum(class_pixels)) - math.log(count) for count in class_pixels]
    scale = torch.tensor([value / max(frequency) for value in frequency], dtype=torch.float64)
    varied = logits.double() + noise.double().abs() * scale[:, None, None]
    return cross_entropy(varied, target, ignore_index)


def pat(
    logits: Tensor,
    target: Tensor,
    temperature: float,
    epsilon: float = 0.0,
    detach: bool = True,
    size_weight: bool = True,
    adaptive: bool = True,
    alpha: float = 1.0,
) -> Tensor:
    """PAT, Eq. 4 and 5, with every tensor of the size of the logits that the paper names; 1/S to the power alpha."""
    y, p = one_hot(target, logits.shape[1]), softmax(logits)
    size = y.sum(dim=(2, 3), keepdim=True)  # S (N, L, 1, 1)
    beta = 1 / torch.exp((p - 1 + epsilon) / temperature)
    if detach:
        beta = beta.detach()
    if not adaptive:
        beta = torch.ones_like(beta)
    # An absent class is 0/0 in Eq. 4; it has no pixel, hence no term.
    share = y / torch.where(size > 0, size, torch.ones_like(size)) ** alpha if size_weight else y
    return -(beta * share * torch.log(p)).sum() / logits.shape[0]


def pat_by_pixel(logits: Tensor, target: Tensor, temperature: float, ignore_index: int = 255) -> float:
    """The value of Eq. 4 again, with no tensor at all: sums of Python floats."""
    sizes: dict[tuple[int, int], int] = {}
    for n, _, y in pixels(logits, target, ignore_index):
        sizes[n, y] = sizes.get((n, y), 0) + 1
    total = 0.0
    for n, x, y in pixels(logits, target, ignore_index):
        powers = [math.exp(value) for value in x.tolist()]
        p = powers[y] / sum(powers)
        total += math.exp((1 - p) / temperature) * -math.log(p) / sizes[n, y]
    return total / logits.shape[0]

"""What one method does to the pixels of one image, computed by the library's losses and autograd."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.colors import to_hex

from patlib.datasets import IGNORE_INDEX
from patlib.losses import build_loss, loss_parameters
from patlib.losses.checks import ClassPixels
from patlib.teaching.controls import DoublingSlider
from patlib.teaching.weight_curve import EPS, GAMMA, PAPER_T

EXPLORED_METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "PAT": ("pat", {}),
    "PAT, beta only": ("pat", {"size_weight": False}),
    "PAT, 1/S only": ("pat", {"adaptive": False}),
    "cross-entropy": ("ce", {}),
    "focal": ("focal", {}),
    "class-balanced": ("cb", {}),
    "class-balanced focal": ("cbfocal", {}),
    "balanced softmax": ("bms", {}),
    "LDAM": ("ldam", {}),
    "BLV": ("blv", {}),
}
"""What a reader can choose: a name of :data:`patlib.losses.LOSSES` and fixed parameters of that loss."""


@dataclass(frozen=True)
class PixelView:
    """What one method does to the pixels of one image."""

    p: np.ndarray
    """(H,W) probability of the true class in the method's own softmax; NaN where void."""
    weight: np.ndarray
    """(H,W) weight of each pixel in the sum of the loss; NaN where void."""
    share: np.ndarray
    r"""(L,) share of :math:`\sum|\partial\mathcal{L}/\partial\hat{x}|` that comes from pixels of each true class."""
    sizes: np.ndarray
    """(L,) mask sizes S; 0 for a class that the image does not show."""
    curve_p: np.ndarray
    """(G,) probabilities from 0 to 1."""
    curve: np.ndarray
    """(L,G) the weight that a pixel of each class would have at these; NaN for a class that is not in the image."""


def pixel_view(
    logits: np.ndarray, target: np.ndarray, class_pixels: ClassPixels, method: str = "PAT", **parameters: float
) -> PixelView:
    """Weights and gradients of a method for logits (L,H,W) and labels (H,W), 255 where void.

    ``method`` is a key of :data:`EXPLORED_METHODS`; of ``parameters`` (T, eps, gamma) it takes those that it has.
    ``class_pixels`` (L,) are the training set's pixel counts. BLV's noise is drawn from a fixed seed.

    Raises ValueError for an unknown method, a mask of void alone, and what the loss itself refuses.
    """
    if method not in EXPLORED_METHODS:
        raise ValueError(f"unknown method {method!r}; known: {', '.join(EXPLORED_METHODS)}")
    name, fixed = EXPLORED_METHODS[method]
    own = {key: value for key, value in parameters.items() if key in loss_parameters(name)}
    loss = build_loss(name, len(logits), class_pixels, IGNORE_INDEX, **fixed, **own)
    x = torch.as_tensor(logits)[None].double().requires_grad_()
    y = torch.as_tensor(target)[None].long()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        (gradient,) = torch.autograd.grad(loss(x, y), x)
        torch.manual_seed(0)
        nll, weight = (part.detach()[0] for part in loss.per_pixel(x, y))

    void = y[0] == IGNORE_INDEX
    labels = y[0][~void]
    if len(labels) == 0:
        raise ValueError(f"every pixel of the mask is void ({IGNORE_INDEX}); choose an image that shows a class")
    sizes = torch.bincount(labels, minlength=len(logits))
    by_class = torch.bincount(labels, weights=gradient[0].abs().sum(0)[~void], minlength=len(logits))
    # The curve's pixels stand beside the image's and are marked invalid, so that no mask size counts them.
    p = torch.linspace(0, 1, 101, dtype=torch.float64)
    on_curve = torch.arange(len(logits)).repeat_interleave(len(p))
    together = loss.weight(
        torch.cat([nll[~void], -p.log().repeat(len(logits))])[None],
        torch.cat([labels, on_curve])[None],
        (torch.arange(len(labels) + len(on_curve)) < len(labels))[None],
    )
    curve = together.expand(1, len(labels) + len(on_curve))[0, len(labels) :].view(len(logits), len(p))
    return PixelView(
        p=torch.exp(-nll).masked_fill(void, torch.nan).numpy(),
        weight=weight.masked_fill(void, torch.nan).numpy(),
        share=(by_class / by_class.sum()).numpy(),
        sizes=sizes.numpy(),
        curve_p=p.numpy(),
        curve=curve.masked_fill(sizes[:, None] == 0, torch.nan).numpy(),
    )


# What the widget and the chart have alike.
TEMPERATURE = DoublingSlider("T", PAPER_T, -7, 1.5, 0.25)  # 0.16 to 57
SLIDERS = (TEMPERATURE, EPS, GAMMA)
WEIGHT_RANGE = (1e-5, 1e3)
"""The axis of the curve: from a road pixel's 1/S to beta at the smallest T."""
LARGEST_SHARE = 0.5
RELATIVE = {-2: "≤ 0.01", -1: "0.1", 0: "1", 1: "10", 2: "≥ 100"}
"""The colour scale of the map: log10 of a weight over the image's mean weight, and how it is labelled."""
VOID_BACKGROUND = "#8c8c8c"
TICK_COLOUR = "#d55e00"


def classes_by_size(sizes: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The classes of the image from the largest mask to the smallest, and a colour for each: from dark to light."""
    order = np.argsort(-sizes, kind="stable")[: int((sizes > 0).sum())]
    return order, [to_hex(colour) for colour in plt.cm.viridis(np.linspace(0.15, 0.88, len(order)))]

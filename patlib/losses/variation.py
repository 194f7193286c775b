"""The loss that varies the logits at random: BLV."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor

from patlib.losses.base import PixelLoss, compute_dtype, per_class
from patlib.losses.checks import ClassPixels, check_strength


class BLV(PixelLoss):
    r"""Balancing logit variation (Wang et al. 2023): mean cross-entropy of :math:`x^c+|\delta|\,f_c/\max f`.

    Here :math:`f_c=\log\sum n-\log n_c`, and the noise :math:`\delta` is clipped to [-1, 1] and drawn anew for every
    pixel and class. In ``eval()`` there is no noise, and the loss is plain cross-entropy.

    ``law`` "gaussian" is the authors' N(0, sigma). They give no other; the PAT paper names two more without a formula,
    read here as: "uniform" with standard deviation sigma (bounds :math:`\pm\sqrt3\sigma`) and "xavier", a Glorot
    normal with gain sigma and fan L (standard deviation :math:`\sigma/\sqrt L`). The mean is over valid pixels; the
    authors' configuration also counts ignored ones. ``reduction`` is that of the cross-entropy.

    The chapter ``notebooks/07_the_baselines.md`` computes it by hand.

    Example:
        >>> import torch
        >>> from patlib.losses import BLV
        >>> logits = torch.zeros(1, 3, 2, 2)
        >>> target = torch.tensor([[[0, 0], [0, 1]]])
        >>> print(f"{BLV(3, class_pixels=[90, 9, 1]).eval()(logits, target):.4f}")
        1.0986
    """

    name, label, colour = "blv", "BLV", "#fbafe4"
    needs_class_pixels = True
    laws = ("gaussian", "uniform", "xavier")
    variation: Tensor

    def __init__(
        self,
        num_classes: int,
        *,
        class_pixels: ClassPixels = None,
        ignore_index: int = 255,
        reduction: str = "mean",
        sigma: Annotated[float, "Standard deviation of the noise (xavier: its gain)."] = 0.5,
        law: Annotated[str, "Of the noise: gaussian, uniform or xavier."] = "gaussian",
    ) -> None:
        super().__init__(num_classes, class_pixels=class_pixels, ignore_index=ignore_index, reduction=reduction)
        self.sigma = check_strength("sigma", sigma)
        if law not in self.laws:
            raise ValueError(f"law must be one of {', '.join(self.laws)}; got {law!r}")
        self.law = law
        rarity = self.class_pixels.sum().log() - self.class_pixels.log()
        self.register_buffer("variation", rarity / rarity.max(), persistent=False)

    def adjust(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The logits (N,L,H,W) with noise in training, and as they are in ``eval()``."""
        if not self.training:
            return logits
        # Compiled for a CPU, noise would be drawn number by number, which takes twice as long as the whole eager loss.
        aside = torch.compiler.is_compiling() and logits.device.type == "cpu"
        spread = self.sigma / (math.sqrt(self.num_classes) if self.law == "xavier" else 1)
        noise = (_draw_aside if aside else _draw)(logits.detach(), spread, self.law == "uniform")
        # In place: the noise's own memory becomes the adjusted logits.
        return noise.clamp_(-1, 1).abs_().mul_(per_class(self.variation, logits)).add_(logits)


def _draw(logits: Tensor, spread: float, uniform: bool) -> Tensor:
    """Noise of that standard deviation, normal or uniform, for each pixel and class (N,L,H,W)."""
    noise = torch.empty_like(logits, dtype=compute_dtype(logits))
    return noise.uniform_(-math.sqrt(3) * spread, math.sqrt(3) * spread) if uniform else noise.normal_(0, spread)


_draw_aside = torch.library.custom_op(
    "patlib::draw_noise", _draw, mutates_args=(), tags=(torch.Tag.nondeterministic_seeded,)
)


@_draw_aside.register_fake
def _shape_of_draw(logits: Tensor, spread: float, uniform: bool) -> Tensor:
    return torch.empty_like(logits, dtype=compute_dtype(logits))

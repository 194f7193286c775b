r"""Segmentation metrics from one confusion matrix, accumulated over a whole split.

With :math:`C_{tp}` the pixels of true class t predicted as p, and TP, FP, FN of a class c read off it:

.. math:: IoU_c=\frac{TP}{TP+FP+FN},\quad Dice_c=\frac{2TP}{2TP+FP+FN},\quad acc_c=\frac{TP}{TP+FN}

Means run over the classes for which the fraction is defined; a class that neither occurs nor is predicted has none.
The code released with the PAT paper averages over batches and scores the first three classes only; that number is
not comparable with this one, and has a class of its own: :class:`ReleasedMeanIoU`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from patlib.metrics.scores import confusion_scores, frequency_groups


class SegmentationMetrics(Metric):
    """Accumulates predictions of a split; one instance a split.

    State lives on the metric's device and is summed over processes by torchmetrics; ``update`` never reads it back,
    so a GPU is not stalled. Pixels labelled ``ignore_index`` count nowhere. ``class_pixels`` (L,), the training
    set's pixel counts, adds the head, medium and tail means.
    """

    full_state_update = False
    higher_is_better = True
    confusion: Tensor
    nll_sum: Tensor
    nll_pixels: Tensor

    def __init__(
        self, num_classes: int, ignore_index: int = 255, class_pixels: Sequence[float] | Tensor | None = None
    ) -> None:
        super().__init__()
        if not isinstance(num_classes, int) or num_classes < 2:
            raise ValueError(f"num_classes must be an integer of at least 2, got {num_classes!r}")
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.groups = frequency_groups(class_pixels, num_classes) if class_pixels is not None else {}
        self.add_state("confusion", torch.zeros(num_classes, num_classes, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("nll_sum", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("nll_pixels", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, predictions: Tensor, target: Tensor) -> None:
        """Add a batch: logits (N,L,H,W) or predicted labels (N,H,W), and true labels (N,H,W).

        Logits also feed the cross-entropy. Raises ValueError for shapes that do not fit and, on the CPU, for a label
        that is neither a class nor ``ignore_index``.
        """
        from_logits = predictions.is_floating_point()
        if target.is_floating_point():
            raise ValueError(f"target must hold integer labels, got {target.dtype}")
        expected = (target.shape[0], self.num_classes, *target.shape[1:]) if from_logits else tuple(target.shape)
        if target.ndim != 3 or predictions.shape != expected:
            raise ValueError(
                f"expected logits (N, {self.num_classes}, H, W) or integer labels (N, H, W) with a target (N, H, W); "
                f"got {predictions.dtype} {tuple(predictions.shape)} with a target {tuple(target.shape)}"
            )
        target = target.long()
        valid = target != self.ignore_index
        truth = target.masked_fill(~valid, 0)
        labels = predictions.argmax(1) if from_logits else predictions.long().masked_fill(~valid, 0)
        _check_labels("target", truth, self.num_classes, self.ignore_index)
        _check_labels("predicted", labels, self.num_classes, self.ignore_index)
        # Adding 0 or 1 per pixel keeps shapes static; bincount would read its largest index back to the host.
        # Labels on a GPU are not read back to be checked: a predicted one out of range goes to a cell out of range,
        # where the kernel stops, and not to another class's.
        known = (labels >= 0) & (labels < self.num_classes)
        cells = torch.where(known, truth * self.num_classes + labels, self.confusion.numel()).flatten()
        self.confusion.view(-1).scatter_add_(0, cells, valid.flatten().long())
        if from_logits:
            log_p = F.log_softmax(predictions.float(), dim=1)
            # Summed apart, because CUDA has no deterministic kernel for the two in one.
            self.nll_sum += F.nll_loss(log_p, target, ignore_index=self.ignore_index, reduction="none").sum()
            self.nll_pixels += valid.sum()

    def compute(self) -> dict[str, Tensor]:
        """The metrics, float tensors on the metric's device: fractions in [0, 1], cross-entropy in nats.

        ``miou``, ``iou`` (L,) with NaN where a class never occurs, ``pixel_acc``, ``mean_acc``, ``mean_dice``,
        ``dice_err`` = 1 - mean Dice, ``cross_entropy`` over valid pixels (NaN without logits; the PAT paper's
        "Dice Err" is most likely this number), and with class pixels ``miou_head``, ``miou_medium``, ``miou_tail``.
        """
        scores = confusion_scores(self.confusion)
        scores["cross_entropy"] = self.nll_sum / self.nll_pixels  # 0 / 0 = NaN says that no logits were seen
        for group, classes in self.groups.items():
            scores[f"miou_{group}"] = scores["iou"][classes].nanmean()
        return scores


class ReleasedMeanIoU(Metric):
    r"""What the code released with the PAT paper reports as mIoU, for comparison with numbers that may come from it.

    In each batch: the mean IoU over those of the classes 0, 1 and 2 that occur in its labels, where a prediction of any
    other class still counts as a miss. Then the plain mean over batches. So it depends on the order of the classes and
    on how the split was cut into batches. Pixels labelled ``ignore_index`` are left out, where the released code has
    void as a class; a batch without any of the three is left out too.
    """

    full_state_update = False
    higher_is_better = True
    total: Tensor
    batches: Tensor

    def __init__(self, ignore_index: int = 255) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("batches", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, predictions: Tensor, target: Tensor) -> None:
        """Add a batch: logits (N,L,H,W) or predicted labels (N,H,W), and true labels (N,H,W)."""
        labels = predictions.argmax(1) if predictions.is_floating_point() else predictions
        valid = target != self.ignore_index
        classes = torch.arange(3, device=target.device).view(3, 1, 1, 1)
        true = ((target == classes) & valid).flatten(1)  # valid, because any label may be the ignored one
        predicted = ((labels == classes) & valid).flatten(1)
        present = true.any(1)
        iou = (true & predicted).sum(1) / (true | predicted).sum(1).clamp_min(1)
        self.total += (iou * present).sum() / present.sum().clamp_min(1)
        self.batches += present.any()

    def compute(self) -> Tensor:
        """The mean over batches, a fraction in [0, 1]; NaN if no batch had one of the three classes."""
        return self.total / self.batches


def _check_labels(what: str, labels: Tensor, num_classes: int, ignore_index: int) -> None:
    if labels.device.type != "cpu" or labels.numel() == 0:
        return
    low, high = (int(bound) for bound in torch.aminmax(labels))
    if low < 0 or high >= num_classes:
        raise ValueError(
            f"{what} label {low if low < 0 else high} is neither a class (0..{num_classes - 1}) "
            f"nor the ignore label {ignore_index}"
        )

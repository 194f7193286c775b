"""The mean IoU of the code released with the PAT paper, which is another number than the one of a whole split."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

from patlib.metrics.checks import is_logits, shapes
from patlib.tensors import check_classes, check_ignored


class ReleasedMeanIoU(Metric):
    r"""What the code released with the PAT paper reports as mIoU, for comparison with numbers that may come from it.

    In each batch: the mean IoU over those of the classes 0, 1 and 2 that occur in its labels, where a prediction of any
    other class still counts as a miss. Then the plain mean over batches. So it depends on the order of the classes and
    on how the split was cut into batches. Pixels labelled ``ignore_index`` are left out, where the released code has
    void as a class; a batch without any of the three is left out too. Logits that are NaN or plus infinity at a
    labelled pixel make it NaN. Raises ValueError for an ``ignore_index`` that is no label or is a class: one of the
    three here, and one that is a channel of the logits in ``update``. The chapter ``notebooks/09_the_metrics.md`` says
    what the metric leaves out.

    Example:
        >>> import torch
        >>> from patlib.metrics import ReleasedMeanIoU
        >>> metric = ReleasedMeanIoU()
        >>> target = torch.tensor([[[0, 0, 5, 5]]])  # class 5 is not looked at
        >>> metric.update(torch.tensor([[[0, 5, 5, 5]]]), target)
        >>> metric.compute()
        tensor(0.5000)
    """

    full_state_update = False
    higher_is_better = True
    total: Tensor
    batches: Tensor

    def __init__(self, ignore_index: int = 255) -> None:
        super().__init__()
        _, self.ignore_index = check_classes(3, ignore_index)
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("batches", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, predictions: Tensor, target: Tensor) -> None:
        """Add a batch: logits (N,L,H,W) or predicted labels (N,H,W), and true labels (N,H,W).

        Raises TypeError for what is no tensor, and ValueError for labels that are not of an integer type, and for
        shapes and devices that do not fit.
        """
        from_logits = is_logits(predictions, target)
        shape = predictions.shape[:1] + predictions.shape[2:] if from_logits else predictions.shape
        if target.ndim != 3 or predictions.ndim != 3 + from_logits or shape != target.shape:
            raise ValueError(
                "expected logits (N, L, H, W) or integer labels (N, H, W) with a target (N, H, W); "
                + shapes(predictions, target)
            )
        if from_logits:
            check_ignored(predictions.shape[1], self.ignore_index)
        target = target.long()
        labels = predictions.argmax(1) if from_logits else predictions.long()
        valid = target != self.ignore_index
        classes = torch.arange(3, device=target.device).view(3, 1, 1, 1)
        true = (target == classes).flatten(1)
        predicted = ((labels == classes) & valid).flatten(1)
        present = true.any(1)
        iou = (true & predicted).sum(1) / (true | predicted).sum(1).clamp_min(1)
        mean = (iou * present).sum() / present.sum().clamp_min(1)
        if from_logits:
            mean = mean.where((predictions.amax(1).isfinite() | ~valid).all(), torch.nan)
        self.total += mean
        self.batches += present.any()

    def compute(self) -> Tensor:
        """The mean over batches, a fraction in [0, 1]; NaN if no batch had one of the three classes."""
        return self.total / self.batches

r"""Segmentation metrics from one confusion matrix, accumulated over a whole split.

With :math:`C_{tp}` the pixels of true class t predicted as p, and TP, FP, FN of a class c read off it:

.. math:: IoU_c=\frac{TP}{TP+FP+FN},\quad Dice_c=\frac{2TP}{2TP+FP+FN} \\
          acc_c=\frac{TP}{TP+FN}

Means run over the classes for which the fraction is defined; a class that neither occurs nor is predicted has none.
All are of regions: for scores at the borders, such as a boundary IoU, see the recipes of the book.
The code released with the PAT paper averages over batches and scores the first three classes only; that number is
not comparable with this one, and has a class of its own: :class:`~patlib.metrics.ReleasedMeanIoU`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from patlib.metrics.checks import MOST_CLASSES, MOST_NATS, is_logits, shapes
from patlib.metrics.drawing import draw_bars, draw_confusion
from patlib.metrics.scores import confusion_scores, frequency_groups
from patlib.tensors import check_classes, check_labels

if TYPE_CHECKING:
    import pandas as pd


class SegmentationMetrics(Metric):
    """Counts the predictions of a whole split in one confusion matrix, and scores it; use one instance for each split.

    The chapter ``notebooks/09_the_metrics.md`` builds every score by hand and shows why batches are summed before they
    are scored.

    State lives on the metric's device and is summed over processes by torchmetrics; ``update`` never reads it back,
    so a GPU is not stalled. Pixels labelled ``ignore_index`` count nowhere. ``class_pixels`` (L,), the training
    set's pixel counts, adds the head, medium and tail means.

    Logits that are NaN or plus infinity at a labelled pixel make every score NaN, on any device: the class that
    ``argmax`` picks among them means nothing. Raises ValueError for an ``ignore_index`` that is a class, as 255 is with
    more than 255 classes, and for more than 10,000 classes, whose matrix would take a gigabyte.

    Example:
        >>> import torch
        >>> from patlib.metrics import SegmentationMetrics
        >>> metrics = SegmentationMetrics(num_classes=3)
        >>> predicted = torch.tensor([[[0, 0, 1], [1, 2, 0]]])
        >>> target = torch.tensor([[[0, 0, 1], [1, 1, 255]]])
        >>> metrics.update(predicted, target)
        >>> print(f"{metrics.compute()['miou']:.4f}")
        0.5556
        >>> metrics.compute()["iou"].tolist()
        [1.0, 0.6666666666666666, 0.0]
    """

    full_state_update = False
    higher_is_better = True
    confusion: Tensor
    nll_sum: Tensor
    nll_rest: Tensor
    nll_pixels: Tensor

    def __init__(
        self, num_classes: int, ignore_index: int = 255, class_pixels: Sequence[float] | Tensor | None = None
    ) -> None:
        super().__init__()
        num_classes, ignore_index = check_classes(num_classes, ignore_index, MOST_CLASSES)
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.groups = frequency_groups(class_pixels, num_classes) if class_pixels is not None else {}
        self.add_state("confusion", torch.zeros(num_classes, num_classes, dtype=torch.int64), dist_reduce_fx="sum")
        # What float32 has no room for when a batch is added to a large sum is kept beside it (Neumaier's summation):
        # as exact as float64, which not every device has.
        self.add_state("nll_sum", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("nll_rest", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("nll_pixels", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, predictions: Tensor, target: Tensor) -> None:
        """Add a batch: logits (N,L,H,W) or predicted labels (N,H,W), and true labels (N,H,W).

        Points (N,W) and volumes (N,D,H,W) are images of one and of three dimensions, as in the losses.
        Logits also feed the cross-entropy. Raises TypeError for what is no tensor, and ValueError for labels that are
        not of an integer type, for shapes and devices that do not fit and, on the CPU, for a label that is neither a
        class nor ``ignore_index``.
        """
        from_logits = is_logits(predictions, target)
        expected = (*target.shape[:1], self.num_classes, *target.shape[1:]) if from_logits else tuple(target.shape)
        if target.ndim not in (2, 3, 4) or predictions.shape != expected:
            raise ValueError(
                f"expected logits (N, {self.num_classes}, H, W) or integer labels (N, H, W) with a target (N, H, W), "
                "or points (N, W) or volumes (N, D, H, W) likewise; " + shapes(predictions, target)
            )
        target = target.long()
        valid = target != self.ignore_index
        truth = target.masked_fill(~valid, 0)
        labels = predictions.argmax(1) if from_logits else predictions.long().masked_fill(~valid, 0)
        check_labels("target label", truth, self.num_classes, self.ignore_index)
        check_labels("predicted label", labels, self.num_classes, self.ignore_index)
        # Adding 0 or 1 per pixel keeps shapes static; bincount would read its largest index back to the host.
        # Labels on a GPU are not read back to be checked: a predicted one out of range goes to a cell out of range,
        # where the kernel stops, and not to another class's.
        known = (labels >= 0) & (labels < self.num_classes)
        cells = torch.where(known, truth * self.num_classes + labels, self.confusion.numel()).flatten()
        self.confusion.view(-1).scatter_add_(0, cells, valid.flatten().long())
        if from_logits:
            log_p = F.log_softmax(predictions.float(), dim=1)
            # Summed apart, because CUDA has no deterministic kernel for the two in one.
            each = F.nll_loss(log_p, target, ignore_index=self.ignore_index, reduction="none")
            # Logits far apart overflow in the softmax and are finite; a true class at minus infinity is not.
            lost = predictions.gather(1, truth.unsqueeze(1)).squeeze(1).isneginf() & valid
            nll = each.clamp_max(MOST_NATS).masked_fill(lost, torch.inf).sum()
            whole = self.nll_sum + nll
            larger, smaller = torch.maximum(self.nll_sum, nll), torch.minimum(self.nll_sum, nll)
            self.nll_rest += (larger - whole) + smaller
            self.nll_sum = whole
            self.nll_pixels += valid.sum()

    def compute(self) -> dict[str, Tensor]:
        """The metrics, float tensors on the metric's device: fractions in [0, 1], cross-entropy in nats.

        ``miou``, ``iou`` (L,) with NaN where a class never occurs, ``pixel_acc``, ``mean_acc``, ``mean_dice``,
        ``dice_err`` = 1 - mean Dice, ``cross_entropy`` over valid pixels (NaN without logits; the PAT paper's
        "Dice Err" is most likely this number), and with class pixels ``miou_head``, ``miou_medium``, ``miou_tail``.
        As in the losses, a pixel of finite logits costs at most 1e7 nats. All are NaN if a labelled pixel's logits, or
        its cross-entropy, were not finite.
        """
        scores = confusion_scores(self.confusion)
        for group, classes in self.groups.items():
            scores[f"miou_{group}"] = scores["iou"][classes].nanmean()
        nll = torch.stack([self.nll_sum, self.nll_rest])
        nll = (nll if nll.device.type == "mps" else nll.double()).sum()
        scores["cross_entropy"] = nll / self.nll_pixels  # 0 / 0 = NaN says that no logits were seen
        return {name: value.where(nll.isfinite(), torch.nan) for name, value in scores.items()}

    def scalars(self) -> dict[str, float]:
        """The metrics that are one number each, as floats: what Lightning's ``log_dict`` and a log file take."""
        return {name: float(value) for name, value in self.compute().items() if value.ndim == 0}

    def per_class(self, classes: Sequence[str] | None = None) -> pd.DataFrame:
        r"""A row for each class: IoU, Dice, precision :math:`TP/(TP+FP)`, recall :math:`TP/(TP+FN)`, and true pixels.

        The scores are fractions in [0, 1], NaN where undefined. ``classes`` (L,) names the rows, which otherwise are
        named by their ids. Needs pandas.
        """
        import pandas as pd

        confusion = self._finite_confusion()
        hits, true, predicted = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
        columns = {
            "IoU": hits / (true + predicted - hits),
            "Dice": 2 * hits / (true + predicted),
            "precision": hits / predicted,
            "recall": hits / true,
        }
        frame = pd.DataFrame({name: values.numpy() for name, values in columns.items()}, index=self._names(classes))
        return frame.assign(pixels=self._summed().sum(1).numpy()).rename_axis(index="class")

    def plot(self, val: Tensor | None = None, ax: Any = None, labels: Sequence[str] | None = None) -> tuple[Any, Any]:
        """Draw the confusion matrix, each row as shares of its true pixels, or a bar for each class.

        The convention is that of torchmetrics: ``val`` is drawn if it is given, and otherwise what was counted so far,
        on the Matplotlib axes ``ax`` if they are given, and otherwise on a new figure; the figure and its axes are
        returned. A matrix ``val`` (L,L) is drawn as a confusion matrix, where the row of a class without a pixel is
        empty; scores ``val`` (L,), such as ``compute()["iou"]``, as bars from 0 to 1. ``labels`` (L,) names the
        classes. Raises ValueError for other shapes. Needs Matplotlib.
        """
        names = self._names(labels)
        val = self._finite_confusion() if val is None else val.detach().cpu().double()
        if val.shape == (self.num_classes,):
            return draw_bars(val, names, ax)
        if val.shape != (self.num_classes, self.num_classes):
            raise ValueError(
                f"val must be a matrix ({self.num_classes}, {self.num_classes}) or scores ({self.num_classes},), "
                f"got {tuple(val.shape)}"
            )
        return draw_confusion(val, names, ax)

    def _summed(self) -> Tensor:
        """The confusion matrix (L,L) int64 on the CPU, of all processes."""
        with self.sync_context():
            return self.confusion.cpu()

    def _finite_confusion(self) -> Tensor:
        """The confusion matrix (L,L) float64 on the CPU; NaN if a score would be."""
        broken = self.compute()["pixel_acc"].isnan().cpu()
        return self._summed().double().masked_fill(broken, torch.nan)

    def _names(self, classes: Sequence[str] | None) -> list[str] | list[int]:
        if classes is not None and len(classes) != self.num_classes:
            raise ValueError(f"give {self.num_classes} class names, one a class; got {len(classes)}")
        return list(range(self.num_classes)) if classes is None else list(classes)

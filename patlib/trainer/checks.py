"""Whether what is handed to a run can be trained on: the dataset, and a loss of one's own."""

from __future__ import annotations

from torch import nn

from patlib.datasets import IGNORE_INDEX, PreparedDataset
from patlib.losses import PixelLoss


def check_dataset(dataset: PreparedDataset) -> None:
    """Raise ValueError for an object that is no prepared dataset, or whose train or val split has no labelled pixel."""
    if not isinstance(dataset, PreparedDataset):
        raise ValueError(
            f"dataset must be a patlib.datasets.PreparedDataset, as patlib.datasets.prepare gives; got "
            f"{type(dataset).__name__}. The trainer makes batches itself and takes no DataLoader"
        )
    for name, purpose in (("train", "trained on"), ("val", "by which the best epoch is chosen")):
        if name not in dataset.splits:
            raise ValueError(
                f"the dataset {dataset.spec.name!r} has no split {name!r}, {purpose}: it has "
                f"{', '.join(dataset.splits) or 'none'}"
            )
        # The search ends at the first labelled pixel, so a large split is hardly read.
        if not any((mask != IGNORE_INDEX).any() for mask in dataset.splits[name].masks):
            raise ValueError(
                f"the split {name!r} of the dataset {dataset.spec.name!r}, {purpose}, has no labelled pixel: each of "
                f"its {len(dataset.splits[name])} masks is {IGNORE_INDEX} (ignored) throughout"
            )


def check_loss(loss: PixelLoss, dataset: PreparedDataset) -> None:
    """Raise ValueError for an object that is no loss of this library's kind, or does not fit the dataset."""
    if not isinstance(loss, PixelLoss):
        kind = type(loss).__name__
        if not isinstance(loss, nn.Module):
            raise ValueError(f"loss must be a patlib.losses.PixelLoss, which is an object; got {kind}")
        raise ValueError(
            f"loss must be a patlib.losses.PixelLoss, whose normaliser a shared batch needs; got {kind}. Write it as a "
            f"subclass, whose weight() or adjust() is what is new, or put it into one as it is:\n"
            f"    class Wrapped(PixelLoss):\n"
            f"        def forward(self, logits, target, normaliser=None):\n"
            f"            value = self.theirs(logits, target)  # (N,{dataset.spec.num_classes},H,W), (N,H,W); "
            f"{IGNORE_INDEX} is void\n"
            f"            share = 1 if normaliser is None else self.normaliser(target != {IGNORE_INDEX}) / normaliser\n"
            f"            return value * share\n"
            f"    loss = Wrapped({dataset.spec.num_classes})\n"
            f"    loss.theirs = {kind}(...)"
        )
    fitting = {"num_classes": dataset.spec.num_classes, "ignore_index": IGNORE_INDEX, "reduction": "mean"}
    for name, value in fitting.items():
        if getattr(loss, name) != value:
            raise ValueError(
                f"the loss has {name}={getattr(loss, name)!r}, and on the dataset {dataset.spec.name!r} "
                f"the trainer needs {name}={value!r}"
            )

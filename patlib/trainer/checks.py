"""Whether what is handed to a run can be trained on: the dataset, and a loss of one's own."""

from __future__ import annotations

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
        raise ValueError(
            f"loss must be a patlib.losses.PixelLoss, whose normaliser a shared batch needs; got "
            f"{type(loss).__name__}. Write it as a subclass, whose weight() or adjust() is what is new"
        )
    fitting = {"num_classes": dataset.spec.num_classes, "ignore_index": IGNORE_INDEX, "reduction": "mean"}
    for name, value in fitting.items():
        if getattr(loss, name) != value:
            raise ValueError(
                f"the loss has {name}={getattr(loss, name)!r}, and on the dataset {dataset.spec.name!r} "
                f"the trainer needs {name}={value!r}"
            )

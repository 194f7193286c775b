"""Datasets: what they are (`DatasetSpec`), and how to get one as arrays (`prepare`)."""

from patlib.datasets.prepared import DATASETS, PreparedDataset, Split, get_spec, prepare
from patlib.datasets.spec import IGNORE_INDEX, DataError, DatasetSpec, colourise

__all__ = [
    "DATASETS",
    "IGNORE_INDEX",
    "DataError",
    "DatasetSpec",
    "PreparedDataset",
    "Split",
    "colourise",
    "get_spec",
    "prepare",
]

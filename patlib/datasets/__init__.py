"""Datasets: what they are (`DatasetSpec`), and how to get one, or one's own, as arrays (`prepare`, `from_folder`)."""

from patlib.datasets.adapters import from_folder
from patlib.datasets.prepared import PreparedDataset, Split, prepare
from patlib.datasets.registry import DATASETS, get_spec
from patlib.datasets.spec import IGNORE_INDEX, DataError, DatasetSpec, colourise

__all__ = [
    "DATASETS",
    "IGNORE_INDEX",
    "DataError",
    "DatasetSpec",
    "PreparedDataset",
    "Split",
    "colourise",
    "from_folder",
    "get_spec",
    "prepare",
]

"""Datasets: what they are (`DatasetSpec`), and how to get one as arrays: `prepare`, `from_folder`, `from_pairs`."""

from patlib.datasets.adapters import from_folder
from patlib.datasets.pairs import from_pairs
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
    "from_pairs",
    "get_spec",
    "prepare",
]

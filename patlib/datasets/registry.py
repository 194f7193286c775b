"""Which datasets there are, by name: a built-in one is added here and nowhere else."""

from __future__ import annotations

from patlib.datasets import camvid, cityscapes, nyuv2, oxford_pet, synthetic
from patlib.datasets.own_file import is_folder, read_folder
from patlib.datasets.sources import Dataset
from patlib.datasets.spec import DatasetSpec
from patlib.names import nearest

BUILT_IN: dict[str, Dataset] = {
    dataset.spec.name: dataset
    for dataset in (
        Dataset(synthetic.SPEC, synthetic.source),
        Dataset(camvid.SPEC, camvid.source, camvid.download),
        Dataset(oxford_pet.SPEC, oxford_pet.source, oxford_pet.download),
        Dataset(cityscapes.SPEC, cityscapes.source),
        Dataset(nyuv2.SPEC, nyuv2.source, nyuv2.download),
    )
}

DATASETS: dict[str, DatasetSpec] = {name: dataset.spec for name, dataset in BUILT_IN.items()}
"""The facts about each built-in dataset."""


def get_dataset(name: str) -> Dataset:
    """A built-in dataset by name, or that of a folder with a ``patlib.toml``.

    Raises:
        ValueError: no dataset has that name; the message lists those that exist and the nearest one.
        DataError: the folder or its file is missing or wrong.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    if is_folder(name):
        dataset = read_folder(name)
        refuse_built_in_name(dataset.spec.name)
        return dataset
    meant = nearest(name, BUILT_IN)
    hint = f" Did you mean {meant!r}?" if meant else ""
    raise ValueError(
        f"no dataset is called {name!r}; there are {', '.join(BUILT_IN)}, and any folder with a patlib.toml, "
        f"given as a path such as ./{name}.{hint}"
    )


def refuse_built_in_name(name: str) -> None:
    """Refuse to call a dataset of one's own what a built-in one is called: their runs would share a folder.

    Raises:
        ValueError: it is the name of a built-in dataset.
    """
    if name in BUILT_IN:
        raise ValueError(f"{name!r} is the name of a built-in dataset; give your own another one, or rename its folder")


def get_spec(name: str) -> DatasetSpec:
    """The facts about a dataset.

    Args:
        name: a key of `DATASETS`, or the path of a folder with a ``patlib.toml``.

    Raises:
        ValueError: no dataset has that name; the message lists those that exist and the nearest one.
        DataError: the folder or its file is missing or wrong.

    Example:
        >>> from patlib.datasets import get_spec
        >>> get_spec("camvid").classes[:3]
        ('Sky', 'Building', 'Pole')
    """
    return get_dataset(name).spec

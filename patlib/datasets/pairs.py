"""Any map-style dataset of images and masks, such as torchvision's or Hugging Face's, as a `PreparedDataset`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from patlib.datasets.decode import as_rgb, mask_values
from patlib.datasets.own import MODES, OwnData, slug
from patlib.datasets.prepared import PreparedDataset, open_dataset
from patlib.datasets.registry import refuse_built_in_name
from patlib.datasets.sources import SPLITS, Dataset, Item, Pair, Source, matched
from patlib.datasets.spec import IGNORE_INDEX, DataError
from patlib.datasets.splits import classes_held, stratified
from patlib.files import temporary_folder


class Pairs(Protocol):
    """What has a length and can be asked for its items by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


def from_pairs(
    pairs: Mapping[str, Pairs] | Pairs,
    *,
    classes: Sequence[str],
    size: tuple[int, int],
    name: str,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    ignore: int | None = IGNORE_INDEX,
    label_map: Mapping[int, int] | None = None,
    image_key: str = "image",
    mask_key: str = "mask",
    progress: bool = True,
    void_class: bool = False,
) -> PreparedDataset:
    """Prepare a dataset that exists as a Python object: for each split one, or one from which splits are drawn.

    An item is an (image, mask) pair, or a mapping that has the two under ``image_key`` and ``mask_key``. Each may be a
    Pillow image, a NumPy array or a tensor, of any size, as large as the other:

    - An image is RGB or grey: an array (H, W, 3) or (H, W), a tensor (3, H, W), (1, H, W) or (H, W). Integers are uint8
      from 0 to 255 (or uint16), floats lie in [0, 1]. A normalised image is refused: normalise in the network.
    - A mask is an array (H, W) or a tensor (H, W) or (1, H, W) of whole numbers; of a palette image the indices count.

    Every item is resized and kept in memory. It is read once, or twice where splits are drawn by the classes in its
    mask, so transforms that draw at random belong elsewhere. Nothing is kept on disk, because nothing would say when
    the object gives other items. Resizing, labels and errors are those of `from_folder`, which is the better way for
    data that lie in files.

    Args:
        pairs: {"train": ..., "val": ..., "test": ...}, or one dataset, which is split as `from_folder` does it.
        classes: the L names; a class id is an index into them.
        size: (H, W) to which all are resized.
        name: what records call it.
        fractions: of the items in train, val and test, where they are drawn.
        seed: draws them.
        ignore: the mask's value that means void; None if none does.
        label_map: {value in a mask: class id, or 255 for void}; values 0..L-1 are their own ids if None.
        image_key: where an item that is a mapping has its image.
        mask_key: where it has its mask, such as "label" or "annotation".
        progress: show a bar while preparing.
        void_class: see `prepare`.

    Raises:
        ValueError: an argument is of the wrong kind, a split is missing, or the name is a built-in dataset's.
        DataError: naming the item that is no such pair, or whose mask has another value or size.

    Warns:
        UserWarning: a class has no pixel in a split.

    Example:
        >>> import numpy as np
        >>> from patlib.datasets import from_pairs
        >>> mask = np.arange(16 * 20).reshape(16, 20) // 40 % 2
        >>> image = (100 + 100 * mask).astype(np.uint8)
        >>> dataset = from_pairs(
        ...     [(image, mask)] * 10, classes=["soil", "crop"], size=(8, 10),
        ...     name="stripes", progress=False,
        ... )
        >>> {split: len(rows) for split, rows in dataset.splits.items()}
        {'train': 8, 'val': 1, 'test': 1}
        >>> dataset.class_pixels.tolist()
        [320, 320]
    """
    # What is said of classes, size and labels is checked as for folders, of which there are none.
    own = OwnData(
        images=Path("images"), masks=Path("masks"), classes=classes, size=size, fractions=fractions, ignore=ignore,
        label_map=label_map, name=name,
    )  # fmt: skip
    refuse_built_in_name(own.slug)
    load = partial(_load, keys=(image_key, mask_key), labels=own.labels())
    if isinstance(pairs, Mapping):
        items = {split: _items(split, dataset, load) for split, dataset in pairs.items()}
    else:
        one = {item.name: item for item in _items("", pairs, load)}
        held = classes_held({name: partial(_mask, item) for name, item in one.items()}, progress)
        drawn = stratified(held, own.fractions, seed)
        items = {split: [one[name] for name in names] for split, names in drawn.items()}
    for split in dict.fromkeys([*SPLITS, *items]):
        if not items.get(split):
            counts = {name: len(rows) for name, rows in items.items()}
            raise ValueError(
                f"the {split} split of {name!r} is empty or missing: there must be train, val and test, and the items "
                f"are {counts}. Rename the splits, or give one dataset with other fractions or more items"
            )
        if split != slug(split):
            raise ValueError(f"a split is named with letters, digits, '-' and '_'; got {split!r}")
    spec = dataclasses.replace(own.dataset().spec, how_to_get="  a Python object, given to from_pairs", seeded=False)
    source = Source(Path(), (), items)
    with temporary_folder("pairs") as place:
        dataset = Dataset(spec, lambda root, protocol, seed: source, key="pairs")
        prepared = open_dataset(dataset, cache=place, progress=progress, void_class=void_class)
        return _in_memory(prepared)


def _items(split: str, dataset: Any, load: partial[Pair]) -> list[Item]:
    """The items of a dataset, not yet asked for; their names sort as they stand."""
    if isinstance(dataset, str | bytes) or not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        remedy = "give its .dataset" if hasattr(dataset, "dataset") else "make a list of it: list(...)"
        raise ValueError(
            f"{f'the {split} split' if split else 'pairs'} must be a map-style dataset, with a length and items by "
            f"number; got {_kind(dataset)}: {remedy}"
        )
    digits = len(str(len(dataset)))
    names = [f"{split}/{index:0{digits}}".lstrip("/") for index in range(len(dataset))]
    return [
        Item(name, partial(load, dataset, index, f"{split or 'pairs'}[{index}]")) for index, name in enumerate(names)
    ]


def _mask(item: Item) -> Image.Image:
    return item.load()[1]


def _load(dataset: Any, index: int, place: str, *, keys: tuple[str, str], labels: Mapping[int, int]) -> Pair:
    image, mask = _halves(dataset[index], place, keys)
    image, mask = _plain(image, f"{place}, image"), _plain(mask, f"{place}, mask")
    if isinstance(image, np.ndarray) and image.dtype.kind == "f" and not ((image >= 0) & (image <= 1)).all():
        raise DataError(
            f"{place}, image: {image.dtype} values from {image.min():.3g} to {image.max():.3g}, expected [0, 1]; give "
            "images as they are before they are normalised"
        )
    if isinstance(mask, np.ndarray) and mask.dtype.kind == "f" and (mask % 1 != 0).any():
        raise DataError(
            f"{place}, mask: {mask.dtype} with the value {mask[mask % 1 != 0].flat[0]:.3g}, expected whole numbers; "
            "torchvision's ToTensor divides by 255: use PILToTensor, or give the mask as a Pillow image"
        )
    values = mask_values(mask, f"{place}, mask", MODES)
    return matched(as_rgb(image, f"{place}, image"), values, labels, place, f"{place}, mask")


def _halves(item: Any, place: str, keys: tuple[str, str]) -> tuple[Any, Any]:
    if isinstance(item, Mapping):
        for key, argument in zip(keys, ("image_key", "mask_key"), strict=True):
            if key not in item:
                raise DataError(f"{place}: has no {key!r}, but {', '.join(map(repr, item))}; say which with {argument}")
        return item[keys[0]], item[keys[1]]
    if not isinstance(item, tuple | list) or len(item) != 2:
        count = f" of {len(item)}" if isinstance(item, tuple | list) else ""
        raise DataError(f"{place}: expected an (image, mask) pair or a mapping with both, got {_kind(item)}{count}")
    return item[0], item[1]


def _plain(value: Any, place: str) -> Image.Image | np.ndarray:
    """A tensor as an array whose channels come last; what is an image or an array stays one."""
    if isinstance(value, Image.Image | np.ndarray):
        return value
    if not hasattr(value, "detach"):  # torch is not imported for this
        raise DataError(f"{place}: expected a Pillow image, a NumPy array or a tensor, got {_kind(value)}")
    array: np.ndarray = value.detach().cpu().numpy()
    if array.ndim != 3:
        return array
    return array.squeeze(0) if len(array) == 1 else np.moveaxis(array, 0, -1)


def _in_memory(dataset: PreparedDataset) -> PreparedDataset:
    splits = {}
    for name, split in dataset.splits.items():
        images, masks = np.array(split.images), np.array(split.masks)
        images.flags.writeable = masks.flags.writeable = False
        splits[name] = dataclasses.replace(split, images=images, masks=masks)
    return dataclasses.replace(dataset, splits=splits)


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"

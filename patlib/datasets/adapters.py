"""A reader's own data as a `PreparedDataset`, prepared and kept as the built-in datasets are."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from patlib.datasets.own import OwnData, absolute
from patlib.datasets.own_pairs import Splits
from patlib.datasets.prepared import PreparedDataset, open_dataset
from patlib.datasets.registry import refuse_built_in_name
from patlib.datasets.spec import IGNORE_INDEX


def from_folder(
    images: str | os.PathLike[str],
    masks: str | os.PathLike[str],
    *,
    classes: Sequence[str],
    size: tuple[int, int],
    splits: Splits | str | None = None,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    group: str | Callable[[str], str] | None = None,
    ignore: int | None = IGNORE_INDEX,
    label_map: Mapping[int, int] | None = None,
    image_suffix: str = "",
    mask_suffix: str = "",
    name: str | None = None,
    cache: str | os.PathLike[str] | None = None,
    progress: bool = True,
    void_class: bool = False,
) -> PreparedDataset:
    """Prepare images and masks of one's own, paired by name.

    A name is a file's path below its folder without the suffix: ``images/a/1.jpg`` belongs to ``masks/a/1.png``. The
    same arguments can be written into a file ``patlib.toml``; `prepare` and every command then take the path of its
    folder. The chapter ``notebooks/03_from_files_to_batches.md`` does by hand, step by step, what this function does.

    Args:
        images: folder of PNG, JPEG, TIFF or .npy files, at any depth; `decode` says how each kind becomes RGB.
        masks: folder of PNG, TIFF or .npy files of one channel, each as large as its image; the values of a palette
            image are its indices.
        classes: the L names; a class id is an index into them.
        size: (H, W) to which all are resized.
        splits: "folders" if the first folder of each name is its split (``train/a/1``); or for each split a list of
            names, or a file with one name on each line; the splits are drawn if None. There must be train, val and
            test, and there may be more. Images that are in none are left out, as lists are how a part of the data is
            chosen; a warning says how many there are.
        fractions: of the images in train, val and test, where they are drawn; each class that is in three images (or
            groups) or more is then in every split, if there is such a split
            (:func:`~patlib.datasets.splits.stratified`).
        seed: of the random generator that draws them.
        group: keeps images together where splits are drawn, such as the frames of one drive. It is a function that
            takes a name and returns its group, or a regular expression; the group is then what the first pair of
            parentheses matches, or the whole match if there are none.
        ignore: the value on disk that means void; None if none does.
        label_map: {value on disk: class id, or 255 for void}; values 0..L-1 are their own ids if None.
        image_suffix: an ending that every image file has before its suffix and that is not part of the name, such as
            ``_rgb``.
        mask_suffix: the same for mask files, such as ``_mask``.
        name: what records call it; if None, the name of the folder that holds the two.
        cache: see `prepare`.
        progress: show a bar while preparing.
        void_class: see `prepare`.

    Raises:
        ValueError: an argument is of the wrong kind, or the name is a built-in dataset's.
        DataError: a file is missing, damaged or superfluous, a mask holds another value, or a split is empty.

    Warns:
        UserWarning: a class has no pixel in a split, or listed splits leave images out.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> import numpy as np
        >>> from PIL import Image
        >>> from patlib.datasets import from_folder
        >>> with TemporaryDirectory() as place:
        ...     for kind, scale in (("images", 100), ("masks", 1)):
        ...         (Path(place) / kind).mkdir()
        ...         for number in range(10):
        ...             values = np.arange(6 * 8, dtype=np.uint8).reshape(6, 8) % 2
        ...             Image.fromarray(scale * values).save(f"{place}/{kind}/{number}.png")
        ...     dataset = from_folder(
        ...         f"{place}/images", f"{place}/masks", classes=["soil", "crop"],
        ...         size=(6, 8), name="field", cache=f"{place}/cache", progress=False,
        ...     )
        ...     print({name: len(split) for name, split in dataset.splits.items()})
        {'train': 8, 'val': 1, 'test': 1}
        >>> dataset.class_pixels.tolist()
        [192, 192]
    """
    own = OwnData(
        images=absolute(images), masks=absolute(masks), classes=classes,
        size=size, splits=splits, fractions=fractions, group=group, ignore=ignore, label_map=label_map,
        image_suffix=image_suffix, mask_suffix=mask_suffix, name=name or "",
    )  # fmt: skip
    refuse_built_in_name(own.slug)
    return open_dataset(own.dataset(), cache=cache, seed=seed, progress=progress, void_class=void_class)

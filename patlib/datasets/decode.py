"""From a file to an array: images as RGB, masks as the values on disk, anything doubtful refused by name.

What becomes of an image that is not 8-bit RGB:

- 8-bit grey, palette, CMYK: converted to RGB.
- 16-bit grey: divided by 257, so that 65535 becomes 255. Of 16-bit colour Pillow itself keeps the upper byte.
- Floats: multiplied by 255 if all lie in [0, 1], else refused. 32-bit integers: refused.
- Alpha: composited over black. An image that is opaque everywhere stays as it is.
- A camera's orientation (EXIF) is applied to images, not to masks, which no camera takes. That of a TIFF says in which
  corner its rows begin, and is applied to both.
- More pages than one (TIFF, animated PNG): refused.

Shapes use H rows, W columns.
"""

from __future__ import annotations

import errno
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError

import numpy as np
from PIL import Image, ImageFile, ImageOps

from patlib.datasets.spec import DataError

ARRAY = ".npy"
"""The suffix of files that NumPy reads; every other is Pillow's."""

MOST_TEXT = 2**24
"""Bytes of a list of names or of a description; a list of a million names has fewer."""
MOST_ARRAY = 2**30
"""Bytes of one image or mask as an array; Pillow has a limit of its own."""

MASK_MODES = ("L",)
"""Pillow's modes of masks that every dataset may have: one channel of 8 bits."""

BROKEN = (
    OSError, EOFError, ValueError, SyntaxError, RuntimeError, MemoryError, ArithmeticError, LookupError, TypeError,
    AttributeError, AssertionError, TokenError, zlib.error, struct.error, zipfile.BadZipFile,
    Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip
"""What Pillow and NumPy raise for damaged or hostile files, found by flipping bytes of files. Many of these errors
they raise by oversight."""


@contextmanager
def refusing_damage(path: Path, what: str = "an image or a mask") -> Iterator[None]:
    """Turn whatever a decoder raises into a DataError that names the file."""
    # Another library may have told Pillow to fill truncated files with grey: here that would become training data.
    tolerant, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        if not path.is_file():  # to open a pipe would wait for somebody who writes, and a device has no end
            raise ValueError("it is missing, or no file")
        yield
    except DataError:
        raise
    except BROKEN as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # what is unpacked is not damaged for want of space
        reason = str(error) or type(error).__name__
        remedy = "Copy it from the dataset again."
        if path.suffix.lower() in (".tif", ".tiff"):
            remedy += (
                " If it is whole: Pillow reads TIFFs of one band, or of three in 8 or 16 bits; save others as .npy."
            )
        raise DataError(f"{path}: cannot be read as {what} ({reason}). {remedy}") from error
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = tolerant


def read_text(path: Path, what: str = "a list of names") -> str:
    """The text of a small file, in UTF-8; DataError, which names it, if it is damaged, none, or large."""
    with refusing_damage(path, what):
        if (size := path.stat().st_size) > MOST_TEXT:
            raise ValueError(f"it has {size} bytes, and at most {MOST_TEXT} are expected")
        return path.read_text(encoding="utf-8")


def read_image(path: Path, formats: tuple[str, ...]) -> Image.Image:
    """An image as RGB, by the rules above.

    Args:
        path: the file.
        formats: Pillow's names of the formats that may be decoded, whatever the suffix says: with all of them a
            PostScript file named ``.png`` would start an interpreter.

    Raises:
        DataError: the file is damaged, of another format, or of a kind that has no rule.
    """
    with refusing_damage(path):
        if path.suffix.lower() == ARRAY:
            return as_rgb(_load_array(path), path)
        with _open(path, formats) as opened:
            _refuse_pages(opened, path)
            opened.load()
            return as_rgb(ImageOps.exif_transpose(opened), path)


def as_rgb(image: Image.Image | np.ndarray, place: Path | str) -> Image.Image:
    """A decoded image, Pillow's or an array (H, W, 3) or (H, W), as RGB by the rules above.

    Raises:
        DataError: there is no rule for its kind; the message begins with `place`.
    """
    if isinstance(image, np.ndarray) or image.mode.startswith(("I", "F")):
        return Image.fromarray(_rgb_array(np.asarray(image), place))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    return image.convert("RGB")


def read_mask(path: Path, formats: tuple[str, ...], modes: tuple[str, ...] = MASK_MODES) -> np.ndarray:
    """The values (H, W) that a mask has on disk; those of a palette image are its indices.

    Raises:
        DataError: the file is damaged, of another format, or not a single channel.
    """
    with refusing_damage(path):
        if path.suffix.lower() == ARRAY:
            return mask_values(_load_array(path), path)
        # JPEG changes values near every edge.
        with _open(path, tuple(name for name in formats if name != "JPEG")) as mask:
            _refuse_pages(mask, path)
            mask.load()
            return mask_values(mask, path, modes)


def mask_values(mask: Image.Image | np.ndarray, place: Path | str, modes: tuple[str, ...] = MASK_MODES) -> np.ndarray:
    """The values (H, W) of a decoded mask.

    Raises:
        DataError: it is not a single channel of numbers; the message begins with `place`.
    """
    if isinstance(mask, np.ndarray):
        if mask.ndim != 2 or mask.dtype.kind not in "biuf":
            raise DataError(f"{place}: expected a mask of shape (H, W), got {mask.dtype} of shape {mask.shape}")
    elif mask.mode not in modes:
        raise DataError(
            f"{place}: expected a label mask (one channel, Pillow mode {' or '.join(map(repr, modes))}), got "
            f"mode {mask.mode!r}. Use the dataset's label files; if the pixels are colours, map them to class "
            "ids and save those as 8-bit grey."
        )
    return np.asarray(mask)


@contextmanager
def _open(path: Path, formats: tuple[str, ...]) -> Iterator[Image.Image]:
    # Pillow maps an uncompressed TIFF that it opens by its path into memory. It then takes width for height in one that
    # is stored on its side (Pillow 13.0), and a file that shrinks meanwhile ends the process.
    with path.open("rb") as file, Image.open(file, formats=formats) as opened:
        yield opened


def _refuse_pages(image: Image.Image, path: Path) -> None:
    pages = getattr(image, "n_frames", 1)
    if pages > 1 and image.format in ("PNG", "TIFF"):
        raise DataError(f"{path}: holds {pages} pages; save the one that is meant as a file of its own")


def _load_array(path: Path) -> np.ndarray:
    if (size := path.stat().st_size) > MOST_ARRAY:
        raise ValueError(f"it has {size} bytes, and one image at most {MOST_ARRAY}")
    # Mapped first, because that compares the shape with the bytes that are there before it allocates anything.
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: expected one array, as np.save writes it")
    return np.array(array)


def _rgb_array(image: np.ndarray, place: Path | str) -> np.ndarray:
    """(H, W) or (H, W, 3) of any depth that has a rule, as (H, W, 3) uint8."""
    if image.ndim != 2 and (image.ndim != 3 or image.shape[2] != 3):
        raise DataError(
            f"{place}: expected an image of shape (H, W, 3) or (H, W), got {image.shape}. Choose three bands; for "
            "more, losses and metrics serve in a loop of your own"
        )
    if image.dtype.kind == "u" and image.dtype.itemsize == 2:
        image = np.round(image / 257).astype(np.uint8)
    elif image.dtype.kind == "f" and (image >= 0).all() and (image <= 1).all():
        image = np.round(255 * image).astype(np.uint8)
    elif image.dtype != np.uint8:
        raise DataError(f"{place}: expected uint8, uint16, or floats in [0, 1]; got {image.dtype} outside of these")
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)

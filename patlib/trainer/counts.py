"""Arrays of counts as short strings, in which a record keeps the confusion matrix of every image of a split.

A street image has a few dozen pairs of true and predicted classes, so nearly all entries of its matrix are 0, and
compressed bytes take about a tenth of the space of digits.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np


def pack_counts(counts: np.ndarray) -> dict[str, Any]:
    """An array of counts as a JSON value: its shape, and its entries (uint32, little-endian) deflated, in base64.

    Raises ValueError for entries that are not integers from 0 to 2^32 - 1.
    """
    if counts.dtype.kind not in "iu" or (counts.size and (counts.min() < 0 or counts.max() >= 2**32)):
        raise ValueError(f"counts must be integers from 0 to 2^32 - 1; got {counts.dtype}")
    packed = base64.b64encode(zlib.compress(counts.astype("<u4").tobytes(), 9)).decode()
    return {"shape": list(counts.shape), "deflated": packed}


def unpack_counts(packed: dict[str, Any]) -> np.ndarray:
    """The array (int64) that :func:`pack_counts` packed; ValueError if its content does not fill its stated shape."""
    try:
        shape = tuple(int(side) for side in packed["shape"])
        size = 4 * int(np.prod(shape))
        plain = zlib.decompressobj()
        content = plain.decompress(base64.b64decode(packed["deflated"], validate=True), size + 1)
        if len(content) != size:
            raise ValueError(f"{len(content)} bytes do not fill the shape {shape}")
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise ValueError(f"packed counts are damaged ({error})") from error
    return np.frombuffer(content, dtype="<u4").reshape(shape).astype(np.int64)

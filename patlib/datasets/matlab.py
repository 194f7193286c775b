"""The few things that NYUv2 needs of MATLAB files, read so that no content of a file can do harm.

Files before version 7.3 are read here, and not by SciPy, which a damaged one can crash: a header of 128 bytes, then
elements, each a tag (type, bytes) and its data, packed with zlib or not. The elements of a matrix are its flags,
its dimensions, its name and its numbers. Files of version 7.3 are HDF5, which may point to other files: not followed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from patlib.datasets.decode import refusing_damage
from patlib.install import require_extra

HEADER = 128
MOST_BYTES = 2**24
"""More than any variable that is read here; what unpacks to more is refused."""
MATRIX, COMPRESSED = 14, 15
NUMBERS = {
    1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8",
}  # fmt: skip
"""NumPy's names of MATLAB's types of numbers."""


def read_numbers(path: Path, name: str) -> np.ndarray:
    """The numbers of a real matrix in a MATLAB file of version 5 to 7.2, columns first, as int64.

    Raises:
        DataError: the file is damaged or of another version, or has no such matrix of whole numbers.
    """
    with refusing_damage(path, f"a MATLAB file with the variable {name}"):
        content = path.read_bytes()
        if content[124:128] != b"\x00\x01IM":
            raise ValueError("no MATLAB file of version 5 to 7.2, written on a little-endian machine")
        for kind, data in _elements(content[HEADER:]):
            if kind == COMPRESSED:
                unpack = zlib.decompressobj()
                whole = unpack.decompress(data, MOST_BYTES)
                if not unpack.eof:
                    raise ValueError(f"a variable unpacks to more than {MOST_BYTES} bytes, or is cut short")
                ((kind, data),) = _elements(whole)
            if kind == MATRIX:
                # Flags, dimensions and name; those of a cell or a structure are followed by matrices.
                parts = _elements(data)
                _, _, (_, own), (kind, data) = (next(parts, (0, b"")) for _ in range(4))
                if own == name.encode():
                    numbers = np.frombuffer(data, NUMBERS[kind])
                    if not (np.isfinite(numbers) & (numbers == np.round(numbers)) & (abs(numbers) < 2**31)).all():
                        raise ValueError(f"{name} holds other numbers than whole ones")
                    return numbers.astype(np.int64)
        raise ValueError("it has no matrix of that name")


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and data of each element; one of up to four bytes has both in its tag."""
    place = 0
    while place + 8 <= len(data):
        kind, size = struct.unpack_from("<II", data, place)
        if kind >> 16:
            yield kind & 0xFFFF, data[place + 4 : place + 4 + min(kind >> 16, 4)]
            place += 8
            continue
        place += 8
        if size > len(data) - place:
            raise ValueError(f"an element of {size} bytes, where {len(data) - place} are left")
        yield kind, data[place : place + size]
        # All but packed elements are filled up to eight bytes.
        place += size if kind == COMPRESSED else -(-size // 8) * 8


def read_rows(path: Path, index: int, *names: str) -> list[np.ndarray]:
    """One row of each of some arrays of a MATLAB file of version 7.3.

    Raises:
        DataError: the file is damaged, an array or its row is missing, or lies in another file.
        MissingExtraError: h5py is not installed.
    """
    require_extra("nyuv2", "h5py")
    import h5py

    with (
        refusing_damage(path, f"a MATLAB file with row {index + 1} of {' and '.join(names)}"),
        h5py.File(path, "r") as file,
    ):
        rows = []
        for name in names:
            if not isinstance(file.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{name} is missing, or a link to another place")
            array = file[name]
            if not isinstance(array, h5py.Dataset) or array.external or array.is_virtual:
                raise ValueError(f"{name} is no array that lies in this file")
            rows.append(array[index])
        return rows

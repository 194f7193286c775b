"""Images, masks and MATLAB files that are cut, flipped, renamed or bombs: a DataError that names the file, or an array.

The files are read in a process of its own, so that one of which a decoder crashes is a failure, and not the end.
"""

import ast
import contextlib
import io
import resource
import struct
import subprocess
import sys
import traceback
import warnings
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from drawn_damage import damaged
from hypothesis import strategies as st
from judging import refusal
from PIL import Image

from patlib.datasets import DataError
from patlib.datasets.decode import read_image, read_mask
from patlib.datasets.matlab import read_numbers, read_rows
from patlib.datasets.own import MODES as MASK_MODES
from patlib.datasets.sources import load_pair

FORMATS = ("PNG", "JPEG", "TIFF")
SUFFIXES = ("png", "jpg", "tif", "npy", "PNG", "JPEG")
MODES = ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LA", "I", "F", "I;16")
OTHERS = ("GIF", "BMP", "WEBP", "PPM", "ICO", "EPS", "PDF", "TGA", "SGI", "DDS", "JPEG2000")
COMPRESSIONS = ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
ORIENTATION = 274
SEEDS = st.integers(0, 2**32 - 1)


def picture(mode: str, height: int, width: int, seed: int, most: int) -> Image.Image:
    """Noise; ``most`` says how large the numbers are of the modes that have no fixed range."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)
    if mode == "I;16":
        return Image.fromarray(noise[..., 0].astype(np.uint16) * np.uint16(most))
    if mode in ("I", "F"):
        return Image.fromarray((noise[..., 0] / most).astype(np.float32 if mode == "F" else np.int32))
    return Image.fromarray(noise if mode == "RGBA" else noise[..., :3]).convert(mode)


SIDES = st.integers(1, 9)
PICTURES = st.builds(picture, st.sampled_from(MODES), SIDES, SIDES, SEEDS, st.sampled_from((1, 255, 257)))


def encoded(image: Image.Image, kind: str, orientation: int, second: Image.Image | None, compression: str) -> bytes:
    """A file of one of many formats, whole; empty if the format has no such mode."""
    file, settings = io.BytesIO(), {}
    if orientation and kind in ("PNG", "JPEG", "TIFF", "WEBP"):
        settings["exif"] = Image.Exif()
        settings["exif"][ORIENTATION] = orientation
    if second and kind in ("TIFF", "GIF", "PNG"):
        settings |= {"save_all": True, "append_images": [second]}
    if compression and kind == "TIFF":
        settings["compression"] = compression
    with contextlib.suppress(OSError, ValueError, KeyError, RuntimeError, SystemError, TypeError):
        image.save(file, kind, **settings)
    return file.getvalue()


def array(shape: list[int], dtype: str, seed: int) -> bytes:
    file = io.BytesIO()
    np.save(file, np.random.default_rng(seed).integers(0, 3, shape).astype(dtype), allow_pickle=True)
    return file.getvalue()


RARELY = st.integers(0, 9).map(lambda drawn: drawn == 9)
FILES = st.builds(
    encoded,
    PICTURES,
    st.sampled_from(FORMATS) | st.sampled_from(FORMATS + OTHERS),
    st.just(0) | st.integers(0, 9),
    RARELY.flatmap(lambda two: PICTURES if two else st.none()),
    st.just("") | st.sampled_from(COMPRESSIONS),
)
ARRAYS = st.builds(
    array,
    st.lists(st.integers(0, 9), min_size=1, max_size=4),
    st.sampled_from(("u1", "i8", "<f4", "f8", "?", "u2", "c8", "S3", "O")),
    SEEDS,
)


def png(width: int, height: int, colours: int, kind: bytes, size: int) -> bytes:
    """A PNG that says what it likes of its size."""
    data = zlib.compress(bytes(size))
    header = struct.pack(">IIBBBBB", width, height, 8, colours, 0, 0, 0)
    chunks = [(b"IHDR", header), (kind, data), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


BOMBS = st.builds(
    png,
    st.sampled_from((1, 9000, 40_000, 2**31 - 1)),
    st.sampled_from((0, 9000, 2**31)),
    st.sampled_from((0, 2, 3, 6)),
    st.sampled_from((b"IDAT", b"iTXt", b"zTXt", b"eXIf", b"iCCP")),
    st.sampled_from((0, 10**6)),
)


def matlab(packed: bool) -> bytes:
    content = {"mapClass": np.arange(1, 41)[None], "className": np.array(["wall", "floor"], dtype=object)}
    file = io.BytesIO()
    scipy.io.savemat(file, {**content, "x": np.eye(2)}, do_compression=packed)
    return file.getvalue()


def hdf(version: str, settings: dict) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w", libver=version) as out:
        out.create_dataset("images", data=np.arange(4 * 3 * 4 * 4, dtype=np.uint8).reshape(4, 3, 4, 4), **settings)
        out["labels"] = np.ones((4, 4, 4), dtype=np.uint16)
    return file.getvalue()


CHUNKED = ({}, {"chunks": (1, 3, 2, 2), "compression": "gzip"}, {"chunks": True, "shuffle": True})
HDFS = st.builds(hdf, st.sampled_from(("earliest", "latest")), st.sampled_from(CHUNKED))
ATTACKS = {
    "images": (100, st.tuples(st.sampled_from(SUFFIXES), damaged(st.one_of(FILES, FILES, FILES, ARRAYS)))),
    "bombs": (10, st.tuples(st.sampled_from(SUFFIXES), damaged(BOMBS))),
    "matlab files": (40, st.tuples(st.just("mat"), damaged(st.booleans().map(matlab)))),
    "hdf files": (40, st.tuples(st.just("h5"), damaged(HDFS))),
}


def read(path: Path) -> int:
    """Read a file as the datasets would; how often it was refused."""
    if path.suffix == ".mat":
        calls = [lambda: [read_numbers(path, "mapClass")]]
    elif path.suffix == ".h5":
        calls = [lambda row=row: read_rows(path, row, "images", "labels") for row in (0, 3)]
    else:
        labels = dict.fromkeys(range(256), 0)
        calls = [lambda: [read_image(path, FORMATS)], lambda: [read_mask(path, FORMATS, MASK_MODES)]]
        calls.append(lambda: load_pair(path, path, labels, FORMATS, MASK_MODES))
    refused = 0
    for call in calls:
        arrays, error = refusal(call, (DataError,))
        if error is None:
            assert all(np.asarray(array).dtype.kind in "biuf" for array in arrays)
            assert all(array.mode in ("RGB", "L") for array in arrays if isinstance(array, Image.Image))
        else:
            assert str(path) in str(error), f"does not name the file: {error}"
            refused += 1
    return refused


def read_what_is_named() -> None:
    """The reading process: a path on each line that comes in, and for each a line that says how it ended."""
    resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, resource.getrlimit(resource.RLIMIT_AS)[1]))
    warnings.simplefilter("ignore")  # Pillow's, about damage that it reads past
    for line in sys.stdin:
        try:
            answer = f"{read(Path(line.strip()))}"
        except BaseException:
            answer = repr(traceback.format_exc())
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


@pytest.fixture
def ask():
    """Have a file read by the reading process; fails if that dies of it, or does not end in a refusal or an array."""

    def start():
        return subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    reader = start()

    def asked(path: Path) -> int:
        nonlocal reader
        reader.stdin.write(f"{path}\n")
        reader.stdin.flush()
        if not (answer := reader.stdout.readline()):
            status, reader = reader.wait(), start()
            raise AssertionError(f"the reader died of it: {status}")
        assert answer.strip().isdecimal(), ast.literal_eval(answer)
        return int(answer)

    yield asked
    reader.communicate()


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow's writers, about what they leave out
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_file_is_read_or_refused_by_name_and_harms_no_process(attack, trials, tmp_path, ask):
    def check(name, content):
        path = tmp_path / f"file.{name}"
        path.write_bytes(content)
        return "refused" if ask(path) else "read"

    short, inputs = ATTACKS[attack]
    trials.fuzz(attack, inputs, check, short)


if __name__ == "__main__":
    read_what_is_named()

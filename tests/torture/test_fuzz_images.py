"""Images, masks and MATLAB files that are cut, flipped, renamed or bombs: a DataError that names the file, or an array.

The files are read in a process of its own, so that one of which a decoder crashes is a failure, and not the end.
"""

import ast
import contextlib
import io
import random
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
from judging import refusal
from PIL import Image

from patlib.datasets import DataError
from patlib.datasets.decode import read_image, read_mask
from patlib.datasets.matlab import read_numbers, read_rows
from patlib.datasets.own import MODES as MASK_MODES
from patlib.datasets.sources import load_pair

FORMATS = ("PNG", "JPEG", "TIFF")
SUFFIXES = (".png", ".jpg", ".tif", ".npy", ".PNG", ".JPEG")
MODES = ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LA", "I", "F", "I;16")
WRITERS = (
    "PNG",
    "JPEG",
    "TIFF",
    "GIF",
    "BMP",
    "WEBP",
    "PPM",
    "ICO",
    "EPS",
    "PDF",
    "TGA",
    "SGI",
    "DDS",
    "JPEG2000",
    "NPY",
)


def picture(rng: random.Random) -> Image.Image:
    noise = np.random.default_rng(rng.randrange(2**32)).integers(
        0, 256, (rng.randint(1, 9), rng.randint(1, 9), 4), dtype=np.uint8
    )
    mode = rng.choice(MODES)
    if mode == "I;16":
        return Image.fromarray(noise[..., 0].astype(np.uint16) * rng.choice((1, 257)))
    if mode in ("I", "F"):
        return Image.fromarray((noise[..., 0] / rng.choice((1, 255))).astype(np.float32 if mode == "F" else np.int32))
    return Image.fromarray(noise if mode == "RGBA" else noise[..., :3]).convert(mode)


def encoded(rng: random.Random) -> bytes:
    """A file of one of many formats, whole."""
    kind, file = rng.choice(WRITERS[:3] + WRITERS[:3] + WRITERS), io.BytesIO()
    if kind == "NPY":
        shape = [rng.randint(0, 9) for _ in range(rng.choice((1, 2, 2, 3, 3, 4)))]
        drawn = np.random.default_rng(rng.randrange(2**32)).integers(0, 3, shape)
        np.save(
            file, drawn.astype(rng.choice(("u1", "i8", "<f4", "f8", "?", "u2", "c8", "S3", "O"))), allow_pickle=True
        )
        return file.getvalue()
    settings = {}
    if kind in ("PNG", "JPEG", "TIFF", "WEBP") and rng.random() < 0.3:
        settings["exif"] = Image.Exif()
        settings["exif"][274] = rng.randint(0, 9)
    if kind in ("TIFF", "GIF", "PNG") and rng.random() < 0.1:
        settings |= {"save_all": True, "append_images": [picture(rng)]}
    if kind == "TIFF" and rng.random() < 0.5:
        settings["compression"] = rng.choice(("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"))
    with contextlib.suppress(OSError, ValueError, KeyError, RuntimeError, SystemError, TypeError):  # no such mode
        picture(rng).save(file, kind, **settings)
    return file.getvalue()


def bomb(rng: random.Random) -> bytes:
    """A PNG that says it is large, and is not."""
    header = struct.pack(
        ">IIBBBBB",
        rng.choice((1, 9000, 40_000, 2**31 - 1)),
        rng.choice((0, 9000, 2**31)),
        8,
        rng.choice((0, 2, 3, 6)),
        0,
        0,
        0,
    )
    data = zlib.compress(bytes(rng.choice((0, 10**6))))
    chunks = [
        (b"IHDR", header),
        (rng.choice((b"IDAT", b"iTXt", b"zTXt", b"eXIf", b"iCCP")), data),
        (b"IDAT", data),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def damaged(content: bytes, rng: random.Random) -> bytes:
    kind = rng.random()
    if not content or kind < 0.15:
        return content
    if kind < 0.3:
        return content[: rng.randrange(len(content))]
    flipped = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        place = rng.randrange(min(len(flipped), 400)) if rng.random() < 0.7 else rng.randrange(len(flipped))
        flipped[place] = rng.choice((0, 255, rng.randrange(256)))
    return bytes(flipped)


def matlab(rng: random.Random) -> bytes:
    file = io.BytesIO()
    content = {
        "mapClass": np.arange(1, 41)[None],
        "className": np.array(["wall", "floor"], dtype=object),
        "x": np.eye(2),
    }
    scipy.io.savemat(file, content, do_compression=rng.random() < 0.5)
    return file.getvalue()


def hdf(rng: random.Random) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w", libver=rng.choice(("earliest", "latest"))) as out:
        settings = rng.choice(({}, {"chunks": (1, 3, 2, 2), "compression": "gzip"}, {"chunks": True, "shuffle": True}))
        out.create_dataset("images", data=np.arange(4 * 3 * 4 * 4, dtype=np.uint8).reshape(4, 3, 4, 4), **settings)
        out["labels"] = np.ones((4, 4, 4), dtype=np.uint16)
    return file.getvalue()


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
    reader = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def asked(path: Path) -> int:
        reader.stdin.write(f"{path}\n")
        reader.stdin.flush()
        answer = reader.stdout.readline()
        assert answer, f"the reader died of it: {reader.wait()}"
        assert answer.strip().isdecimal(), ast.literal_eval(answer)
        return int(answer)

    yield asked
    reader.communicate()


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow's writers, about what they leave out
@pytest.mark.parametrize(("attack", "short"), [("images", 120), ("bombs", 10), ("matlab files", 60), ("hdf files", 60)])
def test_a_file_is_read_or_refused_by_name_and_harms_no_process(attack, short, trials, tmp_path, ask):
    kinds = {"images": encoded, "bombs": bomb, "matlab files": matlab, "hdf files": hdf}
    for trial in trials(attack, short=short):
        if trial.stored:
            trial.input, suffix = trial.stored.read_bytes(), trial.stored.suffix
        else:
            trial.input = damaged(kinds[attack](trial.rng), trial.rng)
            suffix = {"matlab files": ".mat", "hdf files": ".h5"}.get(attack) or trial.rng.choice(SUFFIXES)
        path = tmp_path / f"file{suffix}"
        path.write_bytes(trial.input)
        trial.counts["refused" if ask(path) else "read"] += 1


if __name__ == "__main__":
    read_what_is_named()

"""From files to arrays: one stated rule for each kind, and nothing hostile or doubtful gets through."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from patlib.datasets import DataError
from patlib.datasets.decode import read_image, read_mask

FORMATS = ("PNG", "JPEG", "TIFF")
RED = np.full((4, 6, 3), (200, 10, 0), dtype=np.uint8)


def pixel(path: Path) -> list[int]:
    """The pixel of the first row and column, as read."""
    return np.asarray(read_image(path, FORMATS))[0, 0].tolist()


@pytest.mark.parametrize(("value", "expected"), [(65535, 255), (257 * 100, 100), (128, 0), (129, 1)])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_grey_of_16_bits_is_divided_by_257(tmp_path: Path, suffix: str, value: int, expected: int) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(np.full((4, 6), value, dtype=np.uint16)).save(path)
    assert pixel(path) == [expected] * 3


def test_floats_from_0_to_1_are_multiplied_by_255_and_others_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(np.full((4, 6), 0.4, dtype=np.float32)).save(path)
    assert pixel(path) == [102] * 3
    for wrong in (1.5, -0.1, np.nan):
        Image.fromarray(np.full((4, 6), wrong, dtype=np.float32)).save(path)
        with pytest.raises(DataError, match=r"a\.tif: expected uint8, uint16, or floats in \[0, 1\]; got float32"):
            read_image(path, FORMATS)


def test_integers_of_32_bits_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 6), 300, dtype=np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match="got int32"):
        read_image(tmp_path / "a.tif", FORMATS)


def test_alpha_is_composited_over_black(tmp_path: Path) -> None:
    for alpha, expected in ((255, [200, 10, 0]), (0, [0, 0, 0]), (51, [40, 2, 0])):
        Image.fromarray(np.dstack([RED, np.full((4, 6), alpha, dtype=np.uint8)])).save(tmp_path / "a.png")
        assert pixel(tmp_path / "a.png") == expected
    palette = Image.fromarray(RED).convert("P")
    palette.save(tmp_path / "p.png", transparency=palette.getpixel((0, 0)))
    assert pixel(tmp_path / "p.png") == [0, 0, 0]


def test_a_cameras_orientation_is_applied(tmp_path: Path) -> None:
    upright = RED.copy()
    upright[0, 0] = 255
    exif = Image.Exif()
    exif[274] = 6  # turned by a quarter to the right when shown
    Image.fromarray(upright).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(np.asarray(read_image(tmp_path / "a.png", FORMATS)), np.rot90(upright, -1))


@pytest.mark.parametrize("compression", [None, "tiff_deflate"])
@pytest.mark.parametrize("kind", ["L", "I;16", "RGB"])
def test_a_tiff_that_is_stored_on_its_side_is_set_upright(tmp_path: Path, kind: str, compression: str | None) -> None:
    values = np.arange(4 * 6).reshape(4, 6)
    stored = Image.fromarray(
        np.rot90(257 * values if kind == "I;16" else values).astype("<u2" if kind == "I;16" else "u1")
    )
    exif = Image.Exif()
    exif[274] = 6
    (stored.convert("RGB") if kind == "RGB" else stored).save(tmp_path / "a.tif", exif=exif, compression=compression)
    assert np.array_equal(np.asarray(read_image(tmp_path / "a.tif", FORMATS))[..., 0], values)
    if kind == "L":
        assert np.array_equal(read_mask(tmp_path / "a.tif", FORMATS), values)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1"])
def test_other_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.new("RGB", (6, 4), "white").convert(mode).save(path)
    assert pixel(path) == [255] * 3


def test_only_the_declared_formats_are_decoded_whatever_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("Ghostscript was started"))
    Image.fromarray(RED).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png: cannot be read as an image"):
        read_image(tmp_path / "a.png", FORMATS)
    Image.fromarray(RED).save(tmp_path / "b.png")
    with pytest.raises(DataError, match=r"b\.png: cannot be read as an image"):
        read_image(tmp_path / "b.png", ("JPEG",))


def test_a_tiff_that_pillow_does_not_know_is_told_what_it_knows(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(np.ones((4, 6), dtype=np.uint16)).save(path)
    content = path.read_bytes()
    path.write_bytes(
        content.replace(
            struct.pack("<HHL", 0x102, 3, 1) + struct.pack("<L", 16),
            struct.pack("<HHL", 0x102, 3, 1) + struct.pack("<L", 24),
        )
    )
    assert path.read_bytes() != content  # 24 bits a pixel in one band
    with pytest.raises(
        DataError, match=r"cannot identify.*one band, or of three in 8 or 16 bits; save others as \.npy"
    ):
        read_image(path, FORMATS)


def test_more_pages_than_one_are_refused(tmp_path: Path) -> None:
    page = Image.fromarray(RED)
    page.save(tmp_path / "a.tif", save_all=True, append_images=[page])
    with pytest.raises(DataError, match=r"a\.tif: holds 2 pages"):
        read_image(tmp_path / "a.tif", FORMATS)


def png(width: int, height: int, data: bytes) -> bytes:
    """An 8-bit grey PNG with a header and any data."""
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bomb.png", png(20_000, 20_000, zlib.compress(b""))),
        ("large.png", png(10_000, 10_000, zlib.compress(b""))),
        ("packed.png", png(6, 4, b"no zlib")),
        ("short.png", png(6, 4, zlib.compress(b"\0" * 8))),
        ("empty.png", b""),
        ("empty.npy", b""),
        (
            "huge.npy",
            b"\x93NUMPY\x01\x00\x46\x00{'descr': '|u1', 'fortran_order': False, 'shape': (9999999999, 9)}    \n",
        ),
        (
            "negative.npy",
            b"\x93NUMPY\x01\x00\x46\x00{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 9)}            \n",
        ),
    ],
)
def test_a_damaged_or_hostile_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    for read in (read_image, read_mask):
        with pytest.raises(DataError, match=rf"{name}: cannot be read as an image or a mask \(.+\)"):
            read(tmp_path / name, FORMATS)


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow, about the damage that it reads past
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.npy"])
def test_flipped_bytes_never_raise_anything_else(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    noise, path = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), tmp_path / name
    if name == "a.npy":
        np.save(path, noise)
    else:
        Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    refused = 0
    for place in rng.integers(0, min(len(whole), 300), 150):
        flipped = bytearray(whole)
        flipped[place] ^= int(rng.integers(1, 256))
        path.write_bytes(flipped)
        try:
            read_image(path, FORMATS)
        except DataError as error:
            refused += str(path) in str(error)
    assert refused > 10


def test_objects_and_archives_are_no_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}]), allow_pickle=True)
    np.savez(tmp_path / "b.npz", np.zeros((4, 6)))
    (tmp_path / "b.npz").rename(tmp_path / "b.npy")
    for name in ("a.npy", "b.npy"):
        with pytest.raises(DataError, match=name):
            read_mask(tmp_path / name, FORMATS)


def test_an_array_of_16_bits_or_grey_is_an_image(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((4, 6), 65535, dtype=np.uint16))
    assert pixel(tmp_path / "a.npy") == [255] * 3
    np.save(tmp_path / "a.npy", RED)
    assert pixel(tmp_path / "a.npy") == [200, 10, 0]


def test_a_mask_is_one_channel_and_never_jpeg(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", RED)
    with pytest.raises(DataError, match=r"expected a mask of shape \(H, W\), got uint8 of shape \(4, 6, 3\)"):
        read_mask(tmp_path / "a.npy", FORMATS)
    Image.fromarray(RED).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"expected a label mask .*got mode 'RGB'"):
        read_mask(tmp_path / "a.png", FORMATS)

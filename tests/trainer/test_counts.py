import base64
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from patlib.trainer.counts import pack_counts, unpack_counts

SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


@given(arrays.arrays(st.sampled_from([np.uint8, np.int64, np.uint32]), SHAPES, elements=st.integers(0, 127)))
def test_counts_come_back_with_their_shape(counts):
    back = unpack_counts(pack_counts(counts))
    assert back.dtype == np.int64
    assert back.shape == counts.shape and np.array_equal(back, counts)


def test_the_largest_count_comes_back_and_the_next_is_refused():
    largest = np.array([[0, 2**32 - 1]])
    assert unpack_counts(pack_counts(largest)).tolist() == [[0, 2**32 - 1]]
    with pytest.raises(ValueError, match=r"integers from 0 to 2\^32 - 1; got int64"):
        pack_counts(largest + 1)


@pytest.mark.parametrize("counts", [np.array([1.0]), np.array([-1]), np.array([True]), np.array(["1"])])
def test_what_is_no_count_is_refused(counts):
    with pytest.raises(ValueError, match="counts must be integers"):
        pack_counts(counts)


def test_what_is_packed_is_plain_and_small():
    packed = pack_counts(np.eye(20, dtype=np.int64)[None].repeat(50, 0))
    assert packed["shape"] == [50, 20, 20]
    assert packed["deflated"].isascii() and len(packed["deflated"]) < 50 * 20 * 20 / 10
    content = zlib.decompress(base64.b64decode(packed["deflated"]))
    assert content[:8] == b"\1\0\0\0\0\0\0\0"  # four bytes a count, the lowest first, on any machine


COUNTS = np.arange(24).reshape(2, 3, 4)


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_changed_byte_is_noticed_or_changes_nothing(place, change):
    packed = pack_counts(COUNTS)
    content = bytearray(base64.b64decode(packed["deflated"]))
    content[place % len(content)] ^= change
    try:
        back = unpack_counts({**packed, "deflated": base64.b64encode(content).decode()})
    except ValueError as error:
        assert "packed counts are damaged" in str(error)
    else:
        assert np.array_equal(back, COUNTS)


@pytest.mark.parametrize(
    "damage",
    [
        {"shape": [2, 3, 5]},
        {"shape": [2, 3, 3]},
        {"shape": [-2, 3, 4]},
        {"shape": None},
        {"shape": ["two"]},
        {"deflated": "*"},
        {"deflated": None},
        {"deflated": ""},
        {"deflated": pack_counts(COUNTS)["deflated"][:20]},
        {"deflated": pack_counts(np.zeros(10**6, dtype=np.int64))["deflated"]},
    ],
)
def test_damaged_counts_are_refused(damage):
    with pytest.raises(ValueError, match="packed counts are damaged"):
        unpack_counts({**pack_counts(COUNTS), **damage})


@pytest.mark.parametrize("name", ["shape", "deflated"])
def test_a_missing_part_is_named(name):
    packed = pack_counts(COUNTS)
    del packed[name]
    with pytest.raises(ValueError, match=f"damaged .'{name}'."):
        unpack_counts(packed)

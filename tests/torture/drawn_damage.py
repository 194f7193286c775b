"""Files that are damaged, as hypothesis draws them: bytes that are cut, added or flipped, and JSON that is edited."""

import copy
import functools
import json
import operator
from contextlib import suppress

from hypothesis import strategies as st

PARTS = [st.integers(0, 15), st.integers(0, 600), st.integers(-40, -1), st.integers(0, 2**20)]
"""Places in a file: in its head, which says what there is, in its tail, and anywhere."""
FLIPS = st.one_of([st.lists(st.tuples(places, st.integers(1, 255)), min_size=1, max_size=4) for places in PARTS])
"""All in one part: a file whose head is damaged, too, is refused for that, whatever else is wrong."""
TEXTS = [
    b"[" * 100_000, b'{"config":' * 5_000, b"", b"null", b"[]", b"\xef\xbb\xbf{}", b"\xff\xfe", b'"' + b"a" * 99,
    b"1" * 9_000, b"1e400", b"NaN", b"[" + b"0," * 10**5 + b"0]", b'{"config": {}, "config": []}', b"\0" * 4096,
]  # fmt: skip
"""What is no record, no manifest and no part of one."""
VALUES = [
    None, True, False, 0, 1, 2, -1, -7, 0.5, -0.5, 1.5, 10**6, 2**53, 10**30, 1e308, float("nan"), float("inf"), "",
    "1", "ce", "camvid", "../../x", "/etc", "\x1b[31mred\x1b[0m", "\u202e", "a" * 300, [], [1], [[1]], {}, {"a": 1},
    [None] * 3, [[-1] * 10] * 10, [[1] * 10] * 10, [[0] * 10] * 10, {"shape": [3, 10, 10], "deflated": ""}, ["train"],
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = ["colour", "alpha", "T", "loss_parameters", "val_confusion", "shifted", "", "\x1b[2J"]
CHANGES = [
    operator.neg, lambda value: value + 1, lambda value: value * 2, lambda value: value + 0.5, str,
    lambda value: value[:-1], lambda value: value[::-1],
    lambda value: [[[value]]], lambda value: functools.reduce(lambda inner, _: [inner], range(60), value),
]  # fmt: skip


def damaged(contents: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Contents of which most are damaged."""
    flipped = st.builds(flip, contents, FLIPS)
    cut = st.builds(lambda content, place: content[: place % max(1, len(content))], contents, st.one_of(PARTS))
    longer = st.builds(operator.add, contents, st.binary(min_size=1, max_size=99))
    return st.one_of(contents, cut, longer, flipped, flipped, flipped)


def flip(content: bytes, flips: list[tuple[int, int]]) -> bytes:
    flipped = bytearray(content)
    for place, bits in flips if content else ():
        flipped[place % len(flipped)] ^= bits
    return bytes(flipped)


def edited(whole: object) -> st.SearchStrategy[bytes]:
    """JSON with one part, or a few, removed, renamed, changed or replaced, at any depth."""
    edit = (
        st.just(lambda part, key: part.pop(key))
        | st.sampled_from(KEYS).map(lambda name: lambda part, key: part.update({name: part.pop(key)}))
        | st.sampled_from(CHANGES).map(lambda new: lambda part, key: operator.setitem(part, key, new(part[key])))
        | (st.sampled_from(VALUES) | JSON).map(
            lambda value: lambda part, key: operator.setitem(part, key, copy.deepcopy(value))
        )
    )
    one = st.tuples(st.sampled_from(places(whole)), edit)
    return st.one_of(st.tuples(one), st.tuples(one), st.lists(one, min_size=2, max_size=5)).map(
        functools.partial(apply, whole)
    )


def places(part: object, above: tuple = ()) -> list[tuple]:
    """Where something can be changed, all levels alike: lists of numbers count once, or they would be nearly all."""
    inner = list(part) if isinstance(part, dict) else list(range(len(part))) if isinstance(part, list) else []
    if isinstance(part, list) and len(part) > 3:
        inner = [0, len(part) - 1]
    return [(*above, key) for key in inner] + [place for key in inner for place in places(part[key], (*above, key))]


def apply(whole: object, edits: list | tuple) -> bytes:
    whole = copy.deepcopy(whole)
    for (*above, key), edit in edits:
        # An earlier edit took the place away, or the value has no such change.
        with suppress(LookupError, TypeError, AttributeError):
            edit(functools.reduce(operator.getitem, above, whole), key)
    return json.dumps(whole).encode()

"""Colours for classes that have none: as far apart as can be for every kind of colour vision."""

from __future__ import annotations

from functools import cache

import numpy as np

from patlib.datasets.spec import VOID_COLOUR

STEPS = 9
"""Values a channel among which the colours are chosen."""

# What the eye's cones make of linear RGB: normal, and without green, red and blue cones (Machado, Oliveira, Fernandes.
# A physiologically-based model for simulation of color vision deficiency. TVCG 15(6), 2009; severity 1).
VISIONS = np.array([
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
])  # fmt: skip
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1, 1.089])


@cache
def distinct_colours(count: int) -> tuple[tuple[int, int, int], ...]:
    """`count` RGB colours, 0..255, the first ones the same for every count.

    Each is the one farthest from those before it and from the colour of void, where the distance of two colours is that
    in CIELAB of the eyes that tell them apart worst.
    """
    levels = np.linspace(0, 255, STEPS).round()
    colours = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    seen = _lab(np.concatenate([colours, [VOID_COLOUR]]))
    nearest = np.full(len(colours), np.inf)
    chosen: list[tuple[int, int, int]] = []
    last = len(colours)
    for _ in range(count):
        distance = np.linalg.norm(seen[:, :-1] - seen[:, last, None], axis=-1).min(axis=0)
        nearest = np.minimum(nearest, distance)
        last = int(nearest.argmax())
        red, green, blue = (int(part) for part in colours[last])
        chosen.append((red, green, blue))
    return tuple(chosen)


def _lab(colours: np.ndarray) -> np.ndarray:
    """CIELAB (visions, colours, 3) of sRGB colours (colours, 3), as each kind of eyes sees them."""
    part = colours / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ VISIONS.transpose(0, 2, 1), 0, 1)
    x, y, z = np.moveaxis(np.cbrt(np.maximum(seen @ TO_XYZ.T / WHITE, 0.009)), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)

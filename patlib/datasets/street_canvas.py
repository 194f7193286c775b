"""What the synthetic street scenes are drawn on and made of: a picture with its labels, rectangles and ellipses.

Shapes use H rows, W columns; h and w are those of a window, the part of the picture that a shape can touch.
"""

from __future__ import annotations

import numpy as np

from patlib.datasets.spec import IGNORE_INDEX

HEIGHT, WIDTH = 128, 192

Area = tuple[tuple[slice, slice], np.ndarray]
"""A window of the picture, and (h, w) bool: which of its pixels are meant."""

ROWS = np.arange(HEIGHT, dtype=np.float32)[:, None] + 0.5
COLUMNS = np.arange(WIDTH, dtype=np.float32)[None, :] + 0.5
ALL = (slice(None), slice(None))


def box(left: float, top: float, width: float, height: float) -> Area:
    """An upright rectangle."""
    window = window_of(left, top, left + width, top + height)
    return window, np.ones((ROWS[window[0]].size, COLUMNS[:, window[1]].size), dtype=bool)


def disc(x: float, y: float, radius_x: float, radius_y: float, limit: float | np.ndarray = 1) -> Area:
    """An ellipse; a limit (H, W) around 1 makes its edge ragged."""
    reach = max(1.0, float(np.max(limit)))
    window = window_of(x - reach * radius_x, y - reach * radius_y, x + reach * radius_x, y + reach * radius_y)
    distance = ((COLUMNS[:, window[1]] - x) / radius_x) ** 2 + ((ROWS[window[0]] - y) / radius_y) ** 2
    return window, distance < (limit[window] if isinstance(limit, np.ndarray) else limit)


def window_of(left: float, top: float, right: float, bottom: float) -> tuple[slice, slice]:
    """The pixels whose centres lie between these edges, as far as they are in the picture."""
    rows, columns = (max(0, round(top)), max(0, round(bottom))), (max(0, round(left)), max(0, round(right)))
    return slice(*rows), slice(*columns)


class Canvas:
    """One picture in the making, (H, W, 3) in 0..1, with the label of every pixel, and its supply of chance."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.image = np.zeros((HEIGHT, WIDTH, 3), dtype=np.float32)
        self.mask = np.full((HEIGHT, WIDTH), IGNORE_INDEX, dtype=np.uint8)

    def pick(self, colours: np.ndarray) -> np.ndarray:
        """One of the colours, a little changed."""
        change = self.rng.uniform(-0.06, 0.06, 3).astype(np.float32)
        picked: np.ndarray = colours[self.rng.integers(len(colours))] + change
        return picked.clip(0, 1)

    def cloud(self, bumps: int) -> np.ndarray:
        """(H, W) smooth random field in -1..1, `bumps` of them across."""
        values = self.rng.uniform(-1, 1, (bumps * HEIGHT // WIDTH + 2, bumps + 2)).astype(np.float32)
        x, y = COLUMNS * (bumps / WIDTH), ROWS * (bumps / WIDTH)
        left, top = x[0].astype(int), y[:, 0].astype(int)
        x, y = x - left, y - top[:, None]
        values = values[:, left] * (1 - x) + values[:, left + 1] * x
        field: np.ndarray = values[top] * (1 - y) + values[top + 1] * y
        return field

    def develop(self) -> np.ndarray:
        """Light, lens and sensor: (H, W, 3) uint8."""
        light = self.rng.uniform(0.65, 1.15) * self.rng.uniform(0.93, 1.07, 3).astype(np.float32)
        corner = ((COLUMNS / WIDTH - 0.5) ** 2 + (ROWS / HEIGHT - 0.5) ** 2)[..., None]
        seen = self.image * light * (1 - 0.3 * corner) * (1 + 0.08 * self.cloud(4)[..., None])
        # The sum of two uniform draws is close enough to Gaussian noise, and needs no exp.
        grain = self.rng.random((2, HEIGHT, WIDTH, 3), dtype=np.float32)
        seen += 2 * self.rng.uniform(0.03, 0.1) * (grain[0] + grain[1] - 1)
        return (np.clip(seen, 0, 1) * 255 + 0.5).astype(np.uint8)

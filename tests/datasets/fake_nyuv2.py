"""The content of the fake NYUv2, which its tests compare with what was read."""

import numpy as np

NAMES_TO_40 = np.array([[4, 23, 40, 1, 25, 2, 22, 20]])
"""A short `mapClass`: eight names, of which the sixth and the eighth are floor."""


def image_and_names(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Image (6, 8, 3) uint8 and names (6, 8), 0 where unlabelled."""
    rng = np.random.default_rng(number)
    return rng.integers(0, 256, (6, 8, 3)).astype(np.uint8), rng.permutation(np.arange(48) % 9).reshape(6, 8)

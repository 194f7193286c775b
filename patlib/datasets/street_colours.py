"""The colours of the synthetic street scenes, each list for one kind of thing."""

from __future__ import annotations

import numpy as np


def _colours(codes: str) -> np.ndarray:
    """(K, 3) RGB in 0..1 from hexadecimal codes."""
    return np.array([list(bytes.fromhex(code)) for code in codes.split()], dtype=np.float32) / 255


PAINTS = _colours("b4553c d9c7a0 8f8f8a 6f7f94 c9a66b e4ded2 7a3b33 46506b a9b9c4 c43a31 2f5f9e d8b13a 56634a")
SKIES = _colours("8fbfe6 b9cfdd c4c6c6 e7c9a4 a5b5d6")
GREENS = _colours("4f7a35 6d8a3c 8a8446 3d6344 a07a3a")
GREYS = _colours("6d6b6e 7d7a76 8b8985 9c978d 5d5f66")
SKINS = _colours("f0c8a0 c68e63 8a5a3c 5a3a28")
DARK, WHITE, RED, BARK = _colours("2a2a30 f2f0ea cc2019 6b6157")

"""How patlib is installed: which optional packages are there, and where that lies which is no module."""

from __future__ import annotations

import importlib.util
from pathlib import Path


class MissingExtraError(ImportError):
    """A package is missing that only some functions need. The message names the extra that brings it."""


def require_extra(extra: str, *modules: str, instead: str = "") -> None:
    """Make sure that the packages of an extra are there, before one of them is imported.

    Args:
        extra: its name in ``pip install 'patlib[extra]'``.
        modules: the names under which they are imported.
        instead: what can be done without them, added to the message.

    Raises:
        MissingExtraError: the first that is not installed.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(
                f"{module} is not installed: pip install 'patlib[{extra}]' brings it{instead and f', {instead}'}",
                name=module,
            )


def beside(folder: str) -> Path:
    """A folder of the repository that travels with the package: ``notebooks`` or ``benchmarks``.

    A wheel holds it inside the package (``package-dir`` in pyproject.toml), a checkout beside it.
    """
    package = Path(__file__).parent
    inside = package / folder
    return inside if inside.is_dir() else package.parent / folder

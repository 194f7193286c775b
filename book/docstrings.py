"""Sphinx extension: what autodoc and napoleon read otherwise than this library's docstrings mean it.

Napoleon takes "Size in pixels: ..." below an attribute for a type and its description. And what stands beside a type,
the bounds of pydantic in `Annotated[int, Ge(ge=1)]` and the meanings of the losses' parameters, makes a signature hard
to read: it shows the type alone, and the meanings become a list below it.
"""

import re
from typing import Any

from sphinx.application import Sphinx

from patlib.losses import LOSSES, loss_signature

# Read before autodoc, which puts a signature of strings in the place of the constructor's own.
MEANINGS = {
    loss: {key: parameter.annotation.__metadata__[0] for key, parameter in loss_signature(name).items()}
    for name, loss in LOSSES.items()
}
BESIDE = r"[~\w.]+\([^)]*\)|'[^']*'|\"[^\"]*\"|[A-Z]+"  # a bound, a meaning, or a meaning that has a name
BOUNDED = re.compile(rf"~?(?:\w+\.)*Annotated\[(.*?)(?:, (?:{BESIDE}))+\]")


def keep_colons(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Begin an attribute's text with a line that shows nothing: napoleon looks for a type in the first line alone."""
    if what in ("attribute", "data", "property") and lines:
        lines.insert(0, "\\ ")


def list_meanings(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Say what each parameter of a loss means, before the example."""
    if what == "class" and obj in MEANINGS:
        listed = [f":param {key}: {meaning}" for key, meaning in MEANINGS[obj].items()]
        place = lines.index("Example:")
        lines[place:place] = [*listed, ""]


def plain_types(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Of an annotated type the type alone."""
    return signature and BOUNDED.sub(r"\1", signature), returned


def setup(app: Sphinx) -> dict[str, Any]:
    """Register what this extension does; Sphinx calls it."""
    for change in (keep_colons, list_meanings):
        app.connect("autodoc-process-docstring", change, priority=400)  # before napoleon, which has 500
    app.connect("autodoc-process-signature", plain_types)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

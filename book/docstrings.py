"""Sphinx extension: what autodoc and napoleon read otherwise than this library's docstrings mean it.

Napoleon takes "Size in pixels: ..." below an attribute for a type and its description. And the bounds that pydantic
keeps beside a type, `Annotated[int, Ge(ge=1)]`, make a signature of thirty settings hard to read.
"""

import re
from typing import Any

from sphinx.application import Sphinx

BOUNDED = re.compile(r"~?(?:\w+\.)?Annotated\[(.*?)(?:, [~\w.]+\([^)]*\))+\]")


def keep_colons(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Begin an attribute's text with a line that shows nothing: napoleon looks for a type in the first line alone."""
    if what in ("attribute", "data", "property") and lines:
        lines.insert(0, "\\ ")


def plain_types(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Of a bounded type the type alone."""
    return signature and BOUNDED.sub(r"\1", signature), returned


def setup(app: Sphinx) -> dict[str, Any]:
    """Register what this extension does; Sphinx calls it."""
    app.connect("autodoc-process-docstring", keep_colons, priority=400)  # before napoleon, which has 500
    app.connect("autodoc-process-signature", plain_types)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

"""Sphinx extension: an equation labelled eq-4 is number 4 in the book, because it is Eq. 4 in the paper.

Sphinx would count them in the order of the pages. Our own equations, labelled eq-flow and the like, show that word.
"""

import re
from typing import Any

from docutils.nodes import Element
from sphinx.application import Sphinx
from sphinx.domains.math import MathDomain


class PaperNumbers(MathDomain):
    """Numbers equations by their labels."""

    def note_equation(self, docname: str, labelid: str, location: Element | str | None = None) -> None:
        """Give ``eq-4`` the number 4, and any other label its own text as a number."""
        super().note_equation(docname, labelid, location)
        paper = re.fullmatch(r"eq-(\d+)", labelid)
        self.equations[labelid] = (docname, paper[1] if paper else labelid.removeprefix("eq-"))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register what this extension does; Sphinx calls it."""
    app.add_domain(PaperNumbers, override=True)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

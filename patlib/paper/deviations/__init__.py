"""Paper, released code, library: every deviation we know of, one executable check a row.

:data:`DEVIATIONS` holds the rows; ``row.check()`` runs one. :data:`READ_NOT_EXECUTED` lists facts that were read and
that nothing here can run. The released code is KhoiDOO/ibla at commit 20c21d1, which version 4 of the paper names; the
authors may have used other code for their tables.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from patlib.paper.deviations.losses import LOSS_DEVIATIONS
from patlib.paper.deviations.printed import PRINTED_DEVIATIONS
from patlib.paper.deviations.protocol import PROTOCOL_DEVIATIONS, READ_NOT_EXECUTED
from patlib.paper.deviations.row import Deviation, Reading

__all__ = [
    "DEVIATIONS",
    "LOSS_DEVIATIONS",
    "PRINTED_DEVIATIONS",
    "PROTOCOL_DEVIATIONS",
    "READ_NOT_EXECUTED",
    "Deviation",
    "Reading",
    "as_html",
]

DEVIATIONS: tuple[Deviation, ...] = (*PROTOCOL_DEVIATIONS, *LOSS_DEVIATIONS, *PRINTED_DEVIATIONS)
"""Every difference that has a check: those of the protocol, of the losses, and within the printed paper."""

CELL = 'style="text-align: left; vertical-align: top; white-space: normal"'


def as_html(rows: Iterable[Deviation | Reading]) -> str:
    """The rows as an HTML table of two columns, which wraps on a telephone. What a check measured stands last.

    The checks are run, so AssertionError is raised if one of them no longer holds.
    """
    lines = ["<table>"]
    for row in rows:
        kind = row.kind if isinstance(row, Deviation) else "read, not executed"
        texts = {
            "paper": row.paper,
            "released code": row.released,
            "its numbers" if kind == "arithmetic" else "patlib": row.patlib,
            "measured": row.check() if isinstance(row, Deviation) else "",
        }
        lines.append(f'<tr><th colspan="2" {CELL}>{escape(row.topic)} <small>({kind})</small></th></tr>')
        for source, text in texts.items():
            if text:
                lines.append(f"<tr><td {CELL}><em>{source}</em></td><td {CELL}>{escape(text)}</td></tr>")
    return "\n".join([*lines, "</table>"])

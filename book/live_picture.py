"""Sphinx extension: the live picture of the first page, in which two networks learn while the reader watches.

`live/` holds its parts. The worker's text goes into the page's script, because a page that was opened from the disk may
not load a worker from a file.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

LIVE = Path(__file__).with_name("live")
WORKER = ("network.js", "losses.js", "scenes.js", "trainer.js", "worker.js")


def script() -> str:
    """The whole script of the page, in a scope of its own."""
    worker = "\n".join((LIVE / name).read_text(encoding="utf-8") for name in WORKER)
    page = (LIVE / "page.js").read_text(encoding="utf-8")
    return f'(function () {{\n"use strict";\nconst LIVE_WORKER = {json.dumps(worker)};\n{page}}})();\n'


def stand_alone() -> str:
    """The picture without the book around it, for those who work on it."""
    style, panel = ((LIVE / name).read_text(encoding="utf-8") for name in ("live.css", "panel.html"))
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Live picture</title>'
    return f'<!doctype html><html lang="en">{head}<style>{style}</style><body>{panel}<script>{script()}</script></html>'


def copy_scripts(app: Sphinx) -> None:
    """Put the script and the style sheet into the book's _static folder."""
    static = Path(app.outdir) / "_static"
    static.mkdir(parents=True, exist_ok=True)
    (static / "live.js").write_text(script(), encoding="utf-8")
    shutil.copy(LIVE / "live.css", static)


def load_where_shown(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Only the page that holds the picture loads its script."""
    if 'id="live"' in context.get("body", ""):
        app.add_js_file("live.js", defer="defer")
        app.add_css_file("live.css")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register what this extension does; Sphinx calls it."""
    app.connect("builder-inited", copy_scripts)
    app.connect("html-page-context", load_where_shown)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

"""Sphinx extension: the book carries its own JavaScript, so that every page works from a USB stick.

Sphinx points to a CDN for MathJax, and a Vega-Lite chart needs Vega. Both come from Python
packages here, so that building the book needs no node and reading it needs no network.
"""

import importlib.metadata
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

MATHJAX_FILES = ("static/mathjax/tex-mml-chtml.js", "static/mathjax/output/chtml/fonts/")


def copy_scripts(app: Sphinx) -> None:
    """Put MathJax (1.7 MB of the 24 MB in its package) and Vega into the book's _static folder."""
    static = Path(app.outdir) / "_static"
    # Located through its metadata: the module name, with dashes, cannot be imported.
    for file in importlib.metadata.files("sphinx-mathjax-offline") or ():
        _, _, name = file.as_posix().partition("/")
        if name.startswith(MATHJAX_FILES):
            target = static / name.removeprefix("static/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), target)
    if not (static / "mathjax").is_dir():
        raise ExtensionError("sphinx-mathjax-offline holds no MathJax where it used to: see MATHJAX_FILES")

    import vl_convert

    # The bundle declares bare names (`const n`, `_`) that other scripts on a page declare too.
    (static / "vega.js").write_text("(function(){" + vl_convert.javascript_bundle() + "\n})();", encoding="utf-8")
    for name in ("chart.js", "chart.css"):
        shutil.copy(Path(__file__).with_name(name), static)


def load_vega_where_needed(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Vega is 0.9 MB: only pages with a chart load it."""
    if 'class="vega-embed"' in context.get("body", ""):
        app.add_js_file("vega.js", defer="defer")
        app.add_js_file("chart.js", defer="defer")
        app.add_css_file("chart.css")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register what this extension does; Sphinx calls it."""
    app.connect("builder-inited", copy_scripts)
    app.connect("html-page-context", load_vega_where_needed)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

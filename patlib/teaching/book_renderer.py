"""Draw Vega-Lite outputs in the static book.

JupyterLab draws the Vega-Lite MIME type by itself; myst-nb does not know it, and Altair's own
HTML loads Vega from a CDN. So a notebook stores the chart's specification only (a few kB), and
this plugin, registered under the entry point ``myst_nb.mime_renderers``, turns it into a small
script. The page provides ``drawChart`` (``book/chart.js``). Sliders work without a kernel.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, ClassVar

from patlib.install import require_extra

require_extra("book", "docutils", "myst_nb")

from docutils import nodes  # noqa: E402

if TYPE_CHECKING:
    from myst_nb.core.render import MimeData, NbElementRenderer

MIME = "application/vnd.vegalite.v5+json"

# The frame scrolls by itself, so that a wide chart does not push a phone's page sideways.
# `load` and not `DOMContentLoaded`: the scripts are deferred.
TEMPLATE = """\
<div class="vega-frame" style="overflow-x: auto"><div id="{name}" class="vega-embed"></div></div>
<script>addEventListener("load", () => drawChart("#{name}", {spec}));</script>"""


class VegaLite:
    """A myst-nb MIME renderer for `MIME`."""

    mime_priority_overrides: ClassVar[list[tuple[str, str, int]]] = [("html", MIME, 5)]

    @staticmethod
    def handle_mime(renderer: NbElementRenderer, data: MimeData, inline: bool) -> list[nodes.Element] | None:
        """The nodes that show `data`, or None to leave it to the next renderer."""
        if inline or data.mime_type != MIME:
            return None
        spec = json.dumps(data.content, sort_keys=True).replace("</", r"<\/")  # `</script>` would end the script
        # The place is part of the name: two equal charts on a page need two targets.
        place = f"{data.cell_index}.{data.output_index}"
        name = "vega-" + hashlib.sha1(f"{place}{spec}".encode()).hexdigest()[:10]
        return [nodes.raw("", TEMPLATE.format(name=name, spec=spec), format="html")]

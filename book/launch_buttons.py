"""Sphinx extension: one address, `repository_url` in _config.yml, switches the Binder and Colab buttons on.

The theme makes the buttons, and stops with an error where it is asked for them without an address. With one, the first
page also says what Colab needs: it opens a bare notebook, without this repository and its package.
"""

from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

ONLINE = """
## Run it online

The rocket above a notebook opens it on Binder, which installs everything (minutes, the first time), or on Colab, which
installs nothing. On Colab, run this in a cell of its own first:

```ipython3
!git clone -q {address} patlib
%pip install -q "./patlib[notebooks]"
%cd patlib/notebooks
```
"""


def keep_buttons_with_address(app: Sphinx, config: Config) -> None:
    """Without an address there is nothing to launch."""
    if not config.html_theme_options.get("repository_url"):
        config.html_theme_options.pop("launch_buttons", None)


def explain_on_first_page(app: Sphinx, page: str, source: list[str]) -> None:
    """Add the section to the first page of a book that has the buttons."""
    if page == app.config.root_doc and "launch_buttons" in app.config.html_theme_options:
        source[0] += ONLINE.format(address=app.config.html_theme_options["repository_url"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register what this extension does; Sphinx calls it."""
    app.connect("config-inited", keep_buttons_with_address)
    app.connect("source-read", explain_on_first_page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

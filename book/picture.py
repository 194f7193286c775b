"""Copy one figure of an executed notebook to a PNG file, so that the README and the first page can show it.

python book/picture.py build/notebooks/00_start_here.ipynb fig-first-result book/images/patlib.png
"""

import base64
import sys
from pathlib import Path

import nbformat


def picture(notebook: Path, figure: str) -> bytes:
    """The PNG made by the cell whose figure has that name."""
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.metadata.get("mystnb", {}).get("figure", {}).get("name") == figure:
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    return base64.b64decode(output.data["image/png"])
    sys.exit(f"{notebook} has no executed cell with a figure named {figure}")


if __name__ == "__main__":
    Path(sys.argv[3]).write_bytes(picture(Path(sys.argv[1]), sys.argv[2]))

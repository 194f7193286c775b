"""Derive working copies of the notebooks, with the exercises still to be solved.

    python book/exercises.py notebooks exercises

Solutions are written once, in the notebook: as a code cell tagged `solution`, in words as `:::{dropdown} Solution`.
A copy has an empty cell for the one and nothing for the other; all else is the same, without outputs. Copies lie in a
folder as deep as notebooks/, so that paths and links hold. One that is there already is somebody's work, and is kept.
"""

import re
import sys
from pathlib import Path

import nbformat
from execute import read_source
from nbformat import NotebookNode

DROPDOWN = re.compile(r"\n*^:::\{dropdown\} Solution$.*?^:::$\n*", re.MULTILINE | re.DOTALL)
YOUR_TURN = "# your turn"


def unsolved(notebook: NotebookNode) -> NotebookNode:
    """The same notebook (changed in place) without its solutions."""
    for cell in notebook.cells:
        if "solution" in cell.metadata.get("tags", []):
            cell.source = YOUR_TURN
            cell.metadata = NotebookNode()
        elif cell.cell_type == "markdown":
            cell.source = DROPDOWN.sub("\n\n", cell.source).strip()
    notebook.cells = [cell for cell in notebook.cells if cell.source]
    notebook.metadata.pop("jupytext", None)  # or JupyterLab would write a second file beside the copy
    return notebook


def derive(sources: Path, target: Path) -> None:
    """Write a copy of each notebook in `sources` that `target` does not hold yet."""
    target.mkdir(parents=True, exist_ok=True)
    for source in sorted(sources.glob("*.md")):
        copy = target / f"{source.stem}.ipynb"
        if copy.exists():
            print(f"{copy} is kept as it is; to begin again, remove it and repeat")
        else:
            nbformat.write(unsolved(read_source(source)), copy)
            print(copy)


if __name__ == "__main__":
    derive(Path(sys.argv[1]), Path(sys.argv[2]))

"""Derive working copies of the notebooks, with the exercises still to be solved.

    python book/exercises.py notebooks exercises

Solutions are written once, in the notebook: as a code cell tagged `solution`, in words as `:::{dropdown} Solution`.
Each such cell is followed by one tagged `check`, which tells whether the answer is right. The check begins with the
names that the answer must define:

    assert "weights" in globals(), "Not answered yet: define weights in the cell above."

A copy has "# your turn: define weights" for the code and nothing for the words; the checks and all else stay, without
outputs. Copies lie in a folder as deep as notebooks/, so that paths and links hold. One that is there already is
somebody's work, and is kept.
"""

import ast
import re
import sys
from itertools import pairwise
from pathlib import Path

import nbformat
from execute import read_source
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

DROPDOWN = re.compile(r"\n*^:::\{dropdown\} Solution$.*?^:::$\n*", re.MULTILINE | re.DOTALL)
TASK = re.compile(r"Not answered yet: (define .+) in the cell above\.")


def has_tag(cell: NotebookNode, tag: str) -> bool:
    """Whether a cell bears a tag."""
    return tag in cell.metadata.get("tags", [])


def your_turn(check: NotebookNode) -> str:
    """What the empty cell before this check says: "# your turn: define weights"."""
    first = ast.parse(check.source).body[0] if has_tag(check, "check") else None
    message = first.msg.value if isinstance(first, ast.Assert) and isinstance(first.msg, ast.Constant) else ""
    task = TASK.fullmatch(message)
    if not task:
        raise ValueError(
            "a solution must be followed by a cell tagged check that begins with assert ..., "
            f'"Not answered yet: define x in the cell above."; after one stands\n{check.source}'
        )
    return f"# your turn: {task[1]}"


def unsolved(notebook: NotebookNode) -> NotebookNode:
    """The same notebook (changed in place) without its solutions."""
    for cell, following in pairwise([*notebook.cells, new_markdown_cell()]):
        if has_tag(cell, "solution"):
            cell.source = your_turn(following)
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

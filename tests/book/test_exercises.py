"""Working copies of the notebooks: the solutions are gone, and nothing else is."""

from pathlib import Path

import nbformat
import pytest
from execute import read_source
from exercises import YOUR_TURN, derive, unsolved
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SOURCES = sorted(NOTEBOOKS.glob("*.md"))
SMALL = """---
kernelspec:
  display_name: Python 3 (ipykernel)
  language: python
  name: python3
---

# A page

```{code-cell} ipython3
:tags: [remove-stderr]

x = 6
```

**1.** What is x times 7?

:::{dropdown} Solution
It is 42, the answer.

- in a list
:::

```{code-cell} ipython3
:tags: [solution, hide-cell]

assert x * 7 == 42
```

:::{dropdown} Solution
Words alone.
:::

```{code-cell} ipython3
x
```

**2.** Why?

:::{dropdown} Solution
Because.
:::

:::{dropdown} A hint, which stays
Think.
:::

**Next:** nothing.
"""


def is_solution(cell: NotebookNode) -> bool:
    return "solution" in cell.metadata.get("tags", [])


def without_dropdowns(text: str) -> list[str]:
    """The lines outside dropdown solutions, blank ones left out."""
    kept, inside = [], False
    for line in text.splitlines():
        inside = inside or line == ":::{dropdown} Solution"
        if not inside and line:
            kept.append(line)
        inside = inside and line != ":::"
    return kept


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "sources" / "01_small.md"
    path.parent.mkdir()
    path.write_text(SMALL)
    return path


def test_a_solution_becomes_an_empty_cell_and_a_dropdown_nothing(small: Path) -> None:
    copy = unsolved(read_source(small))
    assert [cell.source for cell in copy.cells] == [
        "# A page",
        "x = 6",
        "**1.** What is x times 7?",
        YOUR_TURN,
        "x",
        "**2.** Why?\n\n:::{dropdown} A hint, which stays\nThink.\n:::\n\n**Next:** nothing.",
    ]
    assert [cell.metadata for cell in copy.cells if cell.cell_type == "code"] == [{"tags": ["remove-stderr"]}, {}, {}]


@pytest.fixture(params=SOURCES, ids=[path.stem for path in SOURCES])
def pair(request: pytest.FixtureRequest) -> tuple[NotebookNode, NotebookNode]:
    """(notebook, its working copy)"""
    return read_source(request.param), unsolved(read_source(request.param))


def test_no_solution_is_left(pair: tuple[NotebookNode, NotebookNode]) -> None:
    notebook, copy = pair
    text = "\n".join(cell.source for cell in copy.cells)
    assert "{dropdown} Solution" not in text
    for cell in filter(is_solution, notebook.cells):
        assert cell.source not in text
    assert not any(map(is_solution, copy.cells))


def test_everything_else_is_the_same(pair: tuple[NotebookNode, NotebookNode]) -> None:
    notebook, copy = pair
    expected = [
        [YOUR_TURN] if is_solution(cell) else without_dropdowns(cell.source)
        for cell in notebook.cells
        if cell.cell_type == "code" or without_dropdowns(cell.source)
    ]
    assert [without_dropdowns(cell.source) for cell in copy.cells] == expected
    same = [cell for cell in notebook.cells if cell.cell_type == "code" and not is_solution(cell)]
    assert [cell for cell in copy.cells if cell.cell_type == "code" and cell.source != YOUR_TURN] == same
    assert copy.metadata.kernelspec == notebook.metadata.kernelspec


def test_a_copy_is_a_valid_notebook_without_outputs(pair: tuple[NotebookNode, NotebookNode]) -> None:
    _, copy = pair
    nbformat.validate(copy)
    assert not any(cell.get("outputs") for cell in copy.cells)


def test_the_source_keeps_its_solutions(small: Path, tmp_path: Path) -> None:
    derive(small.parent, tmp_path / "exercises")
    assert small.read_text() == SMALL
    assert nbformat.read(tmp_path / "exercises" / "01_small.ipynb", as_version=4).cells[3].source == YOUR_TURN


def test_a_copy_that_is_there_is_kept(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work = tmp_path / "exercises" / "01_small.ipynb"
    work.parent.mkdir()
    work.write_text("an afternoon of work")
    derive(small.parent, work.parent)
    assert work.read_text() == "an afternoon of work"
    assert "kept as it is" in capsys.readouterr().out


def test_copies_lie_as_deep_as_the_notebooks() -> None:
    """Otherwise `../book/results` and links between notebooks would lead elsewhere."""
    makefile = (NOTEBOOKS.parent / "Makefile").read_text()
    assert "book/exercises.py notebooks exercises\n" in makefile
    assert "/exercises/\n" in (NOTEBOOKS.parent / ".gitignore").read_text()

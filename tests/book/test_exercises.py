"""Working copies of the notebooks: the solutions are gone, the checks stay, and a copy can be worked with."""

import re
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from execute import read_source
from exercises import derive, has_tag, unsolved, your_turn
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
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

answer = x * 7
```

```{code-cell} ipython3
:tags: [check]

assert "answer" in globals(), "Not answered yet: define answer in the cell above."
assert answer == 42, "It is more than 40."
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


NAMES_NO_LONGER_THERE = re.compile(r"\bsolutions?\b|\bcells? (above|below) (checks?|runs?|measures?)\b", re.IGNORECASE)


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


def test_a_solution_becomes_what_is_asked_for_and_a_dropdown_nothing(small: Path) -> None:
    copy = unsolved(read_source(small))
    assert [cell.source for cell in copy.cells] == [
        "# A page",
        "x = 6",
        "**1.** What is x times 7?",
        "# your turn: define answer",
        'assert "answer" in globals(), "Not answered yet: define answer in the cell above."\n'
        'assert answer == 42, "It is more than 40."',
        "x",
        "**2.** Why?\n\n:::{dropdown} A hint, which stays\nThink.\n:::\n\n**Next:** nothing.",
    ]
    assert [cell.metadata for cell in copy.cells if cell.cell_type == "code"] == [
        {"tags": ["remove-stderr"]},
        {},
        {"tags": ["check"]},
        {},
    ]


def test_a_solution_without_a_check_is_refused(small: Path) -> None:
    small.write_text(SMALL.replace("[check]", "[hide-cell]"))
    with pytest.raises(ValueError, match="must be followed by a cell tagged check"):
        unsolved(read_source(small))


@pytest.fixture
def copy(notebook: NotebookNode) -> NotebookNode:
    return unsolved(deepcopy(notebook))


def code(notebook: NotebookNode, tag: str) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code" and has_tag(cell, tag)]


def test_no_solution_is_left(notebook: NotebookNode, copy: NotebookNode) -> None:
    text = "\n".join(cell.source for cell in copy.cells)
    assert "{dropdown} Solution" not in text
    for cell in code(notebook, "solution"):
        assert cell.source not in text
    assert not code(copy, "solution")


def test_everything_else_is_the_same(notebook: NotebookNode, copy: NotebookNode) -> None:
    expected = []
    for index, cell in enumerate(notebook.cells):
        if has_tag(cell, "solution"):
            expected.append([your_turn(notebook.cells[index + 1])])
        elif cell.cell_type == "code" or without_dropdowns(cell.source):
            expected.append(without_dropdowns(cell.source))
    assert [without_dropdowns(cell.source) for cell in copy.cells] == expected
    same = [cell for cell in notebook.cells if cell.cell_type == "code" and not has_tag(cell, "solution")]
    assert [cell for cell in copy.cells if cell.cell_type == "code" and "# your turn" not in cell.source] == same
    assert copy.metadata.kernelspec == notebook.metadata.kernelspec


def test_exercises_of_a_copy_do_not_speak_of_what_was_removed(copy: NotebookNode) -> None:
    text = "\n".join(cell.source for cell in copy.cells)
    lines = text[text.index("## Exercises") :].splitlines()
    assert not [line for line in lines if NAMES_NO_LONGER_THERE.search(line)]


def test_a_copy_is_a_valid_notebook_without_outputs(copy: NotebookNode) -> None:
    nbformat.validate(copy)
    assert not any(cell.get("outputs") for cell in copy.cells)


def test_the_source_keeps_its_solutions(small: Path, tmp_path: Path) -> None:
    derive(small.parent, tmp_path / "exercises")
    assert small.read_text() == SMALL
    assert (
        nbformat.read(tmp_path / "exercises" / "01_small.ipynb", as_version=4).cells[3].source
        == "# your turn: define answer"
    )


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

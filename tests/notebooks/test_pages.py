"""The anatomy of a page: what a reader finds at the top and at the end of every notebook."""

import re
from pathlib import Path

import jupytext
import pytest
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SOURCES = sorted(NOTEBOOKS.glob("*.md"))


@pytest.fixture(params=SOURCES, ids=[path.stem for path in SOURCES])
def cells(request: pytest.FixtureRequest) -> list[NotebookNode]:
    return jupytext.read(request.param).cells


def section(cells: list[NotebookNode], heading: str) -> list[NotebookNode]:
    """The cells from the one that holds this heading to the end; the first begins at the heading."""
    for index, cell in enumerate(cells):
        if cell.cell_type == "markdown" and f"\n{heading}\n" in f"\n{cell.source}\n":
            first = cell.copy()
            first.source = f"{heading}\n" + f"\n{cell.source}\n".split(f"\n{heading}\n", 1)[1]
            return [first, *cells[index + 1 :]]
    raise AssertionError(f"the notebook has no heading {heading!r}")


def test_it_opens_with_a_title_and_what_to_know_before(cells: list[NotebookNode]) -> None:
    first = cells[0].source
    assert cells[0].cell_type == "markdown" and first.startswith("# ")
    admonition = re.search(r"^:::\{admonition\} Before you start\n(.*?)^:::$", first, re.MULTILINE | re.DOTALL)
    assert admonition, "open with ':::{admonition} Before you start'"
    for entry in (r"Goal:\*\* \S", r"Prerequisites:\*\* \S", r"Minutes:\*\* \d", r"Equations:\*\* \S"):
        assert re.search(rf"^- \*\*{entry}", admonition[1], re.MULTILINE), f"no entry like {entry} in:\n{admonition[1]}"


def test_it_ends_with_take_aways_exercises_and_where_to_go(cells: list[NotebookNode]) -> None:
    assert re.match(r"## Take-aways\n\n- \S", section(cells, "## Take-aways")[0].source)
    assert re.match(r"## Exercises\n\n\*\*1\.\*\* \S", section(cells, "## Exercises")[0].source)
    assert re.search(r"^\*\*(Next:|Back to)\*?\*? ?\[?.*\.ipynb\)", cells[-1].source, re.MULTILINE)


def exercises(cells: list[NotebookNode]) -> tuple[list[str], list[str]]:
    """The numbers of the exercises, and what stands between each and the next."""
    text = "\n".join(cell.source for cell in section(cells, "## Exercises") if cell.cell_type == "markdown")
    parts = re.split(r"^\*\*(\d+)\.\*\*", text, flags=re.MULTILINE)[1:]
    return parts[::2], parts[1::2]


def test_exercises_are_numbered_without_gap(cells: list[NotebookNode]) -> None:
    numbers, _ = exercises(cells)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]


def test_every_exercise_says_how_long_and_how_hard_it_is(cells: list[NotebookNode]) -> None:
    for exercise in exercises(cells)[1]:
        assert re.match(r" \*\(\d+ minutes?, (easy|medium|hard)\)\* \S", exercise), (
            f"begin as in **1.** *(5 minutes, easy)* The question ...:\n{exercise}"
        )


def test_every_exercise_has_a_folded_hint_and_a_solution(cells: list[NotebookNode]) -> None:
    for exercise in exercises(cells)[1]:
        assert re.findall(r"^:::\{dropdown\} (Hint|Solution)$", exercise, re.MULTILINE) == ["Hint", "Solution"], (
            exercise
        )


def test_code_of_solutions_is_tagged_and_folded(cells: list[NotebookNode]) -> None:
    """The tag takes it out of the working copies; hide-cell folds it away in the book. Checks are seen in both."""
    for cell in section(cells, "## Exercises"):
        if cell.cell_type == "code" and "check" not in cell.metadata.get("tags", []):
            assert {"solution", "hide-cell"} <= set(cell.metadata.get("tags", [])), (
                f"tags: [solution, hide-cell]\n{cell.source}"
            )


def test_an_equation_that_is_referred_to_has_the_same_number_in_jupyterlab(cells: list[NotebookNode]) -> None:
    """JupyterLab numbers the labelled equations of the open notebook from 1, and knows no others."""
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    there = re.findall(r"\$\$ \((eq-[\w-]+)\)", text)
    for label in re.findall(r"\{eq\}`(eq-[\w-]+)`", text):
        advice = f"{label}: name the equation, as in [Eq. 4](06_adaptive_pixels.ipynb#the-loss)"
        assert label in there, advice
        number = label.removeprefix("eq-")
        assert not number.isdigit() or there.index(label) + 1 == int(number), advice

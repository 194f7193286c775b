"""Each notebook is stored twice, as source (.md) and executed (.ipynb): here the two agree."""

import re
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
NAMES = sorted({path.stem for pattern in ("*.md", "*.ipynb") for path in NOTEBOOKS.glob(pattern)})
LINK = re.compile(r"\]\(\d\d_\w+\.md[^)]*\)")
WIDGET = re.compile(r"\b(interactive|VBox)\(children=")  # the text form of a widget
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def source(name: str) -> NotebookNode:
    return jupytext.read(NOTEBOOKS / f"{name}.md")


@pytest.fixture
def executed(name: str) -> NotebookNode:
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


def cells(notebook: NotebookNode) -> list[tuple[str, str, dict]]:
    """Type, source and metadata of each cell, without what folds it in JupyterLab: the source has tags for that."""
    return [
        (cell.cell_type, cell.source, {name: value for name, value in cell.metadata.items() if name != "jupyter"})
        for cell in notebook.cells
    ]


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source]


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def test_stored_cells_equal_the_source(source: NotebookNode, executed: NotebookNode) -> None:
    assert cells(executed) == cells(source), "run `make notebooks`; edit the .md, never the .ipynb"


def test_what_the_book_folds_is_folded_in_jupyterlab(executed: NotebookNode) -> None:
    for cell in code_cells(executed):
        folded = cell.metadata.get("jupyter", {})
        assert folded.get("source_hidden", False) == bool({"hide-cell", "hide-input"} & set(tags(cell))), cell.source
        assert folded.get("outputs_hidden", False) == ("hide-cell" in tags(cell)), cell.source


def test_every_code_cell_ran_once_and_in_order(executed: NotebookNode) -> None:
    counts = [cell.execution_count for cell in code_cells(executed)]
    assert counts == list(range(1, len(counts) + 1)), "run `make notebooks`"


def test_no_cell_failed(executed: NotebookNode) -> None:
    expected = [cell for cell in code_cells(executed) if "raises-exception" in tags(cell)]
    for cell in code_cells(executed):
        failed = any(output.output_type == "error" for output in cell.outputs)
        assert failed == (cell in expected), cell.source


def test_nothing_on_stderr(executed: NotebookNode) -> None:
    """Warnings do not belong on a page; progress bars are off when a page is made."""
    written = [output.text for output in outputs(executed) if output.get("name") == "stderr"]
    assert written == []


def test_no_widget_is_stored(executed: NotebookNode) -> None:
    """A stored widget is dead and heavy; the page shows a chart that needs no kernel instead."""
    assert "widgets" not in executed.metadata
    assert not any(WIDGET_VIEW in output.get("data", {}) for output in outputs(executed))


def test_widget_cells_are_left_out_of_the_book(executed: NotebookNode) -> None:
    for cell in code_cells(executed):
        if WIDGET.search(str(cell.outputs)):
            assert "remove-output" in tags(cell), f"tag this cell remove-output:\n{cell.source}"


def test_images_have_alternative_text(executed: NotebookNode) -> None:
    for cell in code_cells(executed):
        if any("image/png" in output.get("data", {}) for output in cell.outputs) and "remove-output" not in tags(cell):
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
            assert alt, f"describe the figure in the cell's metadata, mystnb: image: alt:\n{cell.source}"


def test_links_between_notebooks_name_the_executed_one(source: NotebookNode) -> None:
    """`](x.ipynb)` works in JupyterLab, on a code host and in the book; `](x.md)` opens raw text or nothing."""
    links = [link for cell in source.cells if cell.cell_type == "markdown" for link in LINK.findall(cell.source)]
    assert links == []


def test_no_path_of_the_machine_that_ran_it(name: str) -> None:
    text = (NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8")
    for place in (str(NOTEBOOKS.parent), str(Path.home()) + "/", "/root/", "/home/", "/Users/", "/tmp/"):
        assert place not in text

"""The page of run times and versions."""

import getpass
import platform
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from run_times import Row, page, read_row, versions

HEADER = "# Masks: large and small\n\n- **Minutes:** 20, one of them training.\n- **Equations:** 2."


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    path = tmp_path / "02_masks.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("# not the title"), new_markdown_cell(HEADER)]), path)
    return path


def test_title_and_minutes_come_from_the_notebook(notebook: Path, tmp_path: Path) -> None:
    assert read_row(notebook, tmp_path) == Row("02_masks", "Masks: large and small", 20, None)


def test_seconds_come_from_the_file_beside_the_executed_copy(notebook: Path, tmp_path: Path) -> None:
    (tmp_path / "02_masks.json").write_text('{"seconds": 12.6}')
    assert read_row(notebook, tmp_path).seconds == 12.6


def test_the_page_has_a_line_a_notebook_their_sum_and_the_versions() -> None:
    rows = [Row("02_masks", "Masks", 20, 12.6), Row("08_run", "Run", 5, 30.0)]
    text = page(rows, {"Python": "3.12.1"})
    assert "| [02 Masks](notebooks/02_masks.ipynb) | 20 | 13 |\n" in text
    assert "| 2 notebooks | 25 | 43 |\n" in text
    assert "| Python | 3.12.1 |\n" in text


def test_what_was_not_measured_is_said() -> None:
    text = page([Row("02_masks", "Masks", None, None), Row("08_run", "Run", 5, 30.0)], {})
    assert "| [02 Masks](notebooks/02_masks.ipynb) | not stated | not measured |\n" in text
    assert "| 2 notebooks, 1 measured | 5 | 30 |\n" in text


def test_versions_name_no_machine() -> None:
    found = versions()
    assert {"Python", "torch", "jupyter-book", "processor cores"} <= set(found)
    for private in (platform.node(), getpass.getuser(), "/", "\\"):
        assert private not in "|".join(found.values())

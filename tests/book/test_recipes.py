"""The recipes: each program runs as it stands on the page, where the packages that it imports are there."""

import ast
import importlib.util
from pathlib import Path

import page_code
import pytest

PROGRAMS = page_code.programs("recipes.md")


def packages(program: str) -> set[str]:
    """The packages that a program imports."""
    nodes = list(ast.walk(ast.parse(program)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {
        name.split(".")[0] for name in plain | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    }


@pytest.mark.filterwarnings("ignore:::lightning")  # its own deprecations
@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_a_recipe_prints_what_it_says(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATLIB_CACHE", str(tmp_path / "cache"))
    for package in packages(PROGRAMS[number]):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    page_code.run(PROGRAMS[number])


def test_every_section_but_the_last_has_a_program() -> None:
    sections = (page_code.BOOK / "recipes.md").read_text(encoding="utf-8").split("\n## ")[1:]
    assert [section.splitlines()[0] for section in sections if "```python" not in section] == [
        "Coming from an earlier version"
    ]

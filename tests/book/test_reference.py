"""The reference: every name that is public, or that a notebook imports, stands on one of its pages."""

import ast
import importlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import page_code
import pytest

import patlib

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "book" / "reference").glob("*.md"))
ROOMS = ("losses", "models", "datasets", "metrics", "trainer")
DIRECTIVE = re.compile(r"^\.\. (currentmodule|automodule|auto\w+|py:data):: (\S+)\n((?:   :.*\n)*)", re.MULTILINE)


def find(path: str) -> Any:
    """The object of a dotted path."""
    module, _, name = path.rpartition(".")
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        return getattr(find(module), name)


def documented(page: Path) -> Iterator[str]:
    """The full names that a page's directives describe."""
    module = ""
    for kind, name, options in DIRECTIVE.findall(page.read_text(encoding="utf-8")):
        if kind in ("currentmodule", "automodule"):
            module = name
            members = re.search(r":members:(.*)", options)
            if members and members[1].strip():
                yield from (f"{module}.{member.strip()}" for member in members[1].split(","))
            elif members:
                yield from (f"{module}.{member}" for member in members_of(module))
        else:
            yield name if name.startswith("patlib.") else f"{module}.{name}"


def members_of(module: str) -> list[str]:
    """What autodoc takes of a module: the names that it defines and describes, or that it lists."""
    if listed := getattr(importlib.import_module(module), "__all__", None):
        return list(listed)
    file = importlib.import_module(module).__file__
    assert file is not None
    body = ast.parse(Path(file).read_text(encoding="utf-8")).body
    names = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node)]
    for node, after in itertools.pairwise(body):
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(after, ast.Expr):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            names.append(ast.unparse(target))
    return [name for name in names if not name.startswith("_")]


DOCUMENTED = [name for page in PAGES for name in documented(page)]


def used_by_notebooks() -> set[str]:
    """The full names of patlib that the cells of the notebooks import, or take from a module that they import."""
    names = set()
    for page in sorted((ROOT / "notebooks").glob("*.md")):
        cells = re.findall(r"^```\{code-cell\}.*?\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
        code = "\n".join(re.sub(r"\A---\n.*?^---\n", "", cell, flags=re.M | re.S) for cell in cells)
        lines = [line for line in code.splitlines() if not line.startswith((":", "%", "!"))]
        modules = {}
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("patlib"):
                for alias in node.names:
                    names.add(full := f"{node.module}.{alias.name}")
                    modules[alias.asname or alias.name] = full
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                owner = modules.get(node.value.id)
                if owner and isinstance(find(owner), ModuleType):
                    names.add(f"{owner}.{node.attr}")
    return {name for name in names if not isinstance(find(name), ModuleType)}


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_of_a_room_is_in_the_reference(room: str) -> None:
    public = {f"patlib.{room}.{name}" for name in importlib.import_module(f"patlib.{room}").__all__}
    assert public <= set(DOCUMENTED), f"not in book/reference: {sorted(public - set(DOCUMENTED))}"


def test_what_can_be_imported_from_the_library_itself_is_in_the_reference() -> None:
    objects = [find(name) for name in DOCUMENTED]
    assert all(any(getattr(patlib, name) is known for known in objects) for name in patlib.__all__ if name[0] != "_")


def test_what_notebooks_use_is_in_the_reference() -> None:
    objects = [find(name) for name in DOCUMENTED]
    public = [name for name in used_by_notebooks() if callable(find(name)) and name.split(".")[-1][0] != "_"]
    missing = [name for name in public if not any(find(name) is known for known in objects)]
    assert not missing, f"not in book/reference: {sorted(missing)}"


def test_nothing_is_described_twice_and_everything_has_a_docstring() -> None:
    assert len(set(DOCUMENTED)) == len(DOCUMENTED)
    assert all(find(name).__doc__ for name in DOCUMENTED)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_program_that_opens_a_page_prints_what_it_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATLIB_CACHE", str(tmp_path / "cache"))
    found = page_code.programs(f"reference/{page.name}")
    assert len(found) == (page.stem != "index")
    for program in found:
        page_code.run(program)

"""What the checks of exercises hold to: a check asks for what its solution defines, and for nothing else."""

import ast
import builtins
import re
from collections.abc import Iterator

import pytest
from exercises import has_tag
from nbformat import NotebookNode


def code(notebook: NotebookNode, tag: str) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code" and has_tag(cell, tag)]


def asked_for(check: NotebookNode) -> set[str]:
    """The names that the first statement of a check looks for."""
    test = ast.parse(check.source).body[0].test
    return {node.value for node in ast.walk(test) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_each_solution_is_followed_by_its_check(notebook: NotebookNode) -> None:
    for cell, following in zip(notebook.cells, [*notebook.cells[1:], None], strict=True):
        assert has_tag(cell, "solution") == (following is not None and has_tag(following, "check")), cell.source


def test_a_check_without_an_answer_names_what_to_define(notebook: NotebookNode) -> None:
    for check in code(notebook, "check"):
        names = asked_for(check)
        assert names
        with pytest.raises(AssertionError, match="Not answered yet: define ") as failure:
            exec(check.source, {})
        for name in names:
            assert re.search(rf"\b{name}\b", str(failure.value)), f"{name} is not named in: {failure.value}"


def test_a_check_says_something_when_the_answer_is_right(notebook: NotebookNode) -> None:
    for check in code(notebook, "check"):
        assert "print(" in ast.unparse(ast.parse(check.source).body[-1]), check.source


def bound(node: ast.AST) -> Iterator[str]:
    """The names that running this code assigns, defines or imports; those inside a function are its own."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            yield child.name
        elif isinstance(child, ast.alias):
            yield (child.asname or child.name).split(".")[0]
        elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            yield child.id
        elif not isinstance(child, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            yield from bound(child)


def read(tree: ast.AST) -> set[str]:
    """The names that this code uses and does not make itself, in a function or outside."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    own = {name.id for name in names if isinstance(name.ctx, ast.Store)} | set(bound(tree))
    own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return {name.id for name in names if isinstance(name.ctx, ast.Load)} - own - set(dir(builtins))


def test_only_the_solution_defines_what_a_check_asks_for(notebook: NotebookNode) -> None:
    """Otherwise a check would pass, or fail in a puzzling way, before anything was answered."""
    asked = set().union(*map(asked_for, code(notebook, "check")))
    for cell in notebook.cells:
        if cell.cell_type == "code" and not has_tag(cell, "solution"):
            assert not asked & set(bound(ast.parse(cell.source))), cell.source
    answers = [set(bound(ast.parse(cell.source))) & asked for cell in code(notebook, "solution")]
    for check, names in zip(code(notebook, "check"), answers, strict=True):
        assert names == asked_for(check)


def test_nothing_else_needs_a_name_that_only_a_solution_defines(notebook: NotebookNode) -> None:
    """A reader's answer defines what was asked for, and need not import or compute what the solution does."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    kept = {name for cell in cells if not has_tag(cell, "solution") for name in bound(ast.parse(cell.source))}
    solved = {name for cell in code(notebook, "solution") for name in bound(ast.parse(cell.source))} - kept
    for cell in cells:
        if not has_tag(cell, "solution"):
            allowed = asked_for(cell) if has_tag(cell, "check") else set()
            assert not (read(ast.parse(cell.source)) & solved) - allowed, cell.source

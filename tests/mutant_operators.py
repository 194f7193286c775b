"""The mutants of a file: copies of it with one thing changed."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.And: ast.Or, ast.Or: ast.And,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    path: Path
    line: int
    before: str
    after: str
    text: str
    """The whole file after the change, with as many lines as before."""
    called: bool
    """Whether it lies in a function's body, and so takes effect when the function is called."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {' '.join(self.before.split())}  ->  {' '.join(self.after.split())}"


def mutants(path: Path, source: str) -> list[Mutant]:
    """Every mutant of a file, in the order of its lines."""
    tree, found = ast.parse(source), []
    content, starts = source.encode(), [0]  # bytes, in which ast counts columns
    for line in content.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node, called in _executed(tree, False):
        for old, after in _changes(node):
            start = starts[old.lineno - 1] + old.col_offset
            end = starts[old.end_lineno - 1] + old.end_col_offset
            lines = "\n" * (old.end_lineno - old.lineno)
            after = after[:-1] + lines + after[-1] if after.endswith(")") else after + lines
            text = (content[:start] + after.encode() + content[end:]).decode()
            found.append(Mutant(path, old.lineno, content[start:end].decode(), after, text, called))
    return sorted(found, key=lambda mutant: mutant.line)


def _executed(node: ast.AST, called: bool) -> Iterator[tuple[ast.AST, bool]]:
    """A node and those in it, but for annotations, what is imported for them alone, and the texts of messages.

    With each, whether it lies in the body of a function.
    """
    yield node, called
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        inside = called or (name == "body" and isinstance(node, ast.FunctionDef | ast.Lambda))
        for child in value if isinstance(value, list) else [value]:
            for_types = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr) and not for_types:
                yield from _executed(child, inside)


def _changes(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """What may be replaced in or at a node, and by what."""
    changed = copy.deepcopy(node)
    if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAPS:
        changed.op = SWAPS[type(node.op)]()
        yield node, f"({ast.unparse(changed)})"
    elif isinstance(node, ast.Compare):
        changed.ops[0] = SWAPS[type(node.ops[0])]()
        yield node, f"({ast.unparse(changed)})"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node, f"({ast.unparse(node.operand)})"
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield node, repr(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield node, repr(node.value + 1)
    elif isinstance(node, ast.If | ast.IfExp) and not isinstance(node.test, ast.Compare | ast.UnaryOp):
        yield node.test, f"(not ({ast.unparse(node.test)}))"
    elif isinstance(node, ast.AugAssign | ast.Raise) or (
        isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant | ast.Yield | ast.YieldFrom)
    ):
        yield node, "pass"

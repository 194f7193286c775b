"""Which mistakes would the tests not notice? Changes the library in one place at a time and runs the tests on each.

python tests/mutants.py patlib/trainer --tests tests/trainer --count 20

A mutant is a copy of the library with one operator swapped, one number one larger, one truth value or condition turned
round, or one statement left out. A drawn sample of them is run, each until its first failing test; those that pass all
tests survive and are listed at the end. A survivor is either a line that no test guards, or a change that makes no
difference (say so to yourself, and leave it).
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAVY = (
    "torch",
    "lightning_fabric",
    "torchmetrics",
    "torchvision",
    "pandas",
    "safetensors.torch",
    "pydantic",
    "hypothesis",
)

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
    """The whole file after the change."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {' '.join(self.before.split())}  ->  {' '.join(self.after.split())}"


def mutants(path: Path, source: str) -> list[Mutant]:
    """Every mutant of a file, in the order of its lines."""
    tree, found = ast.parse(source), []
    content, starts = source.encode(), [0]  # bytes, in which ast counts columns
    for line in content.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node in _executed(tree):
        for after in _changes(node):
            start = starts[node.lineno - 1] + node.col_offset
            end = starts[node.end_lineno - 1] + node.end_col_offset
            text = (content[:start] + after.encode() + content[end:]).decode()
            found.append(Mutant(path, node.lineno, content[start:end].decode(), after, text))
    return sorted(found, key=lambda mutant: mutant.line)


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """A node and those in it, but for annotations, what is imported for them alone, and the texts of messages."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            for_types = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr) and not for_types:
                yield from _executed(child)


def _changes(node: ast.AST) -> Iterator[str]:
    """What may stand in a node's place."""
    changed = copy.deepcopy(node)
    if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAPS:
        changed.op = SWAPS[type(node.op)]()
        yield f"({ast.unparse(changed)})"
    elif isinstance(node, ast.Compare):
        changed.ops[0] = SWAPS[type(node.ops[0])]()
        yield f"({ast.unparse(changed)})"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield f"({ast.unparse(node.operand)})"
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield repr(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield repr(node.value + 1)
    elif isinstance(node, ast.IfExp):
        changed.test = ast.UnaryOp(ast.Not(), node.test)
        yield f"({ast.unparse(changed)})"
    elif isinstance(node, ast.If) and not isinstance(node.test, ast.Compare | ast.UnaryOp):
        changed.test = ast.UnaryOp(ast.Not(), node.test)
        yield ast.unparse(changed).replace("\n", "\n" + " " * node.col_offset)
    elif isinstance(node, ast.AugAssign | ast.Raise) or (
        isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant | ast.Yield | ast.YieldFrom)
    ):
        yield "pass"


class Workplace:
    """A copy of the library and its tests, in which one file at a time is changed."""

    def __init__(self, place: Path) -> None:
        self.place = place
        for entry in ROOT.iterdir():
            if entry.name in ("patlib", "tests"):
                shutil.copytree(entry, place / entry.name, ignore=shutil.ignore_patterns("__pycache__"))
            elif not entry.name.startswith("."):
                (place / entry.name).symlink_to(entry)

    def outcome(self, tests: list[str], seconds: float, mutant: Mutant | None = None) -> str:
        """SURVIVED if all tests pass with a mutant in its file's place, noticed if one fails, else TIMED OUT.

        A mutant that takes too long may never end, or the machine was busy: that says nothing about the tests.
        """
        if mutant is not None:
            (self.place / mutant.path).write_text(mutant.text, encoding="utf-8")
        try:
            code = self._run(tests, seconds)
            return "TIMED OUT" if code is None else "noticed" if code else "SURVIVED"
        finally:
            if mutant is not None:
                shutil.copyfile(ROOT / mutant.path, self.place / mutant.path)

    def _run(self, tests: list[str], seconds: float) -> int | None:
        # A fork of this process has imported torch already, which takes longer than most tests.
        process = os.fork()
        if process == 0:
            self._become_pytest(tests)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.05)
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
        return None

    def _become_pytest(self, tests: list[str]) -> None:
        os.setpgid(0, 0)  # with what its tests start
        try:
            output = os.open(self.place / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for stream in (1, 2):
                os.dup2(output, stream)
            os.chdir(self.place)
            sys.path.insert(0, str(self.place))
            os.environ |= {"PYTHONPATH": str(self.place), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # a faster start
            code = import_module("pytest").main(["-x", "-q", "-p", "pytest_timeout", "-p", "no:cacheprovider", *tests])
            library = sys.modules.get("patlib")
            assert library is None or Path(library.__file__).is_relative_to(self.place), "the tests ran another copy"
            sys.stdout.flush()
            os._exit(int(code))
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(100)


def own_first(tests: list[Path], path: Path) -> list[str]:
    """The test files, those named after a module first: they notice soonest."""
    return [str(test) for test in sorted(tests, key=lambda test: test.stem != f"test_{path.stem}")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("code", nargs="+", type=Path, help="files or folders of the library, from the repository root")
    parser.add_argument("--tests", nargs="+", type=Path, required=True, help="test files, or folders of them")
    parser.add_argument("--count", type=int, default=20, help="how many mutants to draw")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    os.chdir(ROOT)
    files = sorted(path for code in asked.code for path in ([code] if code.is_file() else code.rglob("*.py")))
    tests = sorted(path for test in asked.tests for path in ([test] if test.is_file() else test.rglob("test_*.py")))
    every = [mutant for path in files for mutant in mutants(path, path.read_text(encoding="utf-8"))]
    drawn = random.Random(asked.seed).sample(every, min(asked.count, len(every)))
    # Two versions of a file can have one size and one second: stored bytecode would be taken for that of either.
    sys.dont_write_bytecode, os.environ["PYTHONDONTWRITEBYTECODE"] = True, "1"
    for name in HEAVY:
        import_module(name)
    outcomes: dict[Mutant, str] = {}
    with tempfile.TemporaryDirectory(prefix="patlib-mutants-") as place:
        workplace = Workplace(Path(place))
        began = time.monotonic()
        if workplace.outcome([str(test) for test in tests], 1e6) != "SURVIVED":
            sys.exit(f"the tests fail without a mutant:\n{(workplace.place / 'output.txt').read_text()}")
        limit = 30 + 3 * (time.monotonic() - began)
        print(f"{len(drawn)} of {len(every)} mutants of {len(files)} files, {time.monotonic() - began:.0f} s of tests")
        for mutant in sorted(drawn, key=lambda mutant: (mutant.path, mutant.line)):
            outcomes[mutant] = workplace.outcome(own_first(tests, mutant.path), limit, mutant)
            print(f"{outcomes[mutant]:9} {mutant}", flush=True)
    count = Counter(outcomes.values())
    print(f"\n{count['noticed']} of {len(drawn)} noticed, {count['TIMED OUT']} timed out; survivors:")
    print(*(mutant for mutant in drawn if outcomes[mutant] == "SURVIVED"), sep="\n")


if __name__ == "__main__":
    main()

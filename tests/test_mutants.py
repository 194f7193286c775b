import ast
from pathlib import Path

import pytest
from mutant_operators import mutants

SOURCE = '''
"""A docstring: 1 + 1."""
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import os
def f(x: "int | None", y: int | None = None) -> int | None:
    """Σ stands before what is changed."""
    if x and "é" < y:
        raise ValueError(f"{x + 1}")
    while not y:
        call(x)
        x += 1
    return x // 2 if y is None else True
'''


def changes(source):
    return [(mutant.before, mutant.after) for mutant in mutants(Path("a.py"), source)]


def test_operators_numbers_conditions_and_statements_are_changed_one_at_a_time():
    assert sorted(after for _, after in changes(SOURCE)) == sorted([
        "(x or 'é' < y)", "('é' <= y)", "(not (x and 'é' < y))", "pass", "(y)", "pass", "pass", "2", "(x * 2)", "3",
        "(y is not None)", "False",
    ])  # fmt: skip


def test_every_mutant_is_another_program_and_the_rest_of_the_file_stays():
    for mutant in mutants(Path("a.py"), SOURCE):
        assert ast.dump(ast.parse(mutant.text)) != ast.dump(ast.parse(SOURCE))
        assert len(mutant.text) - len(SOURCE) == len(mutant.after) - len(mutant.before)
        assert mutant.before in SOURCE and SOURCE.splitlines()[mutant.line - 1] in SOURCE
        assert str(mutant).startswith(f"a.py:{mutant.line}: ")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x: int | None = a & b", ["(a | b)"]),
        ("a << b", ["pass", "(a >> b)"]),
        ("a not in b", ["pass", "(a in b)"]),
        ("f'{a + 1}'", ["pass"]),
        ("'text'", []),
        ("yield_ = 0.5", ["1.5"]),
    ],
)
def test_annotations_and_texts_are_left_alone(source, expected):
    assert [after for _, after in changes(source)] == expected


def test_every_line_stays_where_it_is():
    source = "f(\n    1\n)\nx = (a +\n b)\n"
    for mutant in mutants(Path("a.py"), source):
        assert mutant.text.count("\n") == source.count("\n") and mutant.text.splitlines()[-2][:1] in "x"


def test_it_is_told_what_runs_when_a_function_is_called():
    source = "def f(x=1):\n    return 2\nclass A:\n    y = 3\n    def g(self, z=lambda: 4):\n        return 5\n"
    assert [(mutant.before, mutant.called) for mutant in mutants(Path("a.py"), source)] == [
        ("1", False), ("2", True), ("3", False), ("4", True), ("5", True)
    ]  # fmt: skip

import ast
from pathlib import Path

import pytest
from mutants import mutants, own_first

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
    assert sorted(after for _, after in changes(SOURCE) if "\n" not in after) == sorted([
        "(x or 'é' < y)", "('é' <= y)", "pass", "(y)", "pass", "pass", "2", "(x * 2)", "3",
        "(x // 2 if not y is None else True)", "(y is not None)", "False",
    ])  # fmt: skip
    assert [after for _, after in changes(SOURCE) if "\n" in after] == [
        "if not (x and 'é' < y):\n        raise ValueError(f'{x + 1}')"
    ]


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


def test_the_tests_of_the_changed_module_come_first():
    tests = [Path("tests/test_a.py"), Path("tests/test_step.py"), Path("tests/test_z.py")]
    assert own_first(tests, Path("patlib/step.py")) == ["tests/test_step.py", "tests/test_a.py", "tests/test_z.py"]

"""The glossary: every name that it gives for the library exists."""

import importlib
import inspect
import re
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

GLOSSARY = (Path(__file__).parents[2] / "book" / "glossary.md").read_text(encoding="utf-8")
NAME = re.compile(r"(\w+(?:\.\w+)+)(?:\((\w+)=\.\.\.\))?")
DOTTED = {code for code in re.findall(r"`([^`]+)`", GLOSSARY) if "." in code}
GIVEN = sorted(code for code in DOTTED if not code.startswith(("images.", "logits.", "torch.")))  # tensors


def find(path: str) -> Any:
    """The object of that dotted path; for an attribute that instances have, its annotation."""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        return reduce(attribute, parts[length:], module)
    raise AssertionError(f"no module in {path}")


def attribute(owner: Any, name: str) -> Any:
    if hasattr(owner, name):
        return getattr(owner, name)
    return inspect.get_annotations(owner)[name]


@pytest.mark.parametrize("given", GIVEN)
def test_the_name_exists(given: str) -> None:
    match = NAME.fullmatch(given)
    assert match, f"write {given!r} as module.name or module.name(argument=...)"
    path, argument = match.groups()
    found = find(f"patlib.{path}")
    if argument is not None:
        assert argument in inspect.signature(found).parameters


def test_the_symbols_of_the_equations_and_the_baselines_are_there() -> None:
    first_cells = [line.split("|")[1] for line in GLOSSARY.splitlines() if line.startswith("| ")]
    listed = set(re.findall(r"\$([^$]+)\$", " ".join(first_cells)))
    wanted = {"N", "B", "C", "H", "W", "L", "M", "x", r"\hat{x}", "y", "p", "S_i^l", r"\beta_{i,j}", "T", r"\epsilon"}
    wanted |= {"n_c", "m_c", r"\gamma", "w_c", r"\Delta_c", r"\mu", "s", "f_c", r"\sigma", r"\bar{\ell}_l"}
    assert wanted <= listed


def test_every_row_is_full() -> None:
    """A row with a cell too few or too many shifts the columns without a word."""
    rows = [line for line in GLOSSARY.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {6}

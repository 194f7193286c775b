"""The examples in docstrings print what they say, and every public function and class has one."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "patlib").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]
SLOW = {"patlib.datasets.prepared", "patlib.trainer.run"}  # draw all synthetic scenes
ROOMS = tuple(f"patlib.{room}" for room in ("losses", "models", "datasets", "metrics", "trainer"))
SHOWN_ELSEWHERE = {"DatasetSpec", "PreparedDataset", "Split", "load_model"}
"""What another name's example makes or needs: `prepare` returns three, and the last one needs a run."""


def examples(module: str) -> list[doctest.DocTest]:
    found = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(module), module)
    return [test for test in found if test.examples]


@pytest.mark.parametrize(
    "module", [pytest.param(module, marks=[pytest.mark.slow] * (module in SLOW)) for module in MODULES]
)
def test_an_example_prints_what_it_says(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATLIB_CACHE", str(tmp_path / "cache"))
    report: list[str] = []
    for test in examples(module):
        doctest.DocTestRunner().run(test, out=report.append)
    assert not report, "".join(report)


def test_every_function_and_class_of_a_room_has_an_example() -> None:
    have = {test.name.rpartition(".")[2] for module in MODULES for test in examples(module)}
    public = {name: getattr(room, name) for room in map(importlib.import_module, ROOMS) for name in room.__all__}
    needed = {
        name
        for name, thing in public.items()
        if callable(thing) and not (isinstance(thing, type) and issubclass(thing, Exception))
    }
    assert SHOWN_ELSEWHERE < needed and needed - have == SHOWN_ELSEWHERE

"""The examples in docstrings print what they say, and what most programs start with has one."""

import doctest
import importlib
from pathlib import Path

import pytest

from patlib.losses import LOSSES

ROOT = Path(__file__).parents[1]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "patlib").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]
EXPECTED = {loss.__name__ for loss in LOSSES.values()} | {
    "RunConfig", "SegmentationMetrics", "build_loss", "build_model", "count_class_pixels", "fit", "from_folder",
    "from_pairs",
}  # fmt: skip


def examples(module: str) -> list[doctest.DocTest]:
    found = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(module), module)
    return [test for test in found if test.examples]


@pytest.mark.parametrize("module", MODULES)
def test_an_example_prints_what_it_says(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATLIB_CACHE", str(tmp_path / "cache"))
    report: list[str] = []
    for test in examples(module):
        doctest.DocTestRunner().run(test, out=report.append)
    assert not report, "".join(report)


def test_what_most_programs_start_with_has_an_example() -> None:
    have = {test.name.rpartition(".")[2] for module in MODULES for test in examples(module)}
    assert have >= EXPECTED, f"no example: {sorted(EXPECTED - have)}"

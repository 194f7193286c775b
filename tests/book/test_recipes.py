"""The recipes: each program runs as it stands on the page, where the packages that it imports are there."""

import ast
import importlib.util
import json
import re
from pathlib import Path

import page_code
import pytest
import torch

from patlib.experiments.studies import FOUR, get_study
from patlib.metrics import confusion_scores, frequency_groups

PROGRAMS = page_code.programs("recipes.md")


def packages(program: str) -> set[str]:
    """The packages that a program imports."""
    nodes = list(ast.walk(ast.parse(program)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {
        name.split(".")[0] for name in plain | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    }


@pytest.mark.filterwarnings("ignore:::lightning")  # their own deprecations
@pytest.mark.filterwarnings("ignore:::monai")
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


ROW = re.compile(r"^\| ([A-Z]+)(?:, logits shifted by tau = ([\d.]+))? \|(.*)\|$", re.MULTILINE)


def measured(method: str, tau: str) -> list[str]:
    """Pixel accuracy, mIoU, mean recall and tail IoU in percent, means over three seeds of the long runs."""
    study = get_study("table1")
    (cell,) = (cell for cell in FOUR if cell.settings["loss"] == method.lower())
    values = []
    for seed in range(3):
        path = page_code.BOOK / "results" / study.config(cell, seed, "laptop").run_path / "record.json"
        record = json.loads(path.read_text(encoding="utf-8"))
        test = record["checkpoints"]["last"]["splits"]["test"]
        confusion = torch.tensor(test["shifted"][str(float(tau))] if tau else test["confusion"])
        scores = confusion_scores(confusion)
        tail = frequency_groups(record["dataset"]["class_pixels"], len(confusion))["tail"]
        values.append([scores["pixel_acc"], scores["miou"], scores["mean_acc"], scores["iou"][tail].mean()])
    return [f"{value:.1f}" for value in 100 * torch.tensor(values).mean(dim=0)]


def test_the_table_for_choosing_a_method_is_what_the_records_hold() -> None:
    rows = ROW.findall((page_code.BOOK / "recipes.md").read_text(encoding="utf-8"))
    assert [(method, tau) for method, tau, _ in rows] == [
        ("CE", ""), ("CE", "0.5"), ("CE", "1"), ("PAT", ""), ("BMS", ""), ("CB", "")
    ]  # fmt: skip
    for method, tau, stated in rows:
        assert [cell.strip() for cell in stated.split("|")] == measured(method, tau), (method, tau)

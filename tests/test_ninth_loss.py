"""The loss that CONTRIBUTING.md adds as an example, through everything that reads a loss by its name."""

import re
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from patlib import cli, trainer
from patlib.losses import LOSSES, build_loss, pixelwise
from patlib.teaching import plots
from patlib.trainer.config import RunConfig

PAGE = Path(__file__).parents[1] / "CONTRIBUTING.md"


@pytest.fixture(autouse=True)
def confident(monkeypatch):
    """The class of the page, as if it stood in pixelwise.py and in LOSSES."""
    (code,) = re.findall(r"```python\n(class .*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    names = dict(vars(pixelwise))
    exec(code, names)
    monkeypatch.setitem(LOSSES, "confident", names["Confident"])


def test_it_is_built_by_name():
    logits, target = torch.tensor([[0.0], [2.0]]).view(1, 2, 1, 1), torch.ones(1, 1, 1, dtype=torch.long)
    p = logits.softmax(1)[0, 1, 0, 0]
    loss = build_loss("confident", 2, strength=3.0)
    assert loss(logits, target).item() == pytest.approx((-(p**3) * p.log()).item())
    with pytest.raises(ValueError, match=r"no parameter 'strenght' \(did you mean 'strength'\?\); it takes: strength"):
        build_loss("confident", 2, strenght=3.0)


def test_a_run_of_it_is_configured_and_trained_by_name(tiny_dataset, tmp_path):
    config = RunConfig(loss="confident", strength=2, model_width=2, epochs=1, batch_size=4, accelerator="cpu")
    record = trainer.fit(config, tmp_path, tiny_dataset, progress=False)
    assert record["loss_parameters"] == {"strength": 2.0} and record["config"]["strength"] == 2.0
    assert RunConfig(**record["config"]) == config


def test_figures_have_its_colour_and_label():
    assert plots.METHOD_COLOURS["confident"] == "#332288"
    assert list(plots.METHOD_LABELS.values())[-2:] == ["PAT", "Confident"]


def test_the_command_line_lists_it_and_takes_its_parameters(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(trainer, "fit", lambda config, folder: asked.append(config), raising=False)
    help_page = CliRunner().invoke(cli.app, ["run", "--help"], env={"COLUMNS": "200"}).output
    assert "blv, pat, confident." in help_page and "Parameters of confident" in help_page
    assert "Power of the confidence; 0 is cross-entropy. Default: 1.0." in help_page
    words = ["run", "--plain", "--loss", "confident", "--strength", "2", "--out", str(tmp_path)]
    assert CliRunner().invoke(cli.app, words).exit_code == 0
    assert asked == [RunConfig(loss="confident", loss_parameters={"strength": 2.0})]

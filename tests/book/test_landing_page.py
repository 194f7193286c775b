"""The landing page has no cells, so the numbers of its findings are recomputed here from the stored records."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_picture import LIVE, script

from patlib.experiments.bootstrap import class_scores
from patlib.experiments.grids import GRIDS, cell_config
from patlib.losses import PAT
from patlib.paper.deviations import DEVIATIONS, PRINTED_DEVIATIONS
from patlib.trainer.config import RunConfig

BOOK = Path(__file__).parents[2] / "book"
PAGE = " ".join((BOOK / "intro.md").read_text(encoding="utf-8").split())
SHORT = RunConfig(dataset="camvid", image_height=60, image_width=80, model_width=8, epochs=20)


def confusions(grid: str, row: tuple[str, ...], base: RunConfig = SHORT) -> np.ndarray:
    """Test-split confusion matrices of three seeds, (3, L, L)."""
    (cell,) = (cell for cell in GRIDS[grid] if cell.row == row)
    paths = [BOOK / "results" / cell_config(grid, cell, base, seed).run_path / "record.json" for seed in range(3)]
    records = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    assert records[0]["dataset"]["classes"][-2:] == ["Pedestrian", "Bicyclist"]
    return np.array([record["checkpoints"]["best"]["splits"]["test"]["confusion"] for record in records])


def says(*sentences: str) -> None:
    for sentence in sentences:
        assert sentence in PAGE


def test_what_pat_finds_of_the_rare_classes_and_what_it_pays() -> None:
    ce, pat = (confusions("table1", row) for row in (("CE",), ("PAT (T = 20)",)))
    pole, pedestrian, bicyclist = 2, 9, 10
    assert not ce[:, [pole, pedestrian, bicyclist], [pole, pedestrian, bicyclist]].any()
    ours, theirs = ({k: 100 * v for k, v in class_scores(counts).items()} for counts in (pat, ce))
    rounded = {k: ours[k][:, pedestrian].round() for k in ("recall", "precision")}
    assert (rounded["recall"].min(), rounded["recall"].max()) == (54, 63)
    assert (rounded["precision"].min(), rounded["precision"].max()) == (4, 6)
    poles = ours["recall"][:, pole].round()
    assert (poles.min(), poles.max()) == (4, 7)
    assert pat[:, bicyclist, bicyclist].tolist() == [0, 3, 7] and pat[0, bicyclist].sum() == 2130
    accuracy, miou = ((theirs[k] - ours[k]) for k in ("pixel_acc", "miou"))
    assert (accuracy.min().round(), accuracy.max().round()) == (17, 22)
    assert (miou.min().round(1), miou.max().round(1)) == (4.6, 6.2)
    says("finds 54 to 63 % of the pedestrians' pixels", "only 4 to 6 %", "4 to 7 % of the poles")
    says("0, 3 and 7 of 2,130 bicyclist pixels", "17 to 22 points below", "4.6 to 6.2 points")


def test_pat_and_cross_entropy_with_unet_by_seed() -> None:
    base = SHORT.model_copy(update={"epochs": 6})
    pat, ce = (
        100 * class_scores(confusions("table2", (method, "UNet"), base))["miou"] for method in ("PAT (T = 20)", "CE")
    )
    assert pat - ce == pytest.approx([4.7, 0.6, -11.6], abs=0.06)
    says("4.7 points above", "0.6 above on a second, and 11.6 below on a third")


def test_the_price_of_the_loss() -> None:
    report: dict[str, Any] = json.loads((BOOK / "results/benchmarks/loss-cpu.json").read_text(encoding="utf-8"))
    ratio = {name: report["losses"][name]["ratio_to_eager"]["median"] for name in ("pat", "literal_pat")}
    assert ratio == pytest.approx({"pat": 1.06, "literal_pat": 4.2}, abs=0.006)
    says("takes 1.06 times as long", "as it stands 4.2 times")


def test_the_number_of_deviations() -> None:
    read = [row for row in DEVIATIONS if row.kind == "read in code"]
    assert (len(DEVIATIONS), len(read), len(PRINTED_DEVIATIONS)) == (31, 15, 16)
    says("31 differences, each with a check: 15 were read in the released code", "16 are found in the paper's own text")


def test_the_live_picture_is_shown_and_needs_nothing_from_outside() -> None:
    assert "```{raw} html :file: live/panel.html ```" in PAGE
    panel = (LIVE / "panel.html").read_text(encoding="utf-8")
    images = re.findall(r"<img [^>]*>", panel)
    assert images and all('src="data:image/png;base64,' in image and 'alt="Scene ' in image for image in images)
    for text in (panel, script(), (LIVE / "live.css").read_text(encoding="utf-8")):
        assert not re.search(r"https?:|//\w+\.|import\(|importScripts|fetch\(|url\(", text)


def test_the_live_picture_begins_with_the_paper_s_method() -> None:
    panel = (LIVE / "panel.html").read_text(encoding="utf-8")
    (temperatures,) = re.findall(r"TEMPERATURES = (\[.*?\]);", (LIVE / "page.js").read_text(encoding="utf-8"))
    (place,) = re.findall(r'id="live-T"[^>]* value="(\d+)"', panel)
    assert json.loads(temperatures)[int(place)] == PAT(2).T == 20
    assert re.search(r'id="live-alpha"[^>]* value="1"', panel) and PAT(2).alpha == 1
    assert '<option value="pat" selected' in panel

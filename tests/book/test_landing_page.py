"""The landing page has no cells, so the numbers of its findings are recomputed here from the stored records."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_picture import LIVE, script

from patlib import losses
from patlib.experiments.bootstrap import class_scores
from patlib.experiments.grids import GRIDS, Cell, cell_config
from patlib.experiments.studies import CE, PAT, get_study
from patlib.paper.deviations import DEVIATIONS, PRINTED_DEVIATIONS
from patlib.trainer.config import RunConfig

BOOK = Path(__file__).parents[2] / "book"
PAGE = " ".join((BOOK / "intro.md").read_text(encoding="utf-8").split())
SHORT = RunConfig(dataset="camvid", image_height=60, image_width=80, model_width=8, epochs=20)


def confusions(grid: str, row: tuple[str, ...], base: RunConfig = SHORT, checkpoint: str = "best") -> np.ndarray:
    """Test-split confusion matrices of three seeds, (3, L, L)."""
    (cell,) = (cell for cell in GRIDS[grid] if cell.row == row)
    paths = [BOOK / "results" / cell_config(grid, cell, base, seed).run_path / "record.json" for seed in range(3)]
    records = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    assert records[0]["dataset"]["classes"][-2:] == ["Pedestrian", "Bicyclist"]
    return np.array([record["checkpoints"][checkpoint]["splits"]["test"]["confusion"] for record in records])


def says(*sentences: str) -> None:
    for sentence in sentences:
        assert sentence in PAGE


def long_run(cell: Cell) -> dict[str, Any]:
    """The test split of a method's 100 epochs, at the last one."""
    path = get_study("table1").config(cell, 0, "laptop").run_path
    record = json.loads((BOOK / "results" / path / "record.json").read_text(encoding="utf-8"))
    split: dict[str, Any] = record["checkpoints"]["last"]["splits"]["test"]
    return split


def test_what_short_and_long_training_find_of_the_rare_classes_and_what_pat_pays() -> None:
    rare = [10, 9, 2]  # bicyclist, pedestrian, pole
    assert not confusions("table1", ("CE",))[:, rare, rare].any()
    ce, pat = (class_scores(long_run(cell)["confusion"]) for cell in (CE, PAT))
    assert [(100 * scores["recall"][rare]).round().tolist() for scores in (ce, pat)] == [[17, 19, 4], [14, 37, 22]]
    says("17 % of the bicyclists, 19 % of the pedestrians and 4 % of the poles", "finds 14, 37 and 22 % of them")
    paid = [100 * (ce[name] - pat[name]) for name in ("miou", "pixel_acc")]
    assert paid == pytest.approx([4.0, 7.6], abs=0.06)
    says("4.0 points below that of cross-entropy and its pixel accuracy 7.6 (n = 1)")
    short = [class_scores(confusions("table1", row, checkpoint="last")) for row in (("CE",), ("PAT (T = 20)",))]
    paid = [100 * (short[0][name] - short[1][name]).mean() for name in ("miou", "pixel_acc")]
    assert paid == pytest.approx([5.2, 19.2], abs=0.06)
    says("it was 5.2 and 19.2 points (n = 3)")


def test_the_shift_of_cross_entropys_logits_beside_pat_at_its_accuracy() -> None:
    split, rare = long_run(CE), [2, 9, 10]
    shifted = class_scores([split["confusion"], *split["shifted"].values()])
    pat = class_scores(long_run(PAT)["confusion"])
    more = {
        name: 100 * (np.interp(pat["pixel_acc"], shifted["pixel_acc"][::-1], values[::-1]) - pat[name][rare].mean())
        for name, values in ((name, shifted[name][:, rare].mean(1)) for name in ("recall", "iou"))
    }
    assert more == pytest.approx({"recall": 9.4, "iou": -2.5}, abs=0.06)
    says("9.4 points more of the rarest classes than PAT", "mIoU over these classes is 2.5 points higher (n = 1")


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
    assert (len(DEVIATIONS), len(read), len(PRINTED_DEVIATIONS)) == (36, 15, 21)
    says("36 differences, each with a check: 15 were read in the released code", "21 are found in the paper's own text")


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
    assert json.loads(temperatures)[int(place)] == losses.PAT(2).T == 20
    assert re.search(r'id="live-alpha"[^>]* value="1"', panel) and losses.PAT(2).alpha == 1
    assert '<option value="pat" selected' in panel

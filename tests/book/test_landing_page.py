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
from patlib.experiments.statistics import mean_interval, paired_difference
from patlib.experiments.studies import CB, CE, PAT, get_study
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


def long_runs(cell: Cell) -> list[dict[str, Any]]:
    """The test splits of a method's three runs of 100 epochs, at the last one."""
    study = get_study("table1")
    paths = [BOOK / "results" / study.config(cell, seed, "laptop").run_path / "record.json" for seed in range(3)]
    records = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return [record["checkpoints"]["last"]["splits"]["test"] for record in records]


def test_what_short_and_long_training_find_of_the_rare_classes_and_what_pat_pays() -> None:
    rare = [10, 9, 2]  # bicyclist, pedestrian, pole
    assert not confusions("table1", ("CE",))[:, rare, rare].any()
    ce, pat = (class_scores([split["confusion"] for split in long_runs(cell)]) for cell in (CE, PAT))
    found = [(100 * scores["recall"][:, rare]).round() for scores in (ce, pat)]
    ranges = [list(zip(each.min(0).tolist(), each.max(0).tolist(), strict=True)) for each in found]
    assert ranges == [[(10, 19), (13, 18), (1, 3)], [(7, 12), (31, 32), (21, 23)]]
    says("10 to 19 % of the bicyclists, 13 to 18 % of the pedestrians and 1 to 3 % of the poles")
    says("finds 7 to 12, 31 to 32 and 21 to 23 % of them")
    paid = {name: paired_difference(100 * pat[name], 100 * ce[name]) for name in ("miou", "pixel_acc")}
    assert (f"{paid['miou']}", f"{paid['pixel_acc']}") == ("-2.0 [-5.8, +1.8], n = 3", "-5.8 [-8.4, -3.2], n = 3")
    assert (pat["miou"] < ce["miou"]).all()
    says("pays 5.8 points of pixel accuracy [3.2, 8.4]", "lower than that of cross-entropy on each seed, by 2.0 points")
    says("do not tell that from none [-5.8, 1.8]")
    cb = class_scores([split["confusion"] for split in long_runs(CB)])
    tails = [100 * scores["iou"][:, rare].mean(1) for scores in (ce, pat, cb)]
    assert tails[1] - tails[0] == pytest.approx([0.1, 2.3, 2.7], abs=0.06)
    assert tails[2] - tails[1] == pytest.approx([1.8, 2.7, 2.9], abs=0.06)
    says("on each seed, by 0.1, 2.3 and 2.7 points, and higher still with CB, by another 1.8, 2.7 and 2.9")
    short = [class_scores(confusions("table1", row, checkpoint="last")) for row in (("CE",), ("PAT (T = 20)",))]
    assert 100 * (short[0]["pixel_acc"] - short[1]["pixel_acc"]).mean() == pytest.approx(19.2, abs=0.06)
    says("where it paid 19.2 after 20 epochs")


def beyond_the_shift(cell: Cell, name: str) -> list[float]:
    """By seed, points of the tail that a method has above those of cross-entropy's curve at its pixel accuracy."""
    rare, found = [2, 9, 10], []
    for of_ce, of_method in zip(long_runs(CE), long_runs(cell), strict=True):
        shifted = class_scores([of_ce["confusion"], *of_ce["shifted"].values()])
        method = class_scores(of_method["confusion"])
        values = shifted[name][:, rare].mean(1)
        at_same = np.interp(method["pixel_acc"], shifted["pixel_acc"][::-1], values[::-1])
        found.append(100 * (method[name][rare].mean() - at_same))
    return found


def test_the_shift_of_cross_entropys_logits_beside_pat_and_cb_at_their_accuracy() -> None:
    recall, iou = (beyond_the_shift(PAT, name) for name in ("recall", "iou"))
    assert recall == pytest.approx([-12.8, -4.2, -6.0], abs=0.06)
    assert iou == pytest.approx([1.3, 2.4, 3.1], abs=0.06)
    assert all(interval.low < 0 < interval.high for interval in map(mean_interval, (recall, iou)))
    says("on each of three seeds, by 12.8, 4.2 and 6.0 points", "is 1.3, 2.4 and 3.1 points higher", "hold 0")
    assert beyond_the_shift(CB, "iou") == pytest.approx([3.8, 5.3, 6.5], abs=0.06)
    says("CB's is 3.8, 5.3 and 6.5 points higher than the subtraction gives")


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

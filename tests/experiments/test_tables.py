import copy
import csv

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tiny_run import TINY, record_of

from patlib.experiments import grids, tables
from patlib.files import write_json
from patlib.paper.beside_ours import paper_beside_ours
from patlib.trainer.config import RunConfig

BASE = RunConfig(**TINY)
PAT, CE = ("PAT (T = 20)",), ("CE",)


def write(folder, record, grid, row, seed, base=BASE, **measured):
    """A record like ``record`` where that cell of the grid has its own, with some measured numbers replaced."""
    cell = next(cell for cell in grids.GRIDS[grid] if cell.row == row)
    config = grids.cell_config(grid, cell, base, seed)
    record = record_of(config, record)
    if measured:  # the true pixels are other ones then, which both checkpoints would have been measured on
        for checkpoint in record["checkpoints"].values():
            checkpoint["splits"]["test"] = {"cross_entropy": 1.0, "released_miou": None, **measured}
    while len(record["curves"]) < config.epochs:
        record["curves"].append({**record["curves"][-1], "epoch": len(record["curves"]) + 1})
    record["checkpoints"]["last"]["epoch"] = config.epochs
    path = folder / config.run_path / "record.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, record)


def confusion(right, wrong):
    """Ten classes of 100 pixels: ``right`` of each on the diagonal, ``wrong`` of each taken for the next."""
    matrix = np.eye(10, dtype=int) * right + np.roll(np.eye(10, dtype=int), 1, axis=1) * wrong
    return matrix.tolist()


@pytest.fixture
def two_methods(tiny_run, tmp_path):
    """Three seeds of PAT and CE in which PAT is better by 9, 10 and 11 points of pixel accuracy; PAT has a fourth."""
    for seed, right, other in ((0, 80, 71), (1, 70, 60), (2, 90, 79)):
        write(
            tmp_path, tiny_run[1], "table1", PAT, seed, confusion=confusion(right, 100 - right), cross_entropy=1 + seed
        )
        write(tmp_path, tiny_run[1], "table1", CE, seed, confusion=confusion(other, 100 - other), cross_entropy=9)
    write(tmp_path, tiny_run[1], "table1", PAT, 3, confusion=confusion(99, 1))
    return tables.grid_scores("table1", BASE, range(4), tmp_path)


def test_scores_come_from_the_confusion_matrix(tiny_run):
    record = copy.deepcopy(tiny_run[1])
    measured = record["checkpoints"]["best"]["splits"]["test"]
    measured["confusion"] = np.diag(np.arange(1, 11)).tolist()
    scores = tables.scores_of(record)
    assert scores["miou"] == scores["pixel_acc"] == scores["miou_tail"] == 1
    assert (scores["cross_entropy"], scores["released_miou"]) == (measured["cross_entropy"], measured["released_miou"])


@pytest.mark.parametrize("place", [("first", "test"), ("best", "dusk")])
def test_a_checkpoint_or_split_that_a_record_lacks_is_named_with_those_it_has(place, tiny_run):
    with pytest.raises(
        ValueError, match=r"'(first|dusk)'.*checkpoints (best|last), (best|last), and splits train, val"
    ):
        tables.scores_of(tiny_run[1], *place)


def test_an_older_record_without_the_released_mean_iou_is_read(tiny_run):
    record = copy.deepcopy(tiny_run[1])
    del record["checkpoints"]["best"]["splits"]["test"]["released_miou"]
    assert np.isnan(tables.scores_of(record)["released_miou"])


def test_an_undefined_score_is_nan_whether_the_record_says_null_or_nan(tiny_run):
    record = copy.deepcopy(tiny_run[1])
    for undefined in (None, float("nan")):
        record["checkpoints"]["best"]["splits"]["test"] |= {"cross_entropy": undefined, "released_miou": undefined}
        scores = tables.scores_of(record)
        assert np.isnan([scores["cross_entropy"], scores["released_miou"]]).all() and scores["miou"] >= 0


def test_a_record_of_another_run_in_a_cells_place_is_refused(tiny_run, tmp_path):
    write(tmp_path, tiny_run[1], "table1", CE, 0)
    ce, bms = (
        tmp_path / grids.cell_config("table1", cell, BASE, 0).run_path / "record.json"
        for cell in (grids.METHODS[0], grids.METHODS[4])
    )
    bms.parent.mkdir(parents=True)
    ce.rename(bms)
    with pytest.raises(ValueError, match=r"bms-segnet.*record\.json is the record of another run, synthetic/ce-segnet"):
        tables.grid_scores("table1", BASE, (0,), tmp_path)


def test_records_of_data_that_differ_make_no_table(tiny_run, tmp_path):
    for row, digest in ((PAT, "a" * 64), (CE, "b" * 64)):
        record = copy.deepcopy(tiny_run[1])
        record["dataset"]["digest"] = digest
        write(tmp_path, record, "table1", row, 0)
    with pytest.raises(ValueError, match=r"pat-.*record\.json and .*ce-.*record\.json are of runs on different images"):
        tables.grid_scores("table1", BASE, (0,), tmp_path)
    record["dataset"]["digest"] = None
    write(tmp_path, record, "table1", CE, 0)  # as the first records were written
    assert len(tables.grid_scores("table1", BASE, (0,), tmp_path)) == 2


def test_a_grid_reads_its_own_records_and_no_others(tiny_run, tmp_path):
    write(tmp_path, tiny_run[1], "table1", PAT, 0)
    write(tmp_path, tiny_run[1], "table1", CE, 0, base=RunConfig(**TINY | {"epochs": 3}))
    scores = tables.grid_scores("table1", BASE, (0, 1), tmp_path)
    assert scores.index.tolist() == [(*PAT, 0)]


def test_the_protocol_of_a_grid_is_that_of_its_runs(tiny_run, tmp_path):
    assert tables.grid_protocol("table1", BASE, (0,), tmp_path) == "not run"
    write(tmp_path, tiny_run[1], "table1", CE, 1)
    assert "synthetic at 16x20" in tables.grid_protocol("table1", BASE, (0, 1), tmp_path)


def test_nothing_run_is_a_table_that_says_so(tmp_path):
    for grid in grids.GRIDS:
        scores = tables.grid_scores(grid, BASE, (0,), tmp_path)
        table = tables.summary(grid, scores)
        assert (table["mIoU %"] == "not run").all() and (table["seeds"] == 0).all()
    assert tables.clear_winner(scores, "miou") is None


def test_summary_gives_mean_and_spread_over_seeds(two_methods):
    table = tables.summary("table1", two_methods)
    assert table.loc["CE", "pixel accuracy %"] == "70.00 ± 9.54"
    assert table.loc["CE", "cross-entropy, nats"] == "9.000 ± 0.000"
    assert table.loc["CE", "seeds"] == 3
    assert table.loc["BMS", "mIoU %"] == "not run"
    spread = [tables.mean_and_sd(pd.DataFrame({"pixel_acc": values}), "pixel_acc") for values in ([1, 3], [1])]
    assert spread == ["2.00 ± 1.41", "1.00"]


def test_the_paper_stands_beside_ours_with_the_difference(two_methods):
    table = paper_beside_ours("table1", two_methods, "OxfordPetIII")
    assert table.loc["CE", ("pixel accuracy %", "paper")] == "91.21"
    assert table.loc["CE", ("pixel accuracy %", "difference")] == "-21.21"
    assert table.loc["CE", ('"Dice Err"', "paper")] == "0.23"
    assert table.loc["BMS", ("mIoU %", "difference")] == "-"


@pytest.mark.parametrize("grid", ["table2", "table3"])
def test_tables_2_and_3_have_two_levels_and_no_dice(grid, tmp_path):
    scores = tables.grid_scores(grid, BASE, (0,), tmp_path)
    table = paper_beside_ours(grid, scores, "NyU")
    assert table.index.nlevels == 2 and '"Dice Err"' not in table.columns.get_level_values(0)


def test_only_a_clear_winner_is_bold(two_methods):
    assert tables.clear_winner(two_methods, "pixel_acc") == PAT
    assert tables.clear_winner(two_methods, "cross_entropy") == PAT  # lower is better
    assert tables.clear_winner(two_methods, "dice_err") == PAT
    close = two_methods.copy()
    close.loc[(*PAT, 0), "pixel_acc"] = 60  # PAT now loses one seed of three
    assert tables.clear_winner(close, "pixel_acc") is None
    html = tables.emphasised(two_methods, tables.summary("table1", two_methods)).to_html()
    assert html.count("font-weight: bold") == 1  # one rule, for all winning cells
    assert html == tables.emphasised(two_methods, tables.summary("table1", two_methods)).to_html()


def test_methods_are_compared_within_the_seed_wherever_its_row_stands(two_methods):
    # The accuracies of one method lie 20 points apart, those of the two 9 to 11 within a seed.
    assert stats.ttest_ind([80, 70, 90], [71, 60, 79]).pvalue > 0.2
    assert tables.clear_winner(two_methods.iloc[::-1], "pixel_acc") == PAT
    other_seeds = two_methods.rename(index={1: 2, 2: 1}, level="seed").loc[[*CE]]
    assert tables.clear_winner(pd.concat([two_methods.loc[[*PAT]], other_seeds]), "pixel_acc") is None


def test_two_tables_of_a_page_do_not_share_their_style(two_methods):
    short, long = (tables.summary("table1", two_methods, names) for names in (("miou",), ("miou", "pixel_acc")))
    assert tables.emphasised(two_methods, short).uuid != tables.emphasised(two_methods, long).uuid


def test_the_caption_says_what_the_evidence_is(two_methods, tiny_run, tmp_path):
    runs = tables.grid_runs("table1", BASE, range(4))
    text = tables.run_caption(runs, tmp_path, "last", "val")
    commit = tiny_run[1]["machine"]["commit"] or "unknown"
    assert f"last checkpoint, val split; 3 to 4 seeds for each of 2 rows; fp32; commit {commit}." in text
    assert "learning rate, 0.001, was not tuned" in text and "CamVid" not in text
    assert "3 seeds for each of 2 rows" in tables.run_caption(tables.grid_runs("table1", BASE, range(3)), tmp_path)
    one = tables.run_caption(tables.grid_runs("table1", BASE, (3,)), tmp_path)
    assert "best checkpoint, test split; 1 seed for each of 1 rows" in one
    assert tables.run_caption(tables.grid_runs("table1", BASE, (9,)), tmp_path) == "No run has a record yet."


def test_the_caption_of_camvid_and_of_mixed_runs_says_so(monkeypatch, tiny_run):
    first, second = copy.deepcopy(tiny_run[1]), copy.deepcopy(tiny_run[1])
    for record in (first, second):
        record["dataset"]["name"] = "camvid"
    second["config"] |= {"precision": "bf16", "learning_rate": 3e-3}
    first["machine"]["commit"], second["machine"]["commit"] = "aaa", None
    monkeypatch.setattr(tables, "finished_records", lambda runs, folder: [(("CE", 0), first), (("CE", 1), second)])
    text = tables.run_caption({}, ".")
    assert "2 seeds for each of 1 rows; bf16 and fp32; commit aaa, unknown." in text
    assert "one clip of a drive that is also in train" in text and "0.001 or 0.003" in text


def test_export_to_csv_and_latex(two_methods, tmp_path):
    table = paper_beside_ours("table1", two_methods, "OxfordPetIII")
    path = tables.export(tmp_path / "a" / "b" / "t.csv", two_methods, table)
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    assert rows[0][1] == "mIoU %" and any(row[0] == "CE" and "70.00 ± 9.54" in row for row in rows)
    text = tables.export(tmp_path / "t.tex", two_methods, table).read_text()
    assert r"\toprule" in text
    assert r"mIoU \%" in text
    assert [line.startswith("PAT") for line in text.splitlines() if r"\bfseries" in line] == [True]
    with pytest.raises(ValueError, match=r"as \.csv or \.tex; got 't\.xlsx'"):
        tables.export(tmp_path / "t.xlsx", two_methods, table)


def test_the_protocol_says_at_which_scale(tiny_run):
    assert tables.protocol_of(tiny_run[1]) == (
        "synthetic at 16x20 (height x width; 10 train, 3 val, 3 test images; default split, data seed 0), segnet width "
        "2, 2 epochs, batch 4, Adam 0.001 cosine, fp32, mirrored at random"
    )
    record = copy.deepcopy(tiny_run[1])
    record["config"] |= {"void_class": True, "released_head": True}
    own = copy.deepcopy(tiny_run[1])
    own["config"] |= {"model": "FPN", "model_width": None, "released_head": None}
    assert "FPN, 2 epochs" in tables.protocol_of(own)
    assert "void as a class; " in tables.protocol_of(record) and "with the released head" in tables.protocol_of(record)

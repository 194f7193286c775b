import copy

import numpy as np
import pytest
from tiny_run import TINY

from patlib import tables
from patlib.config import RunConfig
from patlib.losses import LOSSES


def test_table_1_has_every_loss_once_a_seed_and_keeps_the_scale():
    base = RunConfig(**TINY, T=5.0)
    configs = tables.table_1(base, seeds=(0, 1))
    assert [config.loss for config in configs] == [*LOSSES, *LOSSES]
    assert {config.seed for config in configs} == {0, 1}
    assert {(config.model_width, config.epochs) for config in configs} == {(2, 2)}
    assert [config.T for config in configs if config.loss == "pat"] == [20.0, 20.0]


def test_every_published_column_names_the_same_methods():
    labels = [method.label for method in tables.TABLE_1_METHODS]
    assert all(list(column) == labels for column in tables.PUBLISHED_TABLE_1.values())
    assert tables.PUBLISHED_TABLE_1["CityScapes"]["PAT (T = 20)"] == (76.22, 85.80, 0.51)


def test_a_record_belongs_to_its_row_only_with_the_tables_parameters(tiny_run):
    record = copy.deepcopy(tiny_run[1])
    assert tables.method_of(record) == "PAT (T = 20)"
    record["loss_parameters"]["T"] = 5.0
    assert tables.method_of(record) is None


def test_scores_come_from_the_confusion_matrix(tiny_run):
    record = copy.deepcopy(tiny_run[1])
    measured = record["checkpoints"]["best"]["splits"]["test"]
    measured["confusion"] = np.diag(np.arange(1, 11)).tolist()
    scores = tables.scores_of(record)
    assert scores["miou"] == scores["pixel_acc"] == scores["miou_tail"] == 1
    assert scores["cross_entropy"] == measured["cross_entropy"]


def test_paper_and_ours_stand_side_by_side_with_the_spread_over_seeds(tiny_run):
    first, second = copy.deepcopy(tiny_run[1]), copy.deepcopy(tiny_run[1])
    second["config"]["seed"] = 1
    for record, value in ((first, 1), (second, 3)):
        record["checkpoints"]["best"]["splits"]["test"]["cross_entropy"] = value
    frame = tables.paper_beside_ours([first, second], "OxfordPetIII")
    assert frame.loc["PAT (T = 20)", ("cross-entropy, nats", "ours")] == "2.000 ± 1.414"
    assert frame.loc["PAT (T = 20)", ("mIoU %", "paper")] == 76.69
    assert frame.loc["PAT (T = 20)", ("seeds", "ours")] == 2
    assert frame.loc["CE", ("mIoU %", "ours")] == "not run"


def test_two_records_of_one_cell_are_refused(tiny_run):
    with pytest.raises(ValueError, match=r"PAT \(T = 20\) with seed 0 has two records"):
        tables.table_1_scores([tiny_run[1], tiny_run[1]])


def test_records_at_different_scales_are_not_mixed(tiny_run):
    other = copy.deepcopy(tiny_run[1])
    other["config"]["epochs"] = 7
    with pytest.raises(ValueError, match="do not belong in one table"):
        tables.table_1_scores([tiny_run[1], other])

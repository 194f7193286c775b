import re

import pytest
from tiny_run import TINY

from patlib.experiments import grids
from patlib.losses import BLV, LOSSES
from patlib.trainer.config import RunConfig


def test_table_1_has_every_loss_once_a_seed_and_keeps_the_scale():
    configs = grids.grid_configs("table1", RunConfig(**TINY, T=5.0), seeds=(0, 1))
    assert [config.loss for config in configs] == [*LOSSES, *LOSSES]
    assert [config.seed for config in configs] == [0] * 8 + [1] * 8
    assert {(config.model_width, config.epochs) for config in configs} == {(2, 2)}
    assert [config.loss_parameters["T"] for config in configs if config.loss == "pat"] == [20.0, 20.0]


@pytest.mark.parametrize(
    ("name", "field", "values"),
    [
        ("gamma", "gamma", {0.5, 1, 2, 3, 4, 5}),
        ("scale", "scale", {10, 20, 30, 50}),
        ("variation", "sigma", {0.5, 1, 2}),
        ("variation", "law", {"gaussian", "uniform", "xavier"}),
        ("temperature", "T", {5, 10, 20, 50}),
        ("table3", "T", {5, 10, 20, 50}),
    ],
)
def test_the_sweeps_are_those_of_the_papers_section_5(name, field, values):
    assert {cell.settings[field] for cell in grids.GRIDS[name]} == values


def test_tables_2_and_3_have_the_papers_rows():
    rows = [cell.row for cell in grids.GRIDS["table2"]]
    assert rows[:4] == [("CE", "UNet"), ("CE", "AttUNet"), ("CE", "UNet++"), ("Focal (gamma = 2)", "UNet")]
    assert len(rows) == 21 and not any("BMS" in row for row in rows)
    assert [cell.row for cell in grids.GRIDS["table3"]][3:5] == [("SegNet", "T = 50"), ("UNet", "T = 5")]


NUMBER_OF = {
    "gamma": "gamma", "mu": "max_margin", "s": "scale", "sigma": "sigma", "T": "T",
}  # fmt: skip
"""The symbols in the rows' names, and the settings that they stand for."""


@pytest.mark.parametrize("name", [name for name in grids.GRIDS if name != "attribution"])
def test_a_row_is_made_with_the_method_network_and_numbers_that_it_names(name):
    losses = {loss.label: key for key, loss in LOSSES.items()}
    networks = {label: key for key, label in grids.NETWORKS.items()}
    for cell in grids.GRIDS[name]:
        words, stated = re.split(r" \(|, |\)", ", ".join(cell.row)), {"loss": "pat"}
        for word in words:
            if word in losses:
                stated["loss"] = losses[word]
            elif word in networks:
                stated["model"] = networks[word]
            elif word.lower() in BLV.laws:
                stated["law"] = word.lower()
            elif number := re.fullmatch(r"(\w+) = ([\d.]+)", word):
                stated[NUMBER_OF[number[1]]] = float(number[2])
        if name == "scale":
            stated["max_margin"] = 0.5  # the paper's default, which its rows do not name
        assert cell.settings == stated, cell.row


def test_the_arms_and_our_own_sweep_are_at_temperatures_that_the_chapters_name():
    assert {(cell.settings["loss"], cell.settings["T"]) for cell in grids.ARMS} == {("pat", 20.0)}
    assert [cell.settings["T"] for cell in grids.GRIDS["wide_temperature"]] == [0.1, 0.5, 1, 5, 20, 50]


@pytest.mark.parametrize("name", grids.GRIDS)
def test_every_cell_is_a_run_of_its_own_and_rows_are_unique(name):
    cells = grids.GRIDS[name]
    assert len({cell.row for cell in cells}) == len(cells)
    assert len({len(cell.row) for cell in cells}) == 1
    assert len({config.run_name for config in grids.grid_configs(name, RunConfig(**TINY))}) == len(cells)


def test_the_same_run_in_two_grids_has_one_record():
    def path(name, row):
        cell = next(cell for cell in grids.GRIDS[name] if cell.row == row)
        return grids.cell_config(name, cell, RunConfig(**TINY), 0).run_path

    assert path("table1", ("PAT (T = 20)",)) == path("attribution", ("both",)) == path("temperature", ("T = 20",))
    assert path("table1", ("PAT (T = 20)",)) == path("table3", ("SegNet", "T = 20"))
    assert path("table1", ("LDAM (mu = 0.5, s = 20)",)) == path("scale", ("LDAM", "s = 20"))


def test_the_arms_switch_the_two_halves_of_pat():
    switches = {cell.row[0]: (cell.settings["size_weight"], cell.settings["adaptive"]) for cell in grids.ARMS}
    assert switches == {
        "neither": (False, False), "only beta": (False, True), "only 1/S": (True, False), "both": (True, True)
    }  # fmt: skip


def test_an_unknown_grid_is_named_with_those_there_are():
    with pytest.raises(ValueError, match=r"'tabel2'; did you mean 'table2'\? There are table1, table2"):
        grids.get_grid("tabel2")

"""The printed numbers."""

import pytest

from patlib.experiments.grids import GRIDS
from patlib.paper.published import DATASETS, PUBLISHED

PAT = ("PAT (T = 20)",)


@pytest.mark.parametrize("table", PUBLISHED)
def test_every_printed_table_has_a_number_for_every_row(table):
    assert list(PUBLISHED[table]) == list(DATASETS.values())
    for rows in PUBLISHED[table].values():
        assert list(rows) == [cell.row for cell in GRIDS[table]]
        assert all(5 < value < 100 for values in rows.values() for value in values[:2])


@pytest.mark.parametrize(
    ("table", "dataset", "row", "numbers"),
    [
        ("table1", "CityScapes", PAT, (76.22, 85.80, 0.51)),
        ("table1", "NyU", ("BMS",), (12.27, 22.84, 2.40)),
        ("table2", "OxfordPetIII", ("CE", "UNet"), (78.61, 92.40)),
        ("table2", "CityScapes", ("CE", "AttUNet"), (73.28, 87.33)),
        ("table2", "NyU", ("PAT (T = 20)", "UNet++"), (20.66, 54.86)),
        ("table3", "NyU", ("SegNet", "T = 50"), (21.41, 54.29)),
        ("table3", "OxfordPetIII", ("UNet", "T = 10"), (78.74, 92.35)),
    ],
)
def test_cells_are_those_of_the_paper(table, dataset, row, numbers):
    assert PUBLISHED[table][dataset][row] == numbers

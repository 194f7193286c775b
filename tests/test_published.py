"""The printed numbers, and the arithmetic behind every slip that is listed."""

import pytest

from patlib.grids import GRIDS
from patlib.published import DATASETS, PUBLISHED, SLIPS

MIOU, ACCURACY, DICE = range(3)
PAT = ("PAT (T = 20)",)


def lead(dataset: str, column: int) -> float:
    rows = PUBLISHED["table1"][dataset]
    return rows[PAT][column] - max(values[column] for row, values in rows.items() if row != PAT)


@pytest.mark.parametrize("table", PUBLISHED)
def test_every_printed_table_has_a_number_for_every_row(table):
    assert list(PUBLISHED[table]) == list(DATASETS.values())
    for rows in PUBLISHED[table].values():
        assert list(rows) == [cell.row for cell in GRIDS[table]]
        assert all(5 < value < 100 for values in rows.values() for value in values[:2])
    assert SLIPS[table]


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


def test_the_slips_of_table_1():
    assert lead("OxfordPetIII", MIOU) == pytest.approx(0.09)
    assert lead("CityScapes", MIOU) == pytest.approx(1.42)
    assert lead("NyU", MIOU) == pytest.approx(1.82)
    oxford, nyu = PUBLISHED["table1"]["OxfordPetIII"], PUBLISHED["table1"]["NyU"]
    assert min(oxford, key=lambda row: oxford[row][DICE]) == ("CB",) and oxford["CB",][DICE] == 0.20
    assert nyu["Focal (gamma = 2)",][DICE] - nyu[PAT][DICE] == pytest.approx(0.39)
    assert nyu["BLV (Gaussian, sigma = 0.5)",][DICE] - nyu[PAT][DICE] == pytest.approx(0.54)
    assert len(oxford) - 1 == 7


def test_the_slips_of_table_2():
    city, nyu, oxford = (PUBLISHED["table2"][name] for name in ("CityScapes", "NyU", "OxfordPetIII"))

    def best(rows, network):
        return max((row for row in rows if row[1] == network), key=lambda row: rows[row][ACCURACY])

    assert best(city, "AttUNet") == ("CE", "AttUNet") and city["CE", "AttUNet"][ACCURACY] == 87.33
    assert best(nyu, "UNet") == ("CB", "UNet") and nyu["CB", "UNet"][ACCURACY] == 54.91
    assert best(oxford, "UNet")[0].startswith("LDAM") and oxford[best(oxford, "UNet")][ACCURACY] == 92.44
    ldam, blv = "LDAM (mu = 0.5, s = 20)", "BLV (Gaussian, sigma = 0.5)"
    leads = [
        nyu[method, network][ACCURACY] - nyu[(*PAT, network)][ACCURACY]
        for method, network in ((ldam, "AttUNet"), (blv, "UNet"), (blv, "UNet++"))
    ]
    assert leads == pytest.approx([0.81, 0.45, 0.07])


def test_the_slips_of_table_3():
    oxford, city, nyu = PUBLISHED["table3"].values()
    assert oxford["SegNet", "T = 5"][ACCURACY] == oxford["UNet", "T = 5"][ACCURACY] == 91.42
    assert city["SegNet", "T = 5"][ACCURACY] == city["UNet", "T = 5"][ACCURACY] == 84.82
    assert nyu["SegNet", "T = 10"] == nyu["UNet", "T = 10"] == (19.49, 54.43)
    accuracies = [city["UNet", f"T = {T}"][ACCURACY] for T in (5, 10, 20, 50)]
    assert max(accuracies) - accuracies[0] == pytest.approx(0.74)

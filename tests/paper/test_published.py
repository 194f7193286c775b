"""The published tables are the paper's, number by number and row by row.

``printed_tables.tsv`` has the text of Tables 1 to 3 as it was taken out of the paper's file (arXiv:2404.05393, version
4), markup and misplaced headings included, and was not made from the library.
"""

import re
from pathlib import Path

import pytest

from patlib.experiments.grids import GRIDS
from patlib.paper.deviations import claims
from patlib.paper.published import DATASETS, PUBLISHED

TABLES = (Path(__file__).parent / "printed_tables.tsv").read_text(encoding="utf-8").split("\n\n")


def printed(number):
    """A row's words of a table of the paper, and its numbers (mIoU, pixel accuracy and, in Table 1, Dice Err a set)."""
    rows, first = {}, ""
    for line in TABLES[number - 1].splitlines():
        if not (numbers := re.findall(r"\t(?:<b>)?(\d+\.\d\d)\b", line)):
            continue
        words = line[: line.index(numbers[0])].removesuffix("<b>").replace("(Ours) ", "").split("\t")
        words = [re.sub(r" (?=[,)])|(?<=\() |[$\\]", "", word).strip() for word in words[: 1 if number == 1 else 2]]
        first = words[0] or first
        rows[first, *words[1:]] = tuple(map(float, numbers))
    return rows


@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_published_number_is_the_papers(number):
    ours = PUBLISHED[f"table{number}"]
    assert list(ours) == list(DATASETS.values()) == ["OxfordPetIII", "CityScapes", "NyU"]
    joined = {row: sum((ours[dataset][row] for dataset in ours), start=()) for row in ours["NyU"]}
    assert joined == printed(number)
    assert len(joined) == (8, 21, 8)[number - 1] and {len(values) for values in joined.values()} == {
        9 if number == 1 else 6
    }
    for rows in ours.values():
        assert list(rows) == [cell.row for cell in GRIDS[f"table{number}"]]


def test_the_checks_of_the_deviations_read_the_same_numbers():
    for dataset in DATASETS.values():
        for (method,), values in PUBLISHED["table1"][dataset].items():
            assert claims.TABLE_1[dataset][method] == values
        for (method, network), (miou, accuracy) in PUBLISHED["table2"][dataset].items():
            first = re.match("[A-Za-z]+", method)[0]
            assert claims.TABLE_2_MIOU[dataset, network][first] == miou
            assert claims.TABLE_2_PIXEL_ACC[dataset, network][first] == accuracy
    for (network, temperature), values in printed(3).items():
        assert claims.TABLE_3[network][int(temperature.removeprefix("T = "))] == values
    assert claims.CLASSES == {"OxfordPetIII": 3, "CityScapes": 20, "NyU": 14}

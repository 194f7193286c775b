"""The paper's Tables 1, 2 and 3 as printed, by dataset and by the rows that :mod:`patlib.experiments.grids` declares.

Each row holds mIoU %, pixel accuracy % and, in Table 1 only, "Dice Err", which the paper does not define. The column
"Acc" of Tables 2 and 3 is empty in the paper. What does not fit together is kept as printed;
:mod:`patlib.paper.deviations` lists it.
"""

from __future__ import annotations

from patlib.experiments.grids import GRIDS

DATASETS = {"oxford_pet": "OxfordPetIII", "cityscapes": "CityScapes", "nyuv2": "NyU"}
"""The paper's names of its datasets, by ours."""

Rows = dict[tuple[str, ...], tuple[float, ...]]


def _rows(table: str, numbers: str) -> dict[str, Rows]:
    """A printed table by dataset. A line of ``numbers`` is a row, with the three datasets from left to right."""
    lines = [[float(word) for word in line.replace("|", " ").split()] for line in numbers.strip().splitlines()]
    columns = len(lines[0]) // len(DATASETS)
    return {
        dataset: {
            cell.row: tuple(line[place * columns : (place + 1) * columns])
            for cell, line in zip(GRIDS[table], lines, strict=True)
        }
        for place, dataset in enumerate(DATASETS.values())
    }


PUBLISHED: dict[str, dict[str, Rows]] = {
    "table1": _rows(
        "table1",
        """
        76.14 91.21 0.23 | 73.83 85.31 0.66 | 18.05 53.50 1.80
        75.76 91.17 0.30 | 74.02 85.44 0.56 | 15.14 51.07 1.75
        76.60 90.90 0.20 | 72.26 81.33 0.69 | 18.56 52.17 1.94
        76.02 90.54 0.26 | 71.17 80.70 0.72 | 17.31 50.46 1.76
        13.22 25.45 1.28 |  8.15 11.80 3.08 | 12.27 22.84 2.40
        75.43 90.97 0.78 | 74.80 85.20 2.27 | 19.59 52.59 2.30
        76.24 91.22 0.23 | 74.21 85.37 0.53 | 18.37 52.62 1.90
        76.69 91.28 0.23 | 76.22 85.80 0.51 | 21.41 55.57 1.36
        """,
    ),
    "table2": _rows(
        "table2",
        """
        78.61 92.40 | 74.08 83.63 | 15.36 50.97
        78.83 92.52 | 73.28 87.33 | 16.46 51.35
        78.18 92.30 | 72.91 82.87 | 16.48 51.42
        78.27 92.24 | 73.53 83.69 | 15.42 51.03
        78.31 92.30 | 73.93 83.10 | 16.46 51.32
        77.78 92.15 | 74.21 83.52 | 16.72 51.41
        78.71 91.99 | 73.58 83.19 | 20.18 54.91
        79.26 92.31 | 74.47 83.76 | 19.07 54.66
        78.51 91.96 | 74.85 83.66 | 19.17 53.23
        78.13 91.61 | 73.74 83.01 | 17.82 54.14
        78.82 92.02 | 73.42 83.18 | 18.76 54.26
        77.76 91.54 | 72.58 82.45 | 17.09 53.02
        78.68 92.44 | 73.42 83.81 | 18.04 54.33
        78.71 92.51 | 73.73 83.46 | 19.81 55.22
        78.06 92.20 | 73.55 84.64 | 19.04 52.99
        78.25 92.25 | 74.72 84.74 | 18.32 54.67
        78.97 92.46 | 74.45 84.56 | 19.45 54.72
        78.37 92.23 | 74.93 84.86 | 19.81 54.93
        78.63 92.27 | 74.85 85.51 | 21.18 54.22
        79.37 92.72 | 74.57 85.56 | 21.44 54.41
        79.14 92.51 | 75.24 85.80 | 20.66 54.86
        """,
    ),
    "table3": _rows(
        "table3",
        """
        76.83 91.42 | 73.86 84.82 | 19.35 53.39
        76.69 91.40 | 74.76 85.14 | 19.49 54.43
        76.69 91.28 | 76.22 85.80 | 21.41 55.57
        76.87 91.49 | 76.21 85.76 | 21.41 54.29
        78.58 91.42 | 74.17 84.82 | 18.23 52.05
        78.74 92.35 | 74.57 85.34 | 19.49 54.43
        78.63 92.27 | 74.85 85.51 | 21.18 54.22
        78.54 92.29 | 74.29 85.56 | 21.32 54.26
        """,
    ),
}

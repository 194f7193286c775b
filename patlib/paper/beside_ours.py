"""The paper's tables beside ours, from the records that are there."""

from __future__ import annotations

from typing import Any

import pandas as pd

from patlib.experiments.grids import get_grid
from patlib.experiments.tables import COLUMNS, LEVELS, framed, mean_and_sd, runs_of
from patlib.paper.published import PUBLISHED


def paper_beside_ours(grid: str, scores: pd.DataFrame, published: str) -> pd.DataFrame:
    """One dataset of one of the paper's tables: published, ours, and the difference ours - paper in points.

    ``published`` names a dataset as :data:`~patlib.paper.published.PUBLISHED` does. Table 1's "Dice Err" stands beside
    both candidates for it, and no difference is formed where it is not known what was measured.
    """
    lines = {}
    for cell in get_grid(grid):
        printed, runs = PUBLISHED[grid][published][cell.row], runs_of(scores, cell.row)
        line: dict[tuple[str, str], Any] = {}
        for name, value in zip(("miou", "pixel_acc"), printed, strict=False):
            line[COLUMNS[name], "paper"] = f"{value:.2f}"
            line[COLUMNS[name], "ours"] = mean_and_sd(runs, name)
            line[COLUMNS[name], "difference"] = f"{runs[name].mean() - value:+.2f}" if len(runs) else "-"
        if len(printed) == 3:
            line['"Dice Err"', "paper"] = f"{printed[2]:.2f}"
            for name in ("dice_err", "cross_entropy"):
                line[COLUMNS[name], "ours"] = mean_and_sd(runs, name)
        line["seeds", "ours"] = len(runs)
        lines[cell.row] = line
    return framed(lines, LEVELS.get(grid))

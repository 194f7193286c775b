"""The paper's numbers stand beside ours; that the differences are right is tested with the tables of ours."""

import pandas as pd
import pytest

from patlib.paper.beside_ours import paper_beside_ours


@pytest.mark.parametrize(("grid", "has_dice"), [("table1", True), ("table2", False), ("table3", False)])
def test_dice_err_stands_in_table_1_alone_and_what_was_not_run_says_so(grid, has_dice):
    table = paper_beside_ours(grid, pd.DataFrame(), "NyU")
    assert ('"Dice Err"' in table.columns.get_level_values(0)) == has_dice
    assert set(table["mIoU %", "ours"]) == {"not run"} and set(table["mIoU %", "difference"]) == {"-"}

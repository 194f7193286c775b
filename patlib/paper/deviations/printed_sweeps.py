"""The paper against itself: its text beside the numbers of Tables 2 and 3, on other networks and temperatures."""

from __future__ import annotations

from patlib.paper.deviations.claims import MARKED_IN_TABLE_2, TABLE_2_MIOU, TABLE_2_PIXEL_ACC, TABLE_3, TEXT
from patlib.paper.deviations.row import Deviation, require
from patlib.paper.published import PUBLISHED


def _check_table_2_lead() -> str:
    leads = {
        f"{method} on {model}": TABLE_2_PIXEL_ACC["NyU", model][method] - TABLE_2_PIXEL_ACC["NyU", model]["PAT"]
        for method, model in (("LDAM", "AttUNet"), ("BLV", "UNet"), ("BLV", "UNet++"))
    }
    require(min(leads.values()) > TEXT["lead of LDAM and BLV"], "every lead is above 0.04 points")
    return ", ".join(f"{name} {lead:.2f}" for name, lead in leads.items()) + " points above PAT"


def _check_table_2_marks() -> str:
    better = {}
    for (dataset, model), marked in MARKED_IN_TABLE_2.items():
        column = TABLE_2_PIXEL_ACC[dataset, model]
        best = max(column, key=column.__getitem__)
        require(column[best] > column[marked], f"the marked value of {dataset}, {model} is not the best")
        better[f"{dataset}, {model}"] = f"{best} {column[best]:.2f} above {marked} {column[marked]:.2f}"
    return "; ".join(f"{place}: {what}" for place, what in better.items())


def _check_cb() -> str:
    firsts = []
    for (dataset, model), column in TABLE_2_MIOU.items():
        others = {method: value for method, value in column.items() if method != "PAT"}
        if dataset != "OxfordPetIII" and max(others, key=others.__getitem__) == "CB":
            firsts.append(f"{dataset} with {model} {others['CB']:.2f}")
    require(len(firsts) > 0, "in some column of CityScapes or NyU CB is the best method after PAT")
    return "CB is the best method after PAT on " + ", ".join(firsts)


def _check_table_3_rows() -> str:
    segnet, unet = TABLE_3["SegNet"], TABLE_3["UNet"]
    same = [(T, first) for T in segnet for first, second in zip(segnet[T], unet[T], strict=True) if first == second]
    require(len(same) == 4, "four values of SegNet stand in UNet's rows too")
    return ", ".join(f"{value} at T = {T}" for T, value in same)


def _check_table_3_gain() -> str:
    column = [row[3] for row in TABLE_3["UNet"].values()]
    gain = max(column) - min(column)
    require(gain < TEXT["UNet CityScapes pixel accuracy gain"] - 0.5, "the column does not span 1.7 points")
    return f"{min(column):.2f} to {max(column):.2f}, {gain:.2f} points"


def _check_best_temperature() -> str:
    quoted = {3: TEXT["SegNet CityScapes pixel accuracy"], 5: TEXT["SegNet NyU pixel accuracy"]}
    measured = []
    for column, value in quoted.items():
        at = {T: row[column] for T, row in TABLE_3["SegNet"].items()}
        require(at[50] == value and at[20] > value, "the quoted value is that of T = 50, and T = 20 has more")
        measured.append(f"{at[50]:.2f} at T = 50, {at[20]:.2f} at T = 20")
    return "CityScapes {}; NyU {}".format(*measured)


def _check_acc_column() -> str:
    lengths = {
        len(row) for table in ("table2", "table3") for rows in PUBLISHED[table].values() for row in rows.values()
    }
    require(max(lengths) < TEXT["columns a dataset, Tables 2 and 3"], "no row has as many numbers as there are columns")
    rows = sum(len(rows) for table in ("table2", "table3") for rows in PUBLISHED[table].values())
    return f"{rows} rows of {max(lengths)} numbers each"


SWEEP_DEVIATIONS = (
    Deviation(
        "NyU in Table 2",
        "LDAM and BLV are 0.01 to 0.04 % above PAT in pixel accuracy.",
        "",
        "Each of the three leads is larger.",
        "arithmetic",
        _check_table_2_lead,
    ),
    Deviation(
        "Best values in Table 2",
        "Marks one method a model and column as best, and says that PAT outperforms the others on CityScapes.",
        "",
        "In three columns of pixel accuracy another method has more.",
        "arithmetic",
        _check_table_2_marks,
    ),
    Deviation(
        "CB with many classes, Table 2",
        "CB exhibits low performance on datasets with more categories (section 5.2).",
        "",
        "There are columns of CityScapes and NyU in which no method but PAT has a higher mIoU.",
        "arithmetic",
        _check_cb,
    ),
    Deviation(
        "SegNet and UNet in Table 3",
        "Two networks, four temperatures.",
        "",
        "Four values of SegNet stand in UNet's rows too, at the same T.",
        "arithmetic",
        _check_table_3_rows,
    ),
    Deviation(
        "A gain in Table 3",
        "UNet's pixel accuracy on CityScapes rises by 1.7 %.",
        "",
        "The four values lie closer together.",
        "arithmetic",
        _check_table_3_gain,
    ),
    Deviation(
        "The best T in Table 3",
        "SegNet's pixel accuracy increases to 85.76 on CityScapes and 54.29 on NyU (section 5.2).",
        "",
        "Both are values of T = 50, where T = 20 has higher ones. The mIoU quoted beside them is that of T = 20.",
        "arithmetic",
        _check_best_temperature,
    ),
    Deviation(
        'The column "Acc" of Tables 2 and 3',
        '"mIoU", "Pix Acc" and "Acc" for each dataset.',
        "",
        "The column is empty in every row.",
        "arithmetic",
        _check_acc_column,
    ),
)

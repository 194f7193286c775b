"""The paper against itself: its text and captions beside the numbers of its own tables."""

from __future__ import annotations

import math

from patlib.paper.deviations.claims import (
    CLASSES,
    MARKED_IN_TABLE_2,
    TABLE_1,
    TABLE_2_MIOU,
    TABLE_2_PIXEL_ACC,
    TABLE_3,
    TEXT,
)
from patlib.paper.deviations.formulas import FORMULA_DEVIATIONS
from patlib.paper.deviations.row import Deviation, require

MIOU, PIXEL_ACC, DICE_ERR = range(3)
OURS = "PAT (T = 20)"


def check_gains() -> str:
    best = {dataset: min(_gains(dataset, MIOU).values()) for dataset in CLASSES}
    pixels = min(_gains("OxfordPetIII", PIXEL_ACC).values())
    require(
        abs(best["CityScapes"] - TEXT["CityScapes mIoU gain"]) > 0.5, "2.2 is not the gain over the best other method"
    )
    require(abs(best["NyU"] - TEXT["NyU mIoU gain"]) > 0.5, "2.85 is not the gain over the best other method")
    require(abs(pixels - TEXT["Oxford pixel accuracy gain"]) > 0.005, "0.07 is not the gain over the best other method")
    over = {
        "Focal": _gains("CityScapes", MIOU)["Focal (gamma = 2)"] - TEXT["CityScapes mIoU gain"],
        "CB": _gains("NyU", MIOU)["CB"] - TEXT["NyU mIoU gain"],
        "CE": _gains("OxfordPetIII", PIXEL_ACC)["CE"] - TEXT["Oxford pixel accuracy gain"],
    }
    require(max(map(abs, over.values())) < 0.005, "2.2, 2.85 and 0.07 are the gains over Focal, CB and CE")
    listed = ", ".join(f"{dataset} {gain:.2f}" for dataset, gain in best.items())
    return f"mIoU over the best other: {listed}; pixel accuracy on Oxford {pixels:.2f}"


def check_pixel_gains() -> str:
    best = {dataset: min(_gains(dataset, PIXEL_ACC).values()) for dataset in CLASSES}
    largest = TEXT["largest pixel accuracy gain"]
    require(abs(best["CityScapes"] - largest) < 0.005, "0.36 is CityScapes' gain over the best other method")
    require(best["NyU"] > largest + 1, "NyU's is larger")
    return "over the best other: " + ", ".join(f"{dataset} {gain:.2f}" for dataset, gain in best.items())


def check_abstract() -> str:
    def somewhere(column: int, claim: float) -> bool:
        return any(abs(gain - claim) < 0.005 for dataset in CLASSES for gain in _gains(dataset, column).values())

    accuracy, iou = TEXT["pixel accuracy gain, abstract"], TEXT["IoU gain, abstract"]
    require(not somewhere(PIXEL_ACC, accuracy), "no method and dataset has that gain in pixel accuracy")
    require(not somewhere(MIOU, iou), "no method and dataset has that gain in mIoU")
    gains = _gains("NyU", MIOU).values()
    require(all(abs(gain - TEXT["CityScapes mIoU gain"]) > 0.1 for gain in gains), "2.2 is no gain on NyU")
    swapped = _gains("NyU", MIOU)["CB"], _gains("NyU", PIXEL_ACC)["CE"]
    require(abs(swapped[0] - accuracy) + abs(swapped[1] - iou) < 0.01, "the other way round they are NyU's")
    return f"NyU: mIoU {swapped[0]:.2f} over CB, pixel accuracy {swapped[1]:.2f} over CE"


def check_dice_below_blv() -> str:
    below = {method: -gain for method, gain in _gains("NyU", DICE_ERR).items()}
    blv, focal = below["BLV (Gaussian, sigma = 0.5)"], below["Focal (gamma = 2)"]
    require(abs(blv - TEXT["Dice Err below BLV"]) > 0.1, "0.39 is not the difference to BLV")
    require(abs(focal - TEXT["Dice Err below BLV"]) < 0.005, "it is the difference to Focal")
    return f"NyU: {blv:.2f} below BLV, {focal:.2f} below Focal"


def check_best_dice() -> str:
    column = {method: row[DICE_ERR] for method, row in TABLE_1["OxfordPetIII"].items()}
    require(column["CB"] < column[OURS], "a lower value than the marked one stands in the column")
    return f"CB {column['CB']:.2f}, marked {column[OURS]:.2f}"


def check_baselines() -> str:
    others = len(TABLE_1["NyU"]) - 1
    require(others != TEXT["baselines"], "the table has another number of baselines")
    return f"{others} baselines and PAT"


def check_table_2_lead() -> str:
    leads = {
        f"{method} on {model}": TABLE_2_PIXEL_ACC["NyU", model][method] - TABLE_2_PIXEL_ACC["NyU", model]["PAT"]
        for method, model in (("LDAM", "AttUNet"), ("BLV", "UNet"), ("BLV", "UNet++"))
    }
    require(min(leads.values()) > TEXT["lead of LDAM and BLV"], "every lead is above 0.04 points")
    return ", ".join(f"{name} {lead:.2f}" for name, lead in leads.items()) + " points above PAT"


def check_table_2_marks() -> str:
    better = {}
    for (dataset, model), marked in MARKED_IN_TABLE_2.items():
        column = TABLE_2_PIXEL_ACC[dataset, model]
        best = max(column, key=column.__getitem__)
        require(column[best] > column[marked], f"the marked value of {dataset}, {model} is not the best")
        better[f"{dataset}, {model}"] = f"{best} {column[best]:.2f} above {marked} {column[marked]:.2f}"
    return "; ".join(f"{place}: {what}" for place, what in better.items())


def check_cb() -> str:
    firsts = []
    for (dataset, model), column in TABLE_2_MIOU.items():
        others = {method: value for method, value in column.items() if method != "PAT"}
        if dataset != "OxfordPetIII" and max(others, key=others.__getitem__) == "CB":
            firsts.append(f"{dataset} with {model} {others['CB']:.2f}")
    require(len(firsts) > 0, "in some column of CityScapes or NyU CB is the best method after PAT")
    return "CB is the best method after PAT on " + ", ".join(firsts)


def check_table_3_rows() -> str:
    segnet, unet = TABLE_3["SegNet"], TABLE_3["UNet"]
    same = [(T, first) for T in segnet for first, second in zip(segnet[T], unet[T], strict=True) if first == second]
    require(len(same) == 4, "four values of SegNet stand in UNet's rows too")
    return ", ".join(f"{value} at T = {T}" for T, value in same)


def check_table_3_gain() -> str:
    column = [row[3] for row in TABLE_3["UNet"].values()]
    gain = max(column) - min(column)
    require(gain < TEXT["UNet CityScapes pixel accuracy gain"] - 0.5, "the column does not span 1.7 points")
    return f"{min(column):.2f} to {max(column):.2f}, {gain:.2f} points"


def check_best_temperature() -> str:
    quoted = {3: TEXT["SegNet CityScapes pixel accuracy"], 5: TEXT["SegNet NyU pixel accuracy"]}
    measured = []
    for column, value in quoted.items():
        at = {T: row[column] for T, row in TABLE_3["SegNet"].items()}
        require(at[50] == value and at[20] > value, "the quoted value is that of T = 50, and T = 20 has more")
        measured.append(f"{at[50]:.2f} at T = 50, {at[20]:.2f} at T = 20")
    return "CityScapes {}; NyU {}".format(*measured)


def check_dice_err() -> str:
    ldam, ce = "LDAM (mu = 0.5, s = 20)", "CE"
    uniform = {dataset: TABLE_1[dataset]["BMS"][DICE_ERR] / math.log(count) for dataset, count in CLASSES.items()}
    require(
        max(row[DICE_ERR] for column in TABLE_1.values() for row in column.values()) > 1, "values above 1: not 1 - Dice"
    )
    require(all(0.9 < ratio < 1.2 for ratio in uniform.values()), "BMS lies near ln L")
    for dataset in CLASSES:
        lost = TABLE_1[dataset][ce][PIXEL_ACC] - TABLE_1[dataset][ldam][PIXEL_ACC]
        require(lost < 1, "LDAM's pixel accuracy is within a point of CE's, or above")
        require(TABLE_1[dataset][ldam][DICE_ERR] > 1.25 * TABLE_1[dataset][ce][DICE_ERR], "its Dice Err is far above")
    require(
        TABLE_1["OxfordPetIII"]["CB"][DICE_ERR] < TABLE_1["OxfordPetIII"][ce][DICE_ERR],
        "against: CB lies below CE on Oxford",
    )
    return "BMS over ln L: " + ", ".join(f"{dataset} {ratio:.2f}" for dataset, ratio in uniform.items())


def _gains(dataset: str, column: int) -> dict[str, float]:
    """PAT minus each other method, in the units of Table 1."""
    rows = TABLE_1[dataset]
    return {method: rows[OURS][column] - row[column] for method, row in rows.items() if method != OURS}


PRINTED_DEVIATIONS = (
    *FORMULA_DEVIATIONS,
    Deviation(
        "Gains in Table 1",
        "mIoU rises by 2.2 points on CityScapes and 2.85 on NyU, pixel accuracy by at least 0.07.",
        "",
        "2.2 is the gain over Focal, 2.85 over CB, 0.07 over CE. Over the best other method they are smaller.",
        "arithmetic",
        check_gains,
    ),
    Deviation(
        "Pixel accuracy in Table 1",
        "PAT outperforms the others by 0.07 to 0.36 points of pixel accuracy (section 5.1).",
        "",
        "0.36 is CityScapes' gain. NyU's, over CE, is left out.",
        "arithmetic",
        check_pixel_gains,
    ),
    Deviation(
        "The abstract's gains",
        "2.2 on NyU; 2.85 in pixel accuracy; 2.07 in intersection over union.",
        "",
        "2.2 is CityScapes' (so says the conclusion). 2.85 is NyU's mIoU and 2.07 its pixel accuracy.",
        "arithmetic",
        check_abstract,
    ),
    Deviation(
        '"Dice Err" against BLV',
        "0.39 lower than BLV (abstract).",
        "",
        "0.39 is the difference to Focal.",
        "arithmetic",
        check_dice_below_blv,
    ),
    Deviation(
        'Best "Dice Err" on Oxford',
        "0.23 is marked as the lowest.",
        "",
        "CB has a lower one.",
        "arithmetic",
        check_best_dice,
    ),
    Deviation(
        "Baselines in Table 1",
        '"8 baselines" and the proposed method (caption).',
        "",
        "The table has seven, and PAT.",
        "arithmetic",
        check_baselines,
    ),
    Deviation(
        "NyU in Table 2",
        "LDAM and BLV are 0.01 to 0.04 % above PAT in pixel accuracy.",
        "",
        "Each of the three leads is larger.",
        "arithmetic",
        check_table_2_lead,
    ),
    Deviation(
        "Best values in Table 2",
        "Marks one method a model and column as best, and says that PAT outperforms the others on CityScapes.",
        "",
        "In three columns of pixel accuracy another method has more.",
        "arithmetic",
        check_table_2_marks,
    ),
    Deviation(
        "CB with many classes, Table 2",
        "CB exhibits low performance on datasets with more categories (section 5.2).",
        "",
        "There are columns of CityScapes and NyU in which no method but PAT has a higher mIoU.",
        "arithmetic",
        check_cb,
    ),
    Deviation(
        "SegNet and UNet in Table 3",
        "Two networks, four temperatures.",
        "",
        "Four values of SegNet stand in UNet's rows too, at the same T.",
        "arithmetic",
        check_table_3_rows,
    ),
    Deviation(
        "A gain in Table 3",
        "UNet's pixel accuracy on CityScapes rises by 1.7 %.",
        "",
        "The four values lie closer together.",
        "arithmetic",
        check_table_3_gain,
    ),
    Deviation(
        "The best T in Table 3",
        "SegNet's pixel accuracy increases to 85.76 on CityScapes and 54.29 on NyU (section 5.2).",
        "",
        "Both are values of T = 50, where T = 20 has higher ones. The mIoU quoted beside them is that of T = 20.",
        "arithmetic",
        check_best_temperature,
    ),
    Deviation(
        '"Dice Err"',
        "No definition.",
        "No Dice at this commit. For every method it logs the cross-entropy on validation images.",
        "1 - mean Dice, and the cross-entropy. That the paper's number is the cross-entropy is our inference. "
        "For it: values above 1, BMS near ln L, LDAM far above CE at equal accuracy. Against: CB below CE on Oxford.",
        "inference",
        check_dice_err,
    ),
)

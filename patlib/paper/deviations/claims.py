"""What the paper's text states, and its tables in the form in which the checks read them."""

from __future__ import annotations

from patlib.paper.published import PUBLISHED

TEXT: dict[str, float] = {
    "CityScapes mIoU gain": 2.2,  # sections 5.1 and 6; the abstract gives it to NyU
    "NyU mIoU gain": 2.85,  # section 6
    "Oxford pixel accuracy gain": 0.07,  # section 5.1 and the arrows of Table 1
    "pixel accuracy gain, abstract": 2.85,
    "IoU gain, abstract": 2.07,
    "Dice Err below BLV": 0.39,  # abstract
    "baselines": 8,  # caption of Table 1
    "lead of LDAM and BLV": 0.04,  # section 5.2: "from 0.01% to 0.04%"
    "UNet CityScapes pixel accuracy gain": 1.7,  # section 5.2, temperature
    "largest pixel accuracy gain": 0.36,  # section 5.1: "from 0.07% to 0.36%"
    "SegNet CityScapes pixel accuracy": 85.76,  # section 5.2, temperature: "increase from ... to"
    "SegNet NyU pixel accuracy": 54.29,
    "largest beta": 1.0,  # caption of Fig. 1
    "largest weight of a pixel over the smallest": 1.0,  # section 3.2: "equal consideration"
    "columns a dataset, Tables 2 and 3": 3,
    "first pixel of Eq. 2": 0,
    "first pixel of Eq. 3": 1,
}
"""What the paper's text states, in the units it states it in."""

CITED = {"LDAM, section 5": 1, "BLV, section 2": 26, "BLV, section 5.2": 27}
"""The number of the reference that the paper gives for a method."""

REFERENCES = {
    1: "Long-tailed instance segmentation using gumbel optimized loss",
    26: "Balancing logit variation for long-tailed semantic segmentation",
    27: "Balancing logit variation for long-tailed semantic segmentation",
}
"""The titles in the paper's list of references."""

TABLE_1 = {
    dataset: {method: values for (method,), values in rows.items()} for dataset, rows in PUBLISHED["table1"].items()
}
"""Table 1 by dataset and method: mIoU %, pixel accuracy %, "Dice Err"."""

TABLE_2_MIOU: dict[tuple[str, str], dict[str, float]] = {}
"""mIoU % of Table 2 by (dataset, network) and the first word of the method."""
TABLE_2_PIXEL_ACC: dict[tuple[str, str], dict[str, float]] = {}
"""Pixel accuracy % of Table 2, by the same keys."""
for _dataset, _rows in PUBLISHED["table2"].items():
    for (_method, _network), (_miou, _accuracy) in _rows.items():
        TABLE_2_MIOU.setdefault((_dataset, _network), {})[_method.split()[0]] = _miou
        TABLE_2_PIXEL_ACC.setdefault((_dataset, _network), {})[_method.split()[0]] = _accuracy

MARKED_IN_TABLE_2 = {("OxfordPetIII", "UNet"): "CE", ("CityScapes", "AttUNet"): "PAT", ("NyU", "UNet"): "BLV"}
"""The method that Table 2 marks as best, in three columns of pixel accuracy."""

TABLE_3 = {
    network: {
        T: sum((rows[network, f"T = {T}"] for rows in PUBLISHED["table3"].values()), start=()) for T in (5, 10, 20, 50)
    }
    for network in ("SegNet", "UNet")
}
"""Table 3 by network and T: mIoU and pixel accuracy on OxfordPetIII, CityScapes, NyU."""

CLASSES = {"OxfordPetIII": 3, "CityScapes": 20, "NyU": 14}
"""Classes as the paper counts them."""

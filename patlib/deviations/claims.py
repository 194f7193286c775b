"""What the paper's text states, and columns of its Tables 2 and 3 as printed."""

from __future__ import annotations

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
    "largest beta": 1.0,  # caption of Fig. 1
    "first pixel of Eq. 2": 0,
    "first pixel of Eq. 3": 1,
}
"""What the paper's text states, in the units it states it in."""

TABLE_2_PIXEL_ACC = {
    ("OxfordPetIII", "UNet"): {
        "CE": 92.40, "Focal": 92.24, "CB": 91.99, "CBFocal": 91.61, "LDAM": 92.44, "BLV": 92.25, "PAT": 92.27,
    },
    ("CityScapes", "AttUNet"): {
        "CE": 87.33, "Focal": 83.10, "CB": 83.76, "CBFocal": 83.18, "LDAM": 83.46, "BLV": 84.56, "PAT": 85.56,
    },
    ("NyU", "UNet"): {
        "CE": 50.97, "Focal": 51.03, "CB": 54.91, "CBFocal": 54.14, "LDAM": 54.33, "BLV": 54.67, "PAT": 54.22,
    },
    ("NyU", "AttUNet"): {
        "CE": 51.35, "Focal": 51.32, "CB": 54.66, "CBFocal": 54.26, "LDAM": 55.22, "BLV": 54.72, "PAT": 54.41,
    },
    ("NyU", "UNet++"): {
        "CE": 51.42, "Focal": 51.41, "CB": 53.23, "CBFocal": 53.02, "LDAM": 52.99, "BLV": 54.93, "PAT": 54.86,
    },
}  # fmt: skip
"""Columns of Table 2 as printed, pixel accuracy %."""

MARKED_IN_TABLE_2 = {("OxfordPetIII", "UNet"): "CE", ("CityScapes", "AttUNet"): "PAT", ("NyU", "UNet"): "BLV"}
"""The method that Table 2 marks as best in three of those columns."""

TABLE_3 = {
    "SegNet": {
        5: (76.83, 91.42, 73.86, 84.82, 19.35, 53.39), 10: (76.69, 91.40, 74.76, 85.14, 19.49, 54.43),
        20: (76.69, 91.28, 76.22, 85.80, 21.41, 55.57), 50: (76.87, 91.49, 76.21, 85.76, 21.41, 54.29),
    },
    "UNet": {
        5: (78.58, 91.42, 74.17, 84.82, 18.23, 52.05), 10: (78.74, 92.35, 74.57, 85.34, 19.49, 54.43),
        20: (78.63, 92.27, 74.85, 85.51, 21.18, 54.22), 50: (78.54, 92.29, 74.29, 85.56, 21.32, 54.26),
    },
}  # fmt: skip
"""Table 3 as printed, by T: mIoU and pixel accuracy on OxfordPetIII, CityScapes, NyU."""

CLASSES = {"OxfordPetIII": 3, "CityScapes": 20, "NyU": 14}
"""Classes as the paper counts them."""

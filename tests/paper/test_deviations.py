"""Every row of the table of deviations holds, and no longer holds where its deviation is taken away.

``deviation_checks.json`` has for each row the line that its check gives, the statements that it holds, and the one that
fails at each way to take the deviation away, so that no number and no statement changes or goes unseen. Run as a
script, this file writes it anew.
"""

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from patlib import models
from patlib.losses import BLV, LDAM, PAT, ClassBalanced, build_loss
from patlib.metrics import SegmentationMetrics
from patlib.paper import released
from patlib.paper.deviations import (
    DEVIATIONS,
    READ_NOT_EXECUTED,
    Deviation,
    Reading,
    as_html,
    claims,
    formulas,
    protocol,
)
from patlib.paper.deviations.row import require

L = 5
STORED = Path(__file__).with_name("deviation_checks.json")
ROWS = {row.topic: row for row in DEVIATIONS}
Mend = Callable[[pytest.MonkeyPatch], None]


def replaced(name: str, function: Callable) -> Mend:
    return lambda patch: patch.setattr(released, name, function)


def printed_as(dataset: str, method: str, column: int, value: float) -> Mend:
    """Table 1 with one number changed."""

    def mend(patch: pytest.MonkeyPatch) -> None:
        row = list(claims.TABLE_1[dataset][method])
        row[column] = value
        patch.setitem(claims.TABLE_1[dataset], method, tuple(row))

    return mend


def said(claim: str, value: float) -> Mend:
    return lambda patch: patch.setitem(claims.TEXT, claim, value)


def standard_miou(batches) -> float:
    metric = SegmentationMetrics(6)
    for predictions, target in batches:
        metric.update(predictions, target)
    return float(metric.compute()["miou"])


def nearest_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.array(Image.fromarray(mask).resize(size[::-1], Image.Resampling.NEAREST))


def counted(target: Tensor) -> Tensor:
    return released.batch_pixels(target, L)


def pat(logits: Tensor, target: Tensor, tau: float = 1.0) -> Tensor:
    return PAT(L, T=tau)(logits, target)


def stopped_pat(logits: Tensor, target: Tensor) -> Tensor:
    nll = F.cross_entropy(logits, target, reduction="none")
    return (released.released_pat_weight(torch.exp(-nll)).detach() * nll).mean() / L


def linear_head(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(protocol, "build_model", lambda name, classes, width, released_head: models.SegNet(classes, width))


def marked(dataset: str, network: str, method: str) -> Mend:
    return lambda patch: patch.setitem(claims.MARKED_IN_TABLE_2, (dataset, network), method)


def low_cb(patch: pytest.MonkeyPatch) -> None:
    for column in claims.TABLE_2_MIOU.values():
        patch.setitem(column, "CB", 10.0)


def no_row_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(claims.TABLE_3["UNet"], 10, (78.74, 92.35, 74.57, 85.34, 20.49, 53.43))


def nowhere_better_than_50(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(claims.TABLE_3["SegNet"], 20, (76.69, 91.28, 76.22, 85.76, 21.41, 55.57))


def below_one(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(formulas, "PAT", lambda classes, **options: PAT(classes, eps=0.1, **options))


def half_as_much_again(x: Tensor, y: Tensor, released_cb: Callable = released.released_cb) -> Tensor:
    return 1.5 * released_cb(x, y)


def ldam_cited(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(claims.REFERENCES, 1, "Learning imbalanced datasets with label-distribution-aware margin loss")


def blv_once(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(claims.REFERENCES, 27, "Another paper")


MENDED: dict[str, list[Mend]] = {
    "mIoU": [replaced("released_miou", standard_miou)],
    "Void": [replaced("void_as_class", lambda target, num_classes, first=False: target)],
    "Resizing masks": [replaced("bilinear_mask", nearest_mask)],
    "SegNet's last layer": [linear_head],
    "Augmentation": [lambda patch: patch.setattr(protocol, "RELEASED_MIRRORED", 0.5)],
    "Image normalisation": [lambda patch: patch.setattr(protocol, "released_pet_image", lambda image: image / 255)],
    "PAT: the weight": [replaced("released_pat_weight", lambda p: torch.exp((1 - p) / 20))],
    "PAT: the mask size": [replaced("released_pat", pat)],
    "PAT: the temperature": [replaced("released_pat", pat)],
    "PAT: gradient through the weight": [
        replaced("released_pat", stopped_pat)
    ],
    "Balanced softmax (BMS)": [
        replaced("released_balanced_softmax", lambda x, y: build_loss("bms", L, counted(y))(x, y))
    ],
    "LDAM": [replaced("released_ldam_margins", lambda y, L: LDAM(L, class_pixels=counted(y)[:L]).margins)],
    "BLV": [replaced("released_blv_variation", lambda y, classes: BLV(classes, class_pixels=counted(y)).variation)],
    "Class-balanced (CB)": [
        replaced("released_cb", lambda x, y: ClassBalanced(L, class_pixels=counted(y))(x, y)),
        replaced("released_cb", half_as_much_again),
    ],
    "Focal": [replaced("released_focal", lambda x, y: build_loss("focal", L)(x, y))],
    "Gains in Table 1": [
        said("CityScapes mIoU gain", 1.42), said("NyU mIoU gain", 1.82), said("Oxford pixel accuracy gain", 0.06),
        said("CityScapes mIoU gain", 2.21), said("NyU mIoU gain", 2.84), said("Oxford pixel accuracy gain", 0.08),
    ],
    "Pixel accuracy in Table 1": [
        said("largest pixel accuracy gain", 2.07), said("largest pixel accuracy gain", 0.37),
        printed_as("NyU", "CE", 1, 55.5), printed_as("NyU", "CE", 1, 54.25),
    ],
    "The abstract's gains": [
        said("pixel accuracy gain, abstract", 2.07), said("IoU gain, abstract", 2.85),
        said("pixel accuracy gain, abstract", 2.83), said("CityScapes mIoU gain", 1.8),
    ],
    '"Dice Err" against BLV': [said("Dice Err below BLV", 0.54), said("Dice Err below BLV", 0.4)],
    'Best "Dice Err" on Oxford': [printed_as("OxfordPetIII", "CB", 2, 0.23)],
    "Baselines in Table 1": [said("baselines", 7)],
    "NyU in Table 2": [said("lead of LDAM and BLV", 0.81), said("lead of LDAM and BLV", 0.08)],
    "Best values in Table 2": [
        marked("CityScapes", "AttUNet", "CE"), marked("OxfordPetIII", "UNet", "LDAM"), marked("NyU", "UNet", "CB")
    ],
    "CB with many classes, Table 2": [low_cb],
    "SegNet and UNet in Table 3": [no_row_twice],
    "A gain in Table 3": [
        said("UNet CityScapes pixel accuracy gain", 0.74), said("UNet CityScapes pixel accuracy gain", 1.2),
    ],
    "The best T in Table 3": [
        said("SegNet CityScapes pixel accuracy", 85.80), said("SegNet NyU pixel accuracy", 55.57),
        nowhere_better_than_50,
    ],
    "Where the weight stands in Fig. 1": [
        lambda patch: patch.setattr(formulas, "weighted_as_captioned", lambda beta, p: -beta * p.log())
    ],
    "Equal consideration (section 3.2)": [said("largest weight of a pixel over the smallest", 24)],
    "What Fig. 3c shows": [lambda patch: patch.setattr(formulas, "loss_value", lambda weight, p: weight)],
    "Focal as described (section 2.2)": [lambda patch: patch.setattr(formulas, "inverse", lambda x: 1 - x.softmax(1))],
    'The column "Acc" of Tables 2 and 3': [said("columns a dataset, Tables 2 and 3", 2)],
    "References": [ldam_cited, blv_once],
    "The range of beta": [said("largest beta", 1.23), said("largest beta", 1.13), below_one],
    "Pixels in a sum": [said("first pixel of Eq. 2", 1), said("first pixel of Eq. 3", 2)],
    '"Dice Err"': [
        printed_as("NyU", "BMS", 2, 0.9), printed_as("NyU", "BMS", 2, 3.2),
        printed_as("CityScapes", "LDAM (mu = 0.5, s = 20)", 2, 0.82),
        printed_as("NyU", "LDAM (mu = 0.5, s = 20)", 1, 52.4),
        printed_as("OxfordPetIII", "CB", 2, 0.23),
    ],
}  # fmt: skip


def checked(topic: str) -> dict[str, object]:
    """What a check gives and holds, and what fails at each way to take its deviation away."""
    row, held = ROWS[topic], []
    with pytest.MonkeyPatch.context() as patch:

        def noted(condition: bool, statement: str) -> None:
            held.append(statement)
            require(condition, statement)

        patch.setattr(sys.modules[row.check.__module__], "require", noted)
        found = {"measured": row.check(), "held": list(dict.fromkeys(held)), "fails": []}
    for mend in MENDED[topic]:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(AssertionError, match="does not hold: ") as failed:
            mend(patch)
            row.check()
        found["fails"].append(str(failed.value).removeprefix("does not hold: "))
    return found


@pytest.mark.parametrize("topic", ROWS)
def test_a_check_says_what_it_measured_and_fails_where_its_deviation_is_taken_away(topic: str) -> None:
    assert checked(topic) == json.loads(STORED.read_text(encoding="utf-8"))[topic]
    assert ROWS[topic].check() == ROWS[topic].check(), "a check gives the same line each time"


def test_every_row_has_its_own_topic_and_a_way_to_take_it_away():
    assert len(ROWS) == len(DEVIATIONS)
    assert set(MENDED) == set(ROWS)


def test_each_row_says_where_the_difference_lies():
    for row in DEVIATIONS:
        assert row.paper and row.patlib
        assert bool(row.released) == (row.kind != "arithmetic")
    assert not {reading.topic for reading in READ_NOT_EXECUTED} & set(ROWS)
    for row in (DEVIATIONS[0], READ_NOT_EXECUTED[0]):
        with pytest.raises(dataclasses.FrozenInstanceError):
            row.topic = "another"


def test_the_table_is_escaped_and_runs_its_checks():
    row = Deviation("a < b", "p", "", "q", "arithmetic", lambda: "1 & 2")
    text = as_html([row, Reading("topic", "said", "read", "ours")])
    assert "a &lt; b <small>(arithmetic)" in text and "1 &amp; 2" in text and "<em>its numbers</em>" in text
    assert text.count("<em>released code</em>") == 1 and "(read, not executed)" in text

    def gone() -> str:
        raise AssertionError("does not hold: x")

    with pytest.raises(AssertionError):
        as_html([Deviation("a", "b", "c", "d", "inference", gone)])


if __name__ == "__main__":
    stored = json.dumps({topic: checked(topic) for topic in ROWS}, indent=1, ensure_ascii=False)
    STORED.write_text(stored + "\n", encoding="utf-8")

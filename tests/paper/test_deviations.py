"""Every row of the table of deviations holds, and no longer holds where its deviation is taken away."""

from collections.abc import Callable

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

L = 5
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


def best_marked(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(claims.MARKED_IN_TABLE_2, ("CityScapes", "AttUNet"), "CE")


def low_cb(patch: pytest.MonkeyPatch) -> None:
    for column in claims.TABLE_2_MIOU.values():
        patch.setitem(column, "CB", 10.0)


def no_row_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(claims.TABLE_3["UNet"], 10, (78.74, 92.35, 74.57, 85.34, 20.49, 53.43))


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
    "Class-balanced (CB)": [replaced("released_cb", lambda x, y: ClassBalanced(L, class_pixels=counted(y))(x, y))],
    "Focal": [replaced("released_focal", lambda x, y: build_loss("focal", L)(x, y))],
    "Gains in Table 1": [
        said("CityScapes mIoU gain", 1.42), said("NyU mIoU gain", 1.82), said("Oxford pixel accuracy gain", 0.06)
    ],
    "Pixel accuracy in Table 1": [said("largest pixel accuracy gain", 2.07), printed_as("NyU", "CE", 1, 55.5)],
    "The abstract's gains": [said("pixel accuracy gain, abstract", 2.07), said("IoU gain, abstract", 2.85)],
    '"Dice Err" against BLV': [said("Dice Err below BLV", 0.54)],
    'Best "Dice Err" on Oxford': [printed_as("OxfordPetIII", "CB", 2, 0.24)],
    "Baselines in Table 1": [said("baselines", 7)],
    "NyU in Table 2": [said("lead of LDAM and BLV", 0.81)],
    "Best values in Table 2": [best_marked],
    "CB with many classes, Table 2": [low_cb],
    "SegNet and UNet in Table 3": [no_row_twice],
    "A gain in Table 3": [said("UNet CityScapes pixel accuracy gain", 0.74)],
    "The best T in Table 3": [
        said("SegNet CityScapes pixel accuracy", 85.80), said("SegNet NyU pixel accuracy", 55.57)
    ],
    "Where the weight stands in Fig. 1": [
        lambda patch: patch.setattr(formulas, "weighted_as_captioned", lambda beta, p: -beta * p.log())
    ],
    "Equal consideration (section 3.2)": [said("largest weight of a pixel over the smallest", 24)],
    "What Fig. 3c shows": [lambda patch: patch.setattr(formulas, "loss_value", lambda weight, p: weight)],
    "Focal as described (section 2.2)": [lambda patch: patch.setattr(formulas, "inverse", lambda x: 1 - x.softmax(1))],
    'The column "Acc" of Tables 2 and 3': [said("columns a dataset, Tables 2 and 3", 2)],
    "References": [ldam_cited, blv_once],
    "The range of beta": [said("largest beta", 1.23)],
    "Pixels in a sum": [said("first pixel of Eq. 2", 1)],
    '"Dice Err"': [printed_as("NyU", "BMS", 2, 0.9), printed_as("CityScapes", "LDAM (mu = 0.5, s = 20)", 2, 0.66)],
}  # fmt: skip


@pytest.mark.parametrize("topic", ROWS)
def test_a_deviation_holds_and_says_what_it_measured(topic: str) -> None:
    measured = ROWS[topic].check()
    assert len(measured) > 10 and "\n" not in measured
    assert measured == ROWS[topic].check(), "a check gives the same line each time"


@pytest.mark.parametrize(("topic", "mend"), [(topic, mend) for topic, mends in MENDED.items() for mend in mends])
def test_a_check_fails_where_its_deviation_is_taken_away(topic, mend, monkeypatch):
    mend(monkeypatch)
    with pytest.raises(AssertionError, match="does not hold: "):
        ROWS[topic].check()


def test_every_row_has_its_own_topic_and_a_way_to_take_it_away():
    assert len(ROWS) == len(DEVIATIONS)
    assert set(MENDED) == set(ROWS)


def test_each_row_says_where_the_difference_lies():
    for row in DEVIATIONS:
        assert row.paper and row.patlib
        assert bool(row.released) == (row.kind != "arithmetic")
    assert not {reading.topic for reading in READ_NOT_EXECUTED} & set(ROWS)


def test_the_table_is_escaped_and_runs_its_checks():
    row = Deviation("a < b", "p", "", "q", "arithmetic", lambda: "1 & 2")
    text = as_html([row, Reading("topic", "said", "read", "ours")])
    assert "a &lt; b <small>(arithmetic)" in text and "1 &amp; 2" in text and "<em>its numbers</em>" in text
    assert text.count("<em>released code</em>") == 1 and "(read, not executed)" in text

    def gone() -> str:
        raise AssertionError("does not hold: x")

    with pytest.raises(AssertionError):
        as_html([Deviation("a", "b", "c", "d", "inference", gone)])

"""The paper's Table 1: its published numbers, its cells as run configurations, and the paper beside our records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import torch

from patlib.config import RunConfig
from patlib.losses import loss_parameters
from patlib.metrics import confusion_scores, frequency_groups
from patlib.runs import Record


@dataclass(frozen=True)
class Method:
    """A row of Table 1: the paper's name for it, and the loss and parameters that stand for it here."""

    label: str
    loss: str
    parameters: dict[str, Any] = field(default_factory=dict)


TABLE_1_METHODS = (
    Method("CE", "ce"),
    Method("Focal (gamma = 2)", "focal", {"gamma": 2.0}),
    Method("CB", "cb"),
    Method("CBFocal (gamma = 2)", "cbfocal", {"gamma": 2.0}),
    Method("BMS", "bms"),
    Method("LDAM (mu = 0.5, s = 20)", "ldam", {"max_margin": 0.5, "scale": 20.0}),
    Method("BLV (Gaussian, sigma = 0.5)", "blv", {"law": "gaussian", "sigma": 0.5}),
    Method("PAT (T = 20)", "pat", {"T": 20.0}),
)


def table_1(base: RunConfig, seeds: Iterable[int] = (0,)) -> list[RunConfig]:
    """The runs of Table 1 for the dataset, model and scale of ``base``: every method, seed by seed."""
    common = base.model_dump(exclude={"loss", "seed"} | set(base.loss_parameters))
    return [
        RunConfig(**{**common, "loss": method.loss, **method.parameters, "seed": seed})
        for seed in seeds
        for method in TABLE_1_METHODS
    ]


PUBLISHED_TABLE_1: dict[str, dict[str, tuple[float, float, float]]] = {
    "OxfordPetIII": {
        "CE": (76.14, 91.21, 0.23),
        "Focal (gamma = 2)": (75.76, 91.17, 0.30),
        "CB": (76.60, 90.90, 0.20),
        "CBFocal (gamma = 2)": (76.02, 90.54, 0.26),
        "BMS": (13.22, 25.45, 1.28),
        "LDAM (mu = 0.5, s = 20)": (75.43, 90.97, 0.78),
        "BLV (Gaussian, sigma = 0.5)": (76.24, 91.22, 0.23),
        "PAT (T = 20)": (76.69, 91.28, 0.23),
    },
    "CityScapes": {
        "CE": (73.83, 85.31, 0.66),
        "Focal (gamma = 2)": (74.02, 85.44, 0.56),
        "CB": (72.26, 81.33, 0.69),
        "CBFocal (gamma = 2)": (71.17, 80.70, 0.72),
        "BMS": (8.15, 11.80, 3.08),
        "LDAM (mu = 0.5, s = 20)": (74.80, 85.20, 2.27),
        "BLV (Gaussian, sigma = 0.5)": (74.21, 85.37, 0.53),
        "PAT (T = 20)": (76.22, 85.80, 0.51),
    },
    "NyU": {
        "CE": (18.05, 53.50, 1.80),
        "Focal (gamma = 2)": (15.14, 51.07, 1.75),
        "CB": (18.56, 52.17, 1.94),
        "CBFocal (gamma = 2)": (17.31, 50.46, 1.76),
        "BMS": (12.27, 22.84, 2.40),
        "LDAM (mu = 0.5, s = 20)": (19.59, 52.59, 2.30),
        "BLV (Gaussian, sigma = 0.5)": (18.37, 52.62, 1.90),
        "PAT (T = 20)": (21.41, 55.57, 1.36),
    },
}
"""Table 1 as printed: mIoU %, pixel accuracy %, "Dice Err" (which the paper does not define)."""

PERCENT = ("miou", "pixel_acc", "mean_acc", "mean_dice", "miou_head", "miou_medium", "miou_tail")


def method_of(record: Record) -> str | None:
    """The row of Table 1 that a record belongs to, or None if its loss parameters are not the table's."""
    for method in TABLE_1_METHODS:
        if method.loss == record["config"]["loss"]:
            expected = {**loss_parameters(method.loss), **method.parameters}
            return method.label if record["loss_parameters"] == expected else None
    return None


def scores_of(record: Record, checkpoint: str = "best", split: str = "test") -> dict[str, float]:
    """Scores of one run: fractions as in :func:`patlib.metrics.confusion_scores`, head/medium/tail, cross-entropy."""
    measured = record["checkpoints"][checkpoint]["splits"][split]
    scores = confusion_scores(torch.tensor(measured["confusion"]))
    iou = scores.pop("iou")
    groups = frequency_groups(record["dataset"]["class_pixels"], len(iou))
    tiers = {f"miou_{group}": float(iou[classes].nanmean()) for group, classes in groups.items()}
    return {name: float(value) for name, value in scores.items()} | tiers | {"cross_entropy": measured["cross_entropy"]}


def table_1_scores(records: Iterable[Record], checkpoint: str = "best", split: str = "test") -> pd.DataFrame:
    """One row a run: method, seed and its scores, in per cent where they are fractions of pixels or classes.

    Records that are no cell of Table 1 are left out. Raises ValueError if the rest do not share dataset and protocol:
    runs at different scales do not belong in one table.
    """
    rows, protocols = [], set()
    for record in records:
        label = method_of(record)
        if label is not None:
            scores = scores_of(record, checkpoint, split)
            scores |= {name: 100 * scores[name] for name in PERCENT}
            rows.append({"method": label, "seed": record["config"]["seed"], **scores})
            protocols.add(protocol_of(record))
    if len(protocols) > 1:
        raise ValueError(f"these records do not belong in one table: {'; '.join(sorted(protocols))}")
    scores = pd.DataFrame(rows)
    if len(scores) and scores.duplicated(["method", "seed"]).any():
        twice = scores[scores.duplicated(["method", "seed"])].iloc[0]
        raise ValueError(f"{twice['method']} with seed {twice['seed']} has two records; remove one")
    return scores


def protocol_of(record: Record) -> str:
    """One line that says at which scale a run was made."""
    config, dataset = record["config"], record["dataset"]
    height, width = dataset["size"]
    head = " with the released head" if config["released_head"] else ""
    void = "void as a class; " if config.get("void_class") else ""
    images = ", ".join(f"{count} {split}" for split, count in dataset["images"].items())
    return (
        f"{dataset['name']} at {height}x{width} (height x width; {images} images; {void}"
        f"{config['protocol'] or 'default'} split, data seed {config['data_seed']}), "
        f"{config['model']} width {config['model_width']}{head}, "
        f"{config['epochs']} epochs, batch {config['batch_size']}, Adam "
        f"{config['learning_rate']:g} cosine, {config['precision']}, "
        f"{'mirrored at random' if config['augment'] else 'no augmentation'}"
    )


def paper_beside_ours(records: Iterable[Record], published: str | None, checkpoint: str = "best") -> pd.DataFrame:
    """Table 1 for one dataset: the paper beside our mean +- standard deviation over seeds, on the test split.

    ``published`` names a dataset of :data:`PUBLISHED_TABLE_1`, or is None where the paper has no such column. The
    published "Dice Err" stands beside both candidates for it. A method without a record reads "not run".
    """
    scores = table_1_scores(records, checkpoint)
    rows = {}
    for method in TABLE_1_METHODS:
        runs = scores[scores["method"] == method.label] if len(scores) else scores
        miou, accuracy, dice = PUBLISHED_TABLE_1[published][method.label] if published else ("-", "-", "-")
        rows[method.label] = {
            ("mIoU %", "paper"): miou,
            ("mIoU %", "ours"): _spread(runs, "miou", 2),
            ("pixel accuracy %", "paper"): accuracy,
            ("pixel accuracy %", "ours"): _spread(runs, "pixel_acc", 2),
            ('"Dice Err"', "paper"): dice,
            ("1 - mean Dice", "ours"): _spread(runs, "dice_err", 3),
            ("cross-entropy, nats", "ours"): _spread(runs, "cross_entropy", 3),
            ("tail mIoU %", "ours"): _spread(runs, "miou_tail", 2),
            ("seeds", "ours"): len(runs),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")


def _spread(runs: pd.DataFrame, name: str, digits: int) -> str:
    if not len(runs):
        return "not run"
    mean = f"{runs[name].mean():.{digits}f}"
    return f"{mean} ± {runs[name].std(ddof=1):.{digits}f}" if len(runs) > 1 else mean

"""Tables from records: the scores of runs, their means over seeds, which winner is clear, and their export."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from patlib.experiments.finished import Runs, finished_records
from patlib.experiments.grids import cell_config, get_grid
from patlib.experiments.statistics import holm, paired_difference
from patlib.files import replacing
from patlib.metrics import confusion_scores, frequency_groups
from patlib.trainer.config import RunConfig
from patlib.trainer.records import Record

PERCENT = ("miou", "pixel_acc", "mean_acc", "mean_dice", "miou_head", "miou_medium", "miou_tail", "released_miou")
COLUMNS = {
    "miou": "mIoU %",
    "pixel_acc": "pixel accuracy %",
    "dice_err": "1 - mean Dice",
    "cross_entropy": "cross-entropy, nats",
    "released_miou": "released mIoU %",
    "miou_tail": "tail mIoU %",
}
"""The scores that tables show, and how they are headed."""

LOWER_IS_BETTER = ("dice_err", "cross_entropy")
FEWEST_SEEDS = 3
"""Seeds that all rows must share before a winner can be clear."""
NOT_RUN = "not run"

LEVELS = {"table1": ["method"], "table2": ["method", "network"], "table3": ["network", "T"]}


def scores_of(record: Record, checkpoint: str = "best", split: str = "test") -> dict[str, float]:
    """Scores of one run: fractions as in :func:`patlib.metrics.confusion_scores`, head/medium/tail, cross-entropy.

    ``released_miou`` is the number that the paper's released code would report. A missing or undefined
    score is NaN. Raises ValueError for a checkpoint or split that the record does not have.
    """
    splits = {name: found["splits"] for name, found in record["checkpoints"].items()}
    if checkpoint not in splits or split not in splits[checkpoint]:
        known = f"checkpoints {', '.join(splits)}, and splits {', '.join(splits['best'])}"
        raise ValueError(f"no checkpoint {checkpoint!r} with a split {split!r}: the record has the {known}")
    measured = splits[checkpoint][split]
    scores = confusion_scores(torch.tensor(measured["confusion"]))
    iou = scores.pop("iou")
    groups = frequency_groups(record["dataset"]["class_pixels"], len(iou))
    tiers = {f"miou_{group}": float(iou[classes].nanmean()) for group, classes in groups.items()}
    stated = {name: measured.get(name) for name in ("cross_entropy", "released_miou")}
    others = {name: float("nan") if value is None else value for name, value in stated.items()}
    return {name: float(value) for name, value in scores.items()} | tiers | others


def grid_scores(
    grid: str,
    base: RunConfig,
    seeds: Iterable[int],
    folder: str | Path,
    checkpoint: str = "best",
    split: str = "test",
) -> pd.DataFrame:
    """The scores of a grid's finished runs, indexed by the cell's row and the seed; fractions are given in per cent.

    Only the records that :func:`~patlib.experiments.grids.grid_configs` names are read, so that runs at another scale
    in the same folder cannot slip in. A run without a record has no row. Raises ValueError as
    :func:`~patlib.trainer.records.read_record` and :func:`scores_of` do, and for runs on data that differ.
    """
    return run_scores(grid_runs(grid, base, seeds), folder, checkpoint, split)


def grid_runs(grid: str, base: RunConfig, seeds: Iterable[int]) -> Runs:
    """The runs of a grid at the scale of ``base``, as :func:`run_scores` takes them."""
    return {(*cell.row, seed): cell_config(grid, cell, base, seed) for seed in seeds for cell in get_grid(grid)}


def run_scores(runs: Runs, folder: str | Path, checkpoint: str = "best", split: str = "test") -> pd.DataFrame:
    """The same as :func:`grid_scores`, for runs that are named by the words of their row and their seed."""
    rows, index = [], []
    for key, record in finished_records(runs, folder):
        scores = scores_of(record, checkpoint, split)
        rows.append(scores | {name: 100 * scores[name] for name in PERCENT})
        index.append(key)
    levels = [f"level {depth}" for depth in range(len(next(iter(runs))) - 1)]
    return pd.DataFrame(rows, index=pd.MultiIndex.from_tuples(index, names=[*levels, "seed"]) if index else None)


def grid_protocol(grid: str, base: RunConfig, seeds: Iterable[int], folder: str | Path) -> str:
    """The scale at which a grid's runs were made (:func:`protocol_of` of the first that has a record), or "not run"."""
    return run_protocol(grid_runs(grid, base, seeds), folder)


def run_protocol(runs: Runs, folder: str | Path) -> str:
    """The same as :func:`grid_protocol`, for runs that are named."""
    return next((protocol_of(record) for _, record in finished_records(runs, folder)), NOT_RUN)


def run_caption(runs: Runs, folder: str | Path, checkpoint: str = "best", split: str = "test") -> str:
    """What a reader of :func:`run_scores` must know of its evidence, taken from the records.

    It states the checkpoint and the split that are scored, the seeds of a row, precisions and commits, what CamVid's
    validation set is, and that the learning rate was not tuned.
    """
    found = dict(finished_records(runs, folder))
    if not found:
        return "No run has a record yet."
    counts = Counter(key[:-1] for key in found)
    least, most = min(counts.values()), max(counts.values())
    seeds = f"{most} seed{'s' * (most > 1)}" if least == most else f"{least} to {most} seeds"
    commits = sorted({record["machine"].get("commit") or "unknown" for record in found.values()})
    precisions, rates = ({r["config"][name] for r in found.values()} for name in ("precision", "learning_rate"))
    camvid = {record["dataset"]["name"] for record in found.values()} == {"camvid"}
    clip = "The validation set of CamVid is one clip of a drive that is also in train. " if camvid else ""
    return (
        f"Scores of the {checkpoint} checkpoint, {split} split; {seeds} for each of {len(counts)} rows; "
        f"{' and '.join(sorted(precisions))}; commit {', '.join(commits)}. {clip}The learning rate, "
        f"{' or '.join(f'{rate:g}' for rate in sorted(rates))}, was not tuned for each method."
    )


def runs_of(scores: pd.DataFrame, row: tuple[str, ...]) -> pd.DataFrame:
    """The rows of one cell, indexed by seed; empty if there is none."""
    if not len(scores):
        return scores
    chosen = np.all([scores.index.get_level_values(depth) == word for depth, word in enumerate(row)], axis=0)
    return scores[chosen].droplevel(list(range(len(row))))


def summary(grid: str, scores: pd.DataFrame, names: Iterable[str] = tuple(COLUMNS)) -> pd.DataFrame:
    """The mean ± standard deviation over seeds of every cell as text, or "not run", and the number of seeds."""
    return row_summary([cell.row for cell in get_grid(grid)], scores, names, LEVELS.get(grid))


def row_summary(
    rows: Iterable[tuple[str, ...]],
    scores: pd.DataFrame,
    names: Iterable[str] = tuple(COLUMNS),
    levels: list[str] | None = None,
) -> pd.DataFrame:
    """The same as :func:`summary`, for rows that are named; ``levels`` are the headings of their words."""
    lines = {
        row: {COLUMNS[name]: mean_and_sd(runs_of(scores, row), name) for name in names}
        | {"seeds": len(runs_of(scores, row))}
        for row in rows
    }
    return framed(lines, levels)


def clear_winner(scores: pd.DataFrame, name: str) -> tuple[str, ...] | None:
    """The row with the best mean, if it is clearly better than every other row that was run; None otherwise.

    Rows are compared over the seeds that all of them share, which must be at least :data:`FEWEST_SEEDS`. "Clearly"
    means that each paired difference to another row (:func:`~patlib.experiments.statistics.paired_difference`) has a p
    value of at most 0.05 after Holm's adjustment for the number of these differences.
    """
    if not len(scores):
        return None
    sign = -1 if name in LOWER_IS_BETTER else 1
    by_seed = sign * scores[name].unstack("seed").dropna(axis="columns")
    if len(by_seed) < 2 or by_seed.shape[1] < FEWEST_SEEDS:
        return None
    best = by_seed.mean(axis="columns").idxmax()
    others = [row for row in by_seed.index if row != best]
    p_values = {row: paired_difference(by_seed.loc[best], by_seed.loc[row]).p_value for row in others}
    return _as_tuple(best) if all(p <= 0.05 for p in holm(p_values).values()) else None


def emphasised(scores: pd.DataFrame, table: pd.DataFrame) -> pd.io.formats.style.Styler:
    """A table with its clear winners (:func:`clear_winner`) in bold; renders as HTML and, by ``to_latex``, as LaTeX."""
    headings = {heading: name for name, heading in COLUMNS.items()}

    def bold(column: pd.Series) -> list[str]:
        heading = column.name if isinstance(column.name, tuple) else (column.name, "ours")
        name = headings.get(heading[0]) if heading[1] == "ours" else None
        winner = clear_winner(scores, name) if name else None
        return ["font-weight: bold" if _as_tuple(row) == winner else "" for row in column.index]

    # This name keeps the styles of a page's tables apart. It is made from the content, so that builds are equal.
    return table.style.apply(bold, axis=0).set_uuid(hashlib.sha256(table.to_csv().encode()).hexdigest()[:8])


def export(path: str | Path, scores: pd.DataFrame, table: pd.DataFrame) -> Path:
    """Write a table as ``.csv`` (plain) or ``.tex`` (a booktabs tabular, winners in bold); ValueError for others."""
    path = Path(path)
    if path.suffix == ".csv":
        text = table.to_csv()
    elif path.suffix == ".tex":
        text = emphasised(scores, table).format(escape="latex").format_index(escape="latex")
        text = text.format_index(escape="latex", axis=1).to_latex(hrules=True, convert_css=True)
    else:
        raise ValueError(f"a table is written as .csv or .tex; got {path.name!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def protocol_of(record: Record) -> str:
    """One line that states the scale at which a run was made."""
    config, dataset = record["config"], record["dataset"]
    height, width = dataset["size"]
    head = " with the released head" if config["released_head"] else ""
    channels = "" if config["model_width"] is None else f" width {config['model_width']}"  # a network of one's own
    void = "void as a class; " if config.get("void_class") else ""
    images = ", ".join(f"{count} {split}" for split, count in dataset["images"].items())
    return (
        f"{dataset['name']} at {height}x{width} (height x width; {images} images; {void}"
        f"{config['protocol'] or 'default'} split, data seed {config['data_seed']}), "
        f"{config['model']}{channels}{head}, {config['epochs']} epochs, batch {config['batch_size']}, "
        f"Adam {config['learning_rate']:g} cosine, {config['precision']}, "
        f"{'mirrored at random' if config['augment'] else 'no augmentation'}"
    )


def mean_and_sd(runs: pd.DataFrame, name: str) -> str:
    """A score's "mean ± standard deviation" over some runs; the mean alone of one run, a word for none."""
    if not len(runs):
        return NOT_RUN
    digits = 2 if name in PERCENT else 3
    mean = f"{runs[name].mean():.{digits}f}"
    return f"{mean} ± {runs[name].std(ddof=1):.{digits}f}" if len(runs) > 1 else mean


def framed(lines: dict[tuple[str, ...], dict[Any, Any]], levels: list[str] | None) -> pd.DataFrame:
    """Lines by row as a table, with an index of as many levels as a row has words, and columns likewise."""
    index = pd.MultiIndex.from_tuples(lines, names=levels)
    frame = pd.DataFrame(list(lines.values()), index=index if index.nlevels > 1 else index.get_level_values(0))
    if isinstance(frame.columns[0], tuple):
        frame.columns = pd.MultiIndex.from_tuples(frame.columns)
    return frame


def _as_tuple(row: Any) -> tuple[str, ...]:
    return row if isinstance(row, tuple) else (row,)

"""What one process of a run does: train epoch by epoch, keep what it takes to go on, measure, and leave a record."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from patlib.datasets import PreparedDataset
from patlib.files import read_tensors, sha256, write_json, write_tensors, write_weights
from patlib.losses import PixelLoss, loss_parameters
from patlib.models import count_parameters
from patlib.trainer import state
from patlib.trainer.batches import shuffled
from patlib.trainer.config import RunConfig
from patlib.trainer.evaluate import evaluate, measure
from patlib.trainer.group import share_buffers, sum_over_group
from patlib.trainer.run import Run, keep, open_dataset, open_run, spoilt, take_up
from patlib.trainer.step import NonFiniteError, train_epoch

KEEP_SECONDS = 180.0
"""How long an epoch may last before the state is kept within it."""

LOOK = 50
"""Steps after which the processes of a group ask the clock of the first, as all must keep their state at one step."""


def fit_rank(
    config: RunConfig,
    folder: Path,
    dataset: PreparedDataset | None,
    progress: bool,
    network: nn.Module | None,
    resume: bool,
    loss: PixelLoss | None = None,
) -> dict[str, Any]:
    """Train as :func:`patlib.trainer.fit` says, alone or as one process of a group; returns the record.

    The chapter ``notebooks/10_the_trainer.md`` builds up to this function, and reads it line by line.
    """
    run = open_run(config, folder, dataset or open_dataset(config, progress), network, loss)
    shown = progress and run.fabric.is_global_zero
    _begin_or_go_on(run, resume, shown)
    with _progress_bar(run, shown) as bar:
        while run.epoch < config.epochs:
            history = _train(run, bar)
            _validate(run, history)
            _refuse_non_finite(run)
            _keep_best(run)
            keep(run)
            bar.set_postfix(loss=f"{history.mean():.3f}", val_miou=f"{run.curves[-1]['val_miou']:.3f}")
    return _finish(run)


def _begin_or_go_on(run: Run, resume: bool, shown: bool) -> None:
    """With ``resume``, take up what an interrupted run left in the folder; otherwise remove it and begin anew.

    What a run left that was killed after it had written its record is removed in either case.
    """
    if run.fabric.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(run.fabric.device)
    if run.fabric.is_global_zero and state.is_of_the_record(run.folder):
        state.settle(run.folder)
    elif run.fabric.is_global_zero and not resume:
        state.sweep(run.folder, None)
    run.fabric.barrier()  # no process looks for a state before it is gone
    if take_up(run) and shown:  # said even where TQDM_DISABLE hides the bar, because it is one line and worth knowing
        tqdm.write(f"going on from epoch {run.epoch + 1} of {run.config.epochs}, step {len(run.losses) + 1}")


def _train(run: Run, bar: tqdm) -> np.ndarray:
    """Train to the end of the epoch; returns the loss of each of its steps."""
    config, started = run.config, time.perf_counter() - run.seconds
    rows, mirrored = shuffled(len(run.splits["train"].names), run.order, config.augment)
    done = len(run.losses) * config.batch_size

    def after_step(value: Tensor) -> None:
        run.schedule.step()
        run.losses.append(value)
        bar.update()
        if len(run.losses) < run.steps_an_epoch and _long_ago(run):
            run.seconds = time.perf_counter() - started
            keep(run)

    train_epoch(
        run.fabric, run.model, run.loss, run.optimizer, run.splits["train"],
        rows[done:], mirrored[done:], config.batch_size, after_step,
    )  # fmt: skip
    # Each process's value is the loss of its share times the number of processes; their mean is the whole batch's.
    # They are read back together, because asking for each loss would make the device wait for the host at every step.
    history = (sum_over_group(torch.stack(run.losses), run.fabric) / run.fabric.world_size).tolist()
    if not np.isfinite(history).all():
        raise _non_finite(run, history, rows.split(config.batch_size))
    run.seconds = time.perf_counter() - started
    return np.array(history)


def _long_ago(run: Run) -> bool:
    """Whether it is time to keep the state again; the answer is the same in all processes.

    Raises NonFiniteError where it is, and a loss or a weight is infinite or NaN.
    """
    late = time.perf_counter() - run.kept > KEEP_SECONDS
    if run.fabric.world_size > 1:
        if len(run.losses) % LOOK:
            return False
        late = bool(run.fabric.broadcast(torch.tensor(late, device=run.fabric.device)))
    if late:
        _refuse_to_keep_non_finite(run)
    return late


def _refuse_to_keep_non_finite(run: Run) -> None:
    """Raise NonFiniteError rather than let a state that cannot go on take the place of one that can."""
    losses, what = torch.stack(run.losses).tolist(), ""
    if not np.isfinite(losses).all():
        step = int(np.argmin(np.isfinite(losses)))
        what = f"the loss is {losses[step]} at epoch {run.epoch + 1}, step {step + 1}"
    elif wrong := spoilt(run):
        what = f"{wrong} is infinite or NaN at epoch {run.epoch + 1}, step {len(losses)}"
    if what:
        raise NonFiniteError(f"{what} of {run.steps_an_epoch}. {_last_good(run, run.epoch)}")


def _validate(run: Run, history: np.ndarray) -> None:
    """Measure the validation split, add the epoch to the curves, and count it as done."""
    started, num_classes = time.perf_counter(), len(run.class_pixels)
    share_buffers(run.network, run.fabric)
    with run.fabric.autocast():
        metrics = evaluate(run.network, run.splits["val"], num_classes, run.config.batch_size, run.forgetting)
    with metrics.sync_context():
        confusion = metrics.confusion.tolist()
    scores, forgotten = metrics.compute(), run.forgetting.next_epoch()
    run.curves.append({
        "epoch": run.epoch + 1,
        "train_loss": float(history.mean()),
        "val_miou": float(scores["miou"]),
        "val_pixel_acc": float(scores["pixel_acc"]),
        "val_cross_entropy": float(scores["cross_entropy"]),
        "val_confusion": confusion,
        "val_forgotten": forgotten if run.epoch else None,  # nothing has been known before the first
        "train_seconds": run.seconds,
        "val_seconds": time.perf_counter() - started,
    })  # fmt: skip
    run.epoch, run.losses, run.seconds = run.epoch + 1, [], 0.0
    run.order_before = run.order.get_state()


def _refuse_non_finite(run: Run) -> None:
    """Raise NonFiniteError if the epoch that is done left a weight, a moment or the validation loss infinite or NaN."""
    if wrong := spoilt(run):
        raise NonFiniteError(f"{wrong} is infinite or NaN after epoch {run.epoch}. {_last_good(run, run.epoch - 1)}")
    if not np.isfinite(cross_entropy := run.curves[-1]["val_cross_entropy"]):
        raise NonFiniteError(
            f"the validation cross-entropy is {cross_entropy} after epoch {run.epoch}. {_last_good(run, run.epoch - 1)}"
        )


def _keep_best(run: Run) -> None:
    """Write down the weights of the epoch that is done if none before it had as high a validation mIoU."""
    *before, now = (row["val_miou"] for row in run.curves)
    if now > max(before, default=-1.0) and run.fabric.is_global_zero:
        path = state.best_path(run.folder, run.epoch)
        path.parent.mkdir(exist_ok=True)
        run.best = run.epoch, write_weights(path, run.network)


def _finish(run: Run) -> dict[str, Any]:
    """Measure the last and the best weights on every split, and leave them with the record in the run's folder."""
    best = 1 + int(np.argmax([row["val_miou"] for row in run.curves]))
    last = {name: tensor.clone() for name, tensor in run.network.state_dict().items()}
    checkpoints: dict[str, dict[str, Any]] = {}
    for name, epoch in (("last", run.config.epochs), ("best", best)):
        weights = last if name == "last" else read_tensors(state.best_path(run.folder, best))[0]
        run.network.load_state_dict(weights)
        measured = {
            split: measure(
                run.network, rows, run.class_pixels, run.config.batch_size, run.fabric, train=split == "train"
            )
            for split, rows in run.splits.items()
        }
        checkpoints[name] = {"epoch": epoch, "splits": measured}
    run.fabric.barrier()  # all have read the best weights
    by_name = {**loss_parameters(run.config.loss), **run.config.loss_parameters}
    record = {
        "config": run.settings,
        "loss_parameters": by_name if run.settings["loss"] == run.config.loss else None,
        "dataset": run.dataset,
        "parameters": count_parameters(run.network),
        "curves": run.curves,
        "checkpoints": checkpoints,
        "machine": _machine(run),
    }
    if run.fabric.is_global_zero:
        checkpoints["best"]["sha256"] = sha256(state.best_path(run.folder, best))
        checkpoints["last"]["sha256"] = write_tensors(state.last_path(run.folder), last)
        # An earlier record has stayed until now, and so have its weights. With this line the new ones hold.
        write_json(run.folder / "record.json", record)
        state.settle(run.folder)
    run.fabric.barrier()
    return record


def _machine(run: Run) -> dict[str, Any]:
    """The machine of the run's last stretch, and those of earlier stretches if they differ."""
    device = run.fabric.device
    peak = {"peak_memory_bytes": torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None}
    return run.machines[-1] | peak | ({"before": run.machines[:-1]} if len(run.machines) > 1 else {})


def _progress_bar(run: Run, shown: bool) -> tqdm:
    quiet = {} if shown else {"disable": True}  # not disable=False, which would overrule the variable TQDM_DISABLE
    total = run.config.epochs * run.steps_an_epoch
    loss = getattr(run.loss, "name", type(run.loss).__name__)
    return tqdm(total=total, initial=run.steps, desc=f"{loss} on {run.dataset['name']}", unit="step", **quiet)


def _non_finite(run: Run, history: list[float], batches: tuple[Tensor, ...]) -> NonFiniteError:
    step = int(np.argmin(np.isfinite(history)))
    images = ", ".join(run.splits["train"].names[row] for row in batches[step].tolist())
    return NonFiniteError(
        f"the loss is {history[step]} at epoch {run.epoch + 1}, step {step + 1} of {len(batches)}, on the images "
        f"{images}. {_last_good(run, run.epoch)}"
    )


def _last_good(run: Run, epoch: int) -> str:
    path, within = run.folder / state.FOLDER / "state.safetensors", run.kept_steps - epoch * run.steps_an_epoch
    when = f"epoch {epoch}" + (f" and {within} steps" if within > 0 else "")
    good = f"{path} (after {when})" if run.kept_steps else "none: it was the first epoch"
    return f"Last good weights: {good}. Lower learning_rate, or use precision='fp32'."

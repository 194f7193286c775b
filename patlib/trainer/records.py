"""The record of a run, read back from its folder and checked as a whole.

A run owns one folder: ``record.json``, ``best.safetensors``, ``last.safetensors`` and, when papermill ran it, the
executed notebook. The record is written last, so a folder with a record is a finished run.

Tables are no better than the records that they read, so a record that contradicts itself is refused. Its
configuration and its lengths must fit together, and a class must have as many true pixels in one confusion matrix of a
split as in any other.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from patlib.losses import loss_parameters
from patlib.metrics import confusion_scores
from patlib.trainer.config import RunConfig
from patlib.trainer.counts import unpack_counts

Record = dict[str, Any]
MODEL_SETTINGS = ("model", "model_width", "released_head")
MAX_BYTES = 64 * 2**20
"""A record of 100 epochs with 1,000 test images has less than 2 MiB."""
MAX_COUNTS = 50_000_000
"""Counts that the matrices of a split's images may unpack to: Cityscapes' 500 images have 200,000."""

Count = Annotated[int, Field(ge=0, lt=2**53)]
Positive = Annotated[int, Field(ge=1, lt=2**53)]
Confusion = Annotated[list[list[Count]], Field(min_length=2, max_length=256)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
# The first records hold NaN for an undefined value, and later ones null.
NAN_AS_NONE = BeforeValidator(lambda value: None if isinstance(value, float) and value != value else value)


class _Part(BaseModel):
    # Other keys may come with later versions.
    model_config = ConfigDict(strict=True, extra="ignore")


class _Measured(_Part):
    confusion: Confusion
    cross_entropy: Annotated[Annotated[float, Field(ge=0, allow_inf_nan=False)] | None, NAN_AS_NONE]
    released_miou: Annotated[Fraction | None, NAN_AS_NONE] = None
    shifted: dict[str, Confusion] = {}
    images: dict[str, Any] | None = None


class _Checkpoint(_Part):
    epoch: Positive
    splits: dict[str, _Measured]
    sha256: Digest | None = None


class _Checkpoints(_Part):
    best: _Checkpoint
    last: _Checkpoint


class _Dataset(_Part):
    name: str
    classes: Annotated[list[str], Field(min_length=2, max_length=256)]
    size: Annotated[list[Positive], Field(min_length=2, max_length=2)]
    class_pixels: list[Count]
    images: dict[str, Count]
    digest: str | None = None


class _Epoch(_Part):
    epoch: Positive
    train_loss: Finite
    val_miou: Fraction
    val_pixel_acc: Fraction
    val_cross_entropy: Finite
    train_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    val_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    val_confusion: Confusion | None = None
    val_forgotten: list[Count] | None = None


class _Machine(_Part):
    device: str
    threads: Positive
    commit: str | None = None


class _Record(_Part):
    config: dict[str, Any]
    loss_parameters: dict[str, Any] | None
    """None for a loss that was handed to `fit`."""
    dataset: _Dataset
    parameters: Positive
    curves: Annotated[list[_Epoch], Field(min_length=1, max_length=1_000_000)]
    checkpoints: _Checkpoints
    machine: _Machine


def read_records(folder: str | Path) -> list[Record]:
    """Every record below a folder, sorted by path; ValueError for a file that is not a whole record."""
    return [read_record(path) for path in sorted(Path(folder).rglob("record.json"))]


def read_record(path: str | Path, config: RunConfig | None = None) -> Record:
    """The record in a file; with ``config``, only if it is the record of that run.

    Raises ValueError, which names the file, for a file that is no whole record, for a record that contradicts itself,
    and for the record of another run or of a run on another dataset. Settings that its configuration does not state,
    because they came later, have their defaults.
    """
    try:
        size = Path(path).stat().st_size
        if not Path(path).is_file():  # but a folder, a device or a pipe, of which to read would wait for a writer
            raise ValueError("it is no file")
        if size > MAX_BYTES:
            raise ValueError(f"it has {size} bytes, and no record more than {MAX_BYTES}")
        record: Record = json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=_once)
        own = _checked(record)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is not a run record ({_reason(error)}); remove it and run that cell again") from error
    was = own.run_path if record["loss_parameters"] is not None else record["config"]["loss"]
    if config is not None and was != config.run_path:
        raise ValueError(
            f"{path} is the record of another run, {was}, and not of {config.run_path}: move it to its own "
            "folder, or remove it and run that cell again"
        )
    if config is not None and record["dataset"]["name"] != config.dataset_name:
        raise ValueError(
            f"{path} is the record of a run on {record['dataset']['name']!r}, and not on {config.dataset_name!r}, as "
            "its folder says: move it to a folder of its own, or remove it and run that cell again"
        )
    defaults = {name: field.default for name, field in RunConfig.model_fields.items() if name != "loss_parameters"}
    return {**record, "config": {**defaults, **record["config"]}}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, whose names must differ: of two that are alike the reader would choose."""
    if len(content := dict(pairs)) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"it has {max(names, key=names.count)!r} twice in one object")
    return content


def _checked(content: Any) -> RunConfig:
    """The configuration of a record; ValueError for content that no run can have written."""
    record = _Record.model_validate(content)
    settings = record.config
    if settings["model_width"] is None:  # the network was handed to fit, and no configuration builds it
        settings = {name: value for name, value in settings.items() if name not in MODEL_SETTINGS}
    if record.loss_parameters is None:  # so was the loss
        settings = {name: value for name, value in settings.items() if name != "loss"}
    config = RunConfig(**settings)
    effective = {**loss_parameters(config.loss), **config.loss_parameters}
    for name, value in (record.loss_parameters or {}).items():
        if name not in effective or effective[name] != value:
            raise ValueError(f"loss_parameters says {name!r}: {value!r}, and the configuration makes another loss")
    epochs = [row.epoch for row in record.curves]
    if epochs != list(range(1, config.epochs + 1)):
        raise ValueError(f"the curves must have the epochs 1 to {config.epochs}, one after another")
    best, last = record.checkpoints.best, record.checkpoints.last
    if last.epoch != config.epochs or best.epoch > config.epochs:
        raise ValueError(f"the last checkpoint must be of epoch {config.epochs}, and the best of one of 1 to that")
    if not record.dataset.images.keys() == best.splits.keys() == last.splits.keys() >= {"train", "val"}:
        raise ValueError("dataset.images and both checkpoints must have the same splits, train and val among them")
    _check_pixels(record)
    return config


def _check_pixels(record: _Record) -> None:
    """Raise ValueError unless the true pixels of each class are as many in all matrices of a split."""
    num_classes, dataset = len(record.dataset.classes), record.dataset
    true: dict[str, np.ndarray] = {"train": np.array(dataset.class_pixels)}
    if true["train"].shape != (num_classes,):
        raise ValueError(f"dataset.class_pixels must have one count a class, {num_classes}; got {len(true['train'])}")
    images: dict[str, np.ndarray] = {}
    for name, checkpoint in {"best": record.checkpoints.best, "last": record.checkpoints.last}.items():
        for split, measured in checkpoint.splits.items():
            where = f"checkpoints.{name}.splits.{split}"
            confusion = _matrix(f"{where}.confusion", measured.confusion, num_classes)
            expected = true.setdefault(split, confusion.sum(1))
            matrices = {"confusion": confusion} | {
                f"shifted.{tau}": _matrix(f"{where}.shifted.{tau}", matrix, num_classes)
                for tau, matrix in measured.shifted.items()
            }
            if measured.images is not None:
                counts = _image_counts(where, measured.images, dataset.images[split], num_classes)
                if not np.array_equal(counts.sum(0), confusion):
                    raise ValueError(f"{where}.images does not add up to its confusion matrix")
                if not np.array_equal(images.setdefault(split, counts.sum(2)), counts.sum(2)):
                    raise ValueError(f"{where}.images has other true pixels than those of the other checkpoint")
            _compare_rows(matrices, expected, where)
    for row in record.curves:
        if row.val_confusion is not None:
            where = f"curves, epoch {row.epoch}"
            confusion = _matrix(where, row.val_confusion, num_classes)
            _compare_rows({"val_confusion": confusion}, true["val"], where)
            counted = confusion_scores(torch.from_numpy(confusion))
            for name in ("miou", "pixel_acc"):
                if not math.isclose(stated := getattr(row, f"val_{name}"), float(counted[name]), abs_tol=1e-6):
                    raise ValueError(f"{where}: val_{name} is {stated}, and its confusion matrix gives {counted[name]}")


def _matrix(where: str, confusion: list[list[int]], num_classes: int) -> np.ndarray:
    if len(confusion) != num_classes or any(len(row) != num_classes for row in confusion):
        raise ValueError(f"{where} must be a matrix {num_classes} x {num_classes}, one row and one column a class")
    return np.array(confusion)


def _image_counts(where: str, packed: Mapping[str, Any], num_images: int, num_classes: int) -> np.ndarray:
    shape = (num_images, num_classes, num_classes)
    if packed.get("shape") != list(shape) or num_images * num_classes**2 > MAX_COUNTS:
        raise ValueError(f"{where}.images must have the shape {shape} and at most {MAX_COUNTS} counts")
    return unpack_counts(dict(packed))


def _compare_rows(matrices: Mapping[str, np.ndarray], expected: np.ndarray, where: str) -> None:
    for name, matrix in matrices.items():
        if not np.array_equal(matrix.sum(1), expected):
            raise ValueError(f"{where}: the true pixels of the classes in {name} differ from those of the split")


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, ValidationError):  # its text has a line for each of perhaps thousands of errors
        first, *others = error.errors(include_url=False, include_input=False)
        place = ".".join(map(str, first["loc"]))
        return f"{place}: {first['msg']}" + (f", and {len(others)} more" if others else "")
    return f"no {error}" if isinstance(error, KeyError) else str(error)

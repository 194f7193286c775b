"""What a run is: one flat, strict set of plain values that papermill, a command line and a grid can all state."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from patlib.datasets import DATASETS, get_spec
from patlib.datasets.own import is_folder, slug
from patlib.losses import build_loss, loss_parameters
from patlib.models import MODELS, check_released_head


class RunConfig(BaseModel):
    """One training run. An unknown name, a wrong type or a value out of range raises ValueError.

    The defaults follow the paper where it says something (SegNet, 100 rounds, seed 0) and its released code where it
    does not (width 32, Adam at 1e-3 with a cosine schedule). Batch size and mirroring are ours. A loss parameter left
    at None takes the loss's own default; one that the chosen loss does not have is an error.

    Example:
        >>> from patlib.trainer import RunConfig
        >>> config = RunConfig(dataset="camvid", loss="focal", gamma=3, epochs=20)
        >>> config.loss_parameters
        {'gamma': 3.0}
        >>> config.run_path.as_posix()
        'camvid/focal-segnet-seed0-29cf71b9'
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    dataset: str = "synthetic"
    """A built-in dataset's name, or the path of a folder with a ``patlib.toml``, which is made absolute."""
    protocol: str | None = None
    """How the dataset is split; its own default if None."""
    data_seed: int = Field(default=0, ge=0)
    """Draws the synthetic scenes and the splits of most real datasets: not the seed of training."""
    image_height: int | None = Field(default=None, ge=16)
    image_width: int | None = Field(default=None, ge=16)
    """Size in pixels; the dataset's default if both are None."""

    void_class: bool = False
    """Whether void is one more class, as in the released code (20 classes on Cityscapes, 14 on NYUv2), or ignored."""

    model: str = "segnet"
    model_width: int = Field(default=32, ge=1)
    """Channels of the first stage."""
    released_head: bool = False
    """Whether SegNet ends in batch norm and ReLU, as in the released code; an error with any other model."""

    loss: str = "pat"
    gamma: float | None = None
    beta: float | None = None
    power: float | None = None
    max_margin: float | None = None
    scale: float | None = None
    sigma: float | None = None
    law: str | None = None
    T: float | None = None
    eps: float | None = None
    detach: bool | None = None
    size_weight: bool | None = None
    adaptive: bool | None = None
    alpha: float | None = None

    epochs: int = Field(default=100, ge=1)
    batch_size: int = Field(default=8, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0, le=1, allow_inf_nan=False)
    """Adam's first steps move every weight by about this much, and a weight is smaller than 1: above 1 nothing of the
    initial weights is left after a step."""
    augment: bool = True
    """Mirror each training image left to right with probability one half."""
    seed: int = Field(default=0, ge=0)
    """Draws the initial weights, the order of the images, the mirroring and BLV's noise."""

    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: int = Field(default=1, ge=1)
    """GPUs (on a CPU: processes) that share each batch."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    compile: bool = False
    """Whether torch.compile is applied to model and loss: pays on a GPU and on long runs."""

    @field_validator("dataset")
    @classmethod
    def _dataset_is_known(cls, name: str) -> str:
        if name not in DATASETS and is_folder(name):  # not looked into: records are read where the data are not
            return str(Path(name).expanduser().resolve())
        return get_spec(name).name

    @field_validator("model")
    @classmethod
    def _model_is_known(cls, name: str) -> str:
        if name not in MODELS:
            raise ValueError(f"unknown model {name!r}; known: {', '.join(MODELS)}")
        return name

    @model_validator(mode="after")
    def _fits_together(self) -> RunConfig:
        build_loss(self.loss, 2, [1, 1], **self.loss_parameters)  # checks names and values
        check_released_head(self.model, self.released_head)
        if self.devices > self.batch_size:
            raise ValueError(
                f"{self.devices} devices cannot share a batch of {self.batch_size} images; enlarge batch_size"
            )
        if (self.image_height is None) != (self.image_width is None):
            raise ValueError("image_height and image_width must be given together, or neither")
        return self

    @property
    def loss_parameters(self) -> dict[str, Any]:
        """The loss parameters that were set; the loss's own defaults fill in the rest."""
        values = {name: getattr(self, name) for name in LOSS_PARAMETERS}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(H, W), or None for the dataset's default."""
        if self.image_height is None or self.image_width is None:
            return None
        return self.image_height, self.image_width

    @property
    def dataset_name(self) -> str:
        """What the dataset is called: of a folder, its own name as a part of a path."""
        return slug(Path(self.dataset).name) if Path(self.dataset).is_absolute() else self.dataset

    @property
    def run_name(self) -> str:
        """A folder name that differs between any two different runs, e.g. ``pat-segnet-seed0-1a2b3c4d``.

        Where it runs (``accelerator``) does not make it another run, nor does stating a loss's default. The number of
        devices does: BLV's noise is each process's own, and so is batch normalisation on CPUs.
        """
        # Runs from before there were these fields keep their names.
        later = {"void_class": (False,), "devices": (1,), "alpha": (None, 1.0), "power": (None,)}
        effective = self.model_dump(exclude={"accelerator"}) | loss_parameters(self.loss) | self.loss_parameters
        effective = {name: value for name, value in effective.items() if value not in later.get(name, ())}
        digest = hashlib.sha256(json.dumps(effective, sort_keys=True).encode()).hexdigest()[:8]
        return f"{self.loss}-{self.model}-seed{self.seed}-{digest}"

    @property
    def run_path(self) -> Path:
        """The run's folder, relative to the folder that holds all runs: ``<dataset>/<run name>``."""
        return Path(self.dataset_name) / self.run_name


LOSS_PARAMETERS = (
    "gamma", "beta", "power", "max_margin", "scale", "sigma", "law", "T", "eps", "detach", "size_weight", "adaptive",
    "alpha",
)  # fmt: skip

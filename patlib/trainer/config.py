"""What a run is: one strict set of plain values, which papermill, a command line, a grid and a record can all state."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from patlib.datasets import DATASETS, get_spec
from patlib.datasets.own import absolute, slug
from patlib.datasets.own_file import is_folder
from patlib.losses import build_loss, loss_parameters
from patlib.models import MODELS, check_released_head
from patlib.names import nearest
from patlib.trainer.parameters import FrozenMap, all_parameters, check_names, typed_parameters


class RunConfig(BaseModel):
    """One training run. An unknown name, a wrong type or a value out of range raises ValueError.

    The defaults follow the paper where it says something (SegNet, 100 rounds, seed 0) and its released code where it
    does not (width 32, Adam at 1e-3 with a cosine schedule). Batch size and mirroring are ours.

    The parameters of the loss are one field, ``loss_parameters``, and stand beside the other settings wherever a
    configuration is written: ``RunConfig(loss="focal", gamma=3)`` is
    ``RunConfig(loss="focal", loss_parameters={"gamma": 3})``, and both are dumped as ``{"loss": "focal", "gamma": 3.0,
    ...}``. So a record states what a command line states. A parameter that is None takes the loss's own default, and
    one that the chosen loss does not have is an error.

    Example:
        >>> from patlib.trainer import RunConfig
        >>> config = RunConfig(dataset="camvid", loss="focal", gamma=3, epochs=20)
        >>> config.loss_parameters
        {'gamma': 3.0}
        >>> config.run_path.as_posix()
        'camvid/focal-segnet-seed0-29cf71b9'
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True, arbitrary_types_allowed=True
    )

    dataset: str = "synthetic"
    """A built-in dataset, or a folder with a patlib.toml, whose path is made absolute."""
    protocol: str | None = None
    """How the dataset is split; the dataset's own default if not given."""
    data_seed: int = Field(default=0, ge=0)
    """Seed of the synthetic scenes and of the splits of most real datasets; training has a seed of its own."""
    image_height: int | None = Field(default=None, ge=16)
    """Pixels, given together with image_width; the dataset's default if neither is given."""
    image_width: int | None = Field(default=None, ge=16)
    """Pixels, given together with image_height."""
    void_class: bool = False
    """Whether void is one more class, as in the released code (20 on Cityscapes, 14 on NYUv2), or is ignored."""

    model: str = "segnet"
    """The network."""
    model_width: int = Field(default=32, ge=1)
    """Channels of the network's first stage."""
    released_head: bool = False
    """Whether SegNet ends in batch norm and ReLU, as in the released code; an error with any other network."""

    loss: str = "pat"
    """What is minimised."""
    loss_parameters: Annotated[Mapping[str, Any], PlainSerializer(dict)] = Field(
        default=FrozenMap({}), validate_default=True
    )
    """The parameters of the loss that were set; the loss's own defaults fill in the rest."""

    epochs: int = Field(default=100, ge=1)
    """Passes over the training set."""
    batch_size: int = Field(default=8, ge=1)
    """Images in a step, on all devices together."""
    # Adam's first steps move every weight by about the rate, and a weight is smaller than 1: above 1 nothing of the
    # initial weights is left after a step.
    learning_rate: float = Field(default=1e-3, gt=0, le=1, allow_inf_nan=False)
    """Adam's learning rate at the first step, at most 1; it falls to 0 along a cosine."""
    augment: bool = True
    """Whether each training image is mirrored left to right with probability one half."""
    seed: int = Field(default=0, ge=0)
    """Seed of the initial weights, the order of the images, the mirroring and BLV's noise."""

    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """The kind of device that computes; auto takes a GPU if there is one."""
    devices: int = Field(default=1, ge=1)
    """GPUs (on a CPU: processes) that share each batch."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Precision of the network's arithmetic in training; the final measurements are made in fp32."""
    compile: bool = False
    """Whether torch.compile is applied to model and loss, which pays on a GPU and in long runs."""

    if TYPE_CHECKING:  # type checkers would take the parameters of losses for errors

        def __init__(
            self, *, dataset: str = ..., protocol: str | None = ..., data_seed: int = ...,
            image_height: int | None = ..., image_width: int | None = ..., void_class: bool = ..., model: str = ...,
            model_width: int = ..., released_head: bool = ..., loss: str = ...,
            loss_parameters: Mapping[str, Any] = ..., epochs: int = ..., batch_size: int = ...,
            learning_rate: float = ..., augment: bool = ..., seed: int = ...,
            accelerator: Literal["auto", "cpu", "cuda", "mps"] = ..., devices: int = ...,
            precision: Literal["fp32", "bf16", "fp16"] = ..., compile: bool = ..., **of_the_loss: Any,
        ) -> None: ...  # fmt: skip

    @model_validator(mode="before")
    @classmethod
    def _gather_loss_parameters(cls, given: Any) -> Any:
        """Put the parameters of losses that stand beside the other settings into their own field."""
        if not isinstance(given, dict):
            return given
        for name, value in given.items():
            # Of bytes on a command line that are no text; neither a record nor an error of pydantic's can hold them.
            if isinstance(value, str) and value != value.encode(errors="ignore").decode():
                raise ValueError(f"{name} must be text that UTF-8 can write; got {value!a}")
        settings = {name: value for name, value in given.items() if name in cls.model_fields}
        beside = {name: value for name, value in given.items() if name not in cls.model_fields}
        known = all_parameters()
        for name in beside:
            if name not in known:
                raise ValueError(unknown_setting(name))
        inside = settings.get("loss_parameters", {})
        if not isinstance(inside, dict | FrozenMap):
            raise ValueError(f"loss_parameters is a dict such as {{'T': 20.0}}; got {inside!r}")
        for name in inside:
            if not isinstance(name, str):
                raise ValueError(f"loss_parameters names its values by text, such as {{'T': 20.0}}; got {name!r}")
        for name in inside.keys() & {name for name, value in beside.items() if value is not None}:
            raise ValueError(f"{name} is given twice, by itself and in loss_parameters")
        return {**settings, "loss_parameters": {**beside, **inside}}

    @field_validator("dataset")
    @classmethod
    def _dataset_is_known(cls, name: str) -> str:
        if name not in DATASETS and is_folder(name):  # not opened: a record may be read where the data are not
            folder = absolute(name)
            if slug(folder.name) in ("", ".", ".."):
                raise ValueError(f"{name!r} has no name that a run's folder could have: give the dataset's own folder")
            return str(folder)
        return get_spec(name).name

    @field_validator("model")
    @classmethod
    def _model_is_known(cls, name: str) -> str:
        if name not in MODELS:
            raise ValueError(f"unknown model {name!r}; known: {', '.join(MODELS)}")
        return name

    @field_validator("loss")
    @classmethod
    def _loss_is_known(cls, name: str) -> str:
        check_names(name, cls.model_fields)
        return name

    @field_validator("loss_parameters", mode="plain")
    @classmethod
    def _parameters_have_their_types(cls, given: Any, info: ValidationInfo) -> FrozenMap:
        return typed_parameters(info.data["loss"], given) if "loss" in info.data else FrozenMap({})

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

    @model_serializer(mode="wrap")
    def _loss_parameters_beside(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Write the parameters of the loss beside the other settings, as they are given and as records have them."""
        content = dump(self)
        parameters = content.pop("loss_parameters", {})
        return {**content, **parameters}

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(H, W), or None for the dataset's default."""
        if self.image_height is None or self.image_width is None:
            return None
        return self.image_height, self.image_width

    @property
    def dataset_name(self) -> str:
        """The dataset's name; for a folder, the folder's own name in letters that fit a path."""
        return slug(Path(self.dataset).name) if Path(self.dataset).is_absolute() else self.dataset

    @property
    def run_name(self) -> str:
        """A folder name that differs between any two different runs, e.g. ``pat-segnet-seed0-1a2b3c4d``.

        The accelerator does not make it another run, nor does stating the default of a loss's parameter. The number of
        devices does, because each process draws noise of its own for BLV and, on CPUs, normalises its part of a batch.
        """
        settings = self.model_dump(exclude={"accelerator", "loss_parameters"})
        effective = {**settings, **ALWAYS_NAMED, **loss_parameters(self.loss), **self.loss_parameters}
        effective = {name: value for name, value in effective.items() if (name, value) not in NEVER_NAMED}
        digest = hashlib.sha256(json.dumps(effective, sort_keys=True).encode()).hexdigest()[:8]
        return f"{self.loss}-{self.model}-seed{self.seed}-{digest}"

    @property
    def run_path(self) -> Path:
        """The run's folder, relative to the folder that holds all runs: ``<dataset>/<run name>``."""
        return Path(self.dataset_name) / self.run_name


# Runs keep the names under which they were stored. When the first runs were named, the digest of every run contained
# the parameters in ALWAYS_NAMED, whatever its loss, and the settings in NEVER_NAMED did not exist.
ALWAYS_NAMED = dict.fromkeys(
    ("gamma", "beta", "max_margin", "scale", "sigma", "law", "T", "eps", "detach", "size_weight", "adaptive")
)
NEVER_NAMED = (("void_class", False), ("devices", 1), ("alpha", 1.0), ("power", None))


def setting_names() -> list[str]:
    """The names of everything that a run can be told, the parameters of all losses among them."""
    names = [name for name in RunConfig.model_fields if name != "loss_parameters"]
    return [*names, *all_parameters()]


def unknown_setting(name: str) -> str:
    """The message for a name that is no setting, with the nearest setting or, if none is near, all of them."""
    meant = nearest(name, setting_names())
    hint = f"did you mean {meant!r}?" if meant else f"there are {', '.join(setting_names())}"
    return f"there is no setting {name!r}; {hint}"

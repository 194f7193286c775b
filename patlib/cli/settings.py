"""The settings of a run on a command line: what the help says of each, and a configuration from their texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_args, get_origin

if TYPE_CHECKING:
    from patlib.trainer.config import RunConfig


class Setting(NamedTuple):
    """One setting as the help of a command describes it."""

    type: Any
    """The type that the field of the configuration or the constructor of the loss states."""
    default: str
    """The default as a text; empty if the meaning states it."""
    meaning: str
    panel: str
    """The box of the help in which it stands."""

    @property
    def type_text(self) -> str:
        """What may be written as its value, such as ``int``, ``true|false`` or ``auto|cpu|cuda|mps``."""
        kind = get_args(self.type)[0] if get_origin(self.type) is Annotated else self.type
        if isinstance(kind, UnionType):
            kind = next(part for part in get_args(kind) if part is not NoneType)
        if get_origin(kind) is Literal:
            return "|".join(get_args(kind))
        return "true|false" if kind is bool else getattr(kind, "__name__", str(kind))


def run_settings() -> dict[str, Setting]:
    """Every setting of a run by name: the fields of the configuration, and the parameters of all losses."""
    from patlib.datasets import DATASETS
    from patlib.losses import LOSSES, loss_parameters
    from patlib.models import MODELS
    from patlib.trainer.config import RunConfig
    from patlib.trainer.parameters import all_parameters, parameter_type

    known: dict[str, Iterable[str]] = {"dataset": DATASETS, "model": MODELS, "loss": LOSSES}
    settings = {}
    for name, field in RunConfig.model_fields.items():
        if name != "loss_parameters":
            meaning = " ".join(f"{field.description}".split())
            meaning += f" Known: {', '.join(known[name])}." if name in known else ""
            settings[name] = Setting(field.annotation, _text(field.default), meaning, "Settings of a run")
    for name, losses in all_parameters().items():
        kind = parameter_type(losses[0], name)
        meaning = kind.__metadata__[0] if get_origin(kind) is Annotated else ""
        defaults = dict.fromkeys(_text(loss_parameters(loss)[name]) for loss in losses)
        settings[name] = Setting(kind, " or ".join(defaults), meaning, f"Parameters of {', '.join(losses)}")
    return settings


def _text(value: Any) -> str:
    """A value as it is written on a command line."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def parse_config(settings: Mapping[str, str]) -> RunConfig:
    """The configuration that texts state, by the names of settings; ValueError, which names every wrong option."""
    from pydantic import TypeAdapter, ValidationError

    from patlib.trainer.config import RunConfig

    kinds = {name: setting.type for name, setting in run_settings().items()}
    values, wrong = {}, []
    for name, text in settings.items():
        try:
            values[name] = TypeAdapter(kinds[name]).validate_strings(text)
        except ValidationError as error:
            wrong.append(f"--{name}: {error.errors()[0]['msg']}; got {text!r}")
    if wrong:
        raise ValueError("\n".join(wrong))
    try:
        return RunConfig(**values)
    except ValidationError as error:
        raise ValueError("\n".join(_said(each) for each in error.errors())) from error


def _said(error: Mapping[str, Any]) -> str:
    """The message of an error: that of a field names the option and its value, and that of the whole stays as it is."""
    message = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"] or error["type"] == "value_error":  # our own messages already say what was given
        return message
    return f"--{error['loc'][0]}: {message}; got {error['input']!r}"


def parse_grid(name: str, settings: Mapping[str, str], seeds: list[str]) -> tuple[RunConfig, list[int]]:
    """The base configuration and the seeds that the options of a grid state.

    Raises ValueError for an option that the grid decides itself, for a seed that is no whole number, and for what
    :func:`parse_config` refuses.
    """
    from patlib.experiments.grids import fields_set_by

    for field in sorted(fields_set_by(name) & settings.keys()):
        raise ValueError(f"--{field}: {name} sets that itself; seeds are given as --seeds 0 1 2")
    if not all(seed.isdecimal() for seed in seeds):
        raise ValueError(f"--seeds takes whole numbers from 0, such as --seeds 0 1 2; got {' '.join(seeds)}")
    return parse_config(settings), [int(seed) for seed in seeds]

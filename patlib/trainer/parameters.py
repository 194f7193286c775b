"""The parameters of a loss as one part of a configuration: named and typed by the loss itself, checked, and frozen."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from patlib.losses import LOSSES, loss_signature

Value = float | int | bool | str


class FrozenMap(Mapping[str, Any]):
    """A mapping that equals a dict of the same items and cannot be changed, so that a configuration can be a key."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:
        return repr(self._values)


def all_parameters() -> dict[str, list[str]]:
    """Every parameter that some loss takes, and the losses that take it: ``{"gamma": ["focal", "cbfocal"], ...}``."""
    takers: dict[str, list[str]] = {}
    for loss in LOSSES:
        for name in loss_signature(loss):
            takers.setdefault(name, []).append(loss)
    return takers


def parameter_type(loss: str, name: str) -> Any:
    """The type that a loss's constructor states for a parameter or, where it states none, the type of the default."""
    parameter = loss_signature(loss)[name]
    return type(parameter.default) if parameter.annotation is parameter.empty else parameter.annotation


def typed_parameters(loss: str, given: Mapping[str, Any]) -> FrozenMap:
    """The parameters that are not None, each in the type of the loss's constructor: a whole number becomes a float.

    A name that the loss does not take is passed on unchanged, because :func:`patlib.losses.build_loss` refuses it and
    names those that the loss takes. Raises ValueError for a value of a wrong type, or one that is no plain value.
    """
    own = loss_signature(loss)
    typed = {}
    for name, value in given.items():
        if value is None:
            continue
        if name in own:
            try:
                value = TypeAdapter(parameter_type(loss, name)).validate_python(value, strict=True)
            except ValidationError as error:
                raise ValueError(f"{name} of loss {loss!r}: {error.errors()[0]['msg']}; got {value!r}") from error
        if not isinstance(value, Value):
            raise ValueError(f"{name} of loss {loss!r} must be a number, a bool or a text; got {value!r}")
        typed[name] = value
    return FrozenMap(typed)


def check_names(loss: str, taken: Collection[str]) -> None:
    """Raise ValueError if a parameter of a loss has the name of a setting of a run, as each would hide the other."""
    for name in loss_signature(loss):
        if name in taken:
            raise ValueError(f"loss {loss!r} has a parameter {name!r}, which is a setting of every run: rename it")

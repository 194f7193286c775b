"""Train one configuration: ``fit(RunConfig(...))`` leaves weights and a record that holds all a table needs.

From outside come ``RunConfig`` (what a run is), ``fit``, ``load_model`` and ``NonFiniteError``. The modules lie on one
another in this order: ``config``, ``machine`` and ``group`` (the devices and what a group of processes shares),
``batches``, ``evaluate``, ``step``, ``state`` (going on after an interruption), ``loop`` (what one process does) and
``launch`` (one process or a group of them). Nothing here knows a loss, a model or a dataset by name, nor how many runs
there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from patlib.trainer.config import RunConfig as RunConfig
    from patlib.trainer.launch import fit as fit
    from patlib.trainer.predict import load_model as load_model
    from patlib.trainer.run import open_dataset as open_dataset
    from patlib.trainer.step import NonFiniteError as NonFiniteError

_WHERE = {
    "RunConfig": "config", "fit": "launch", "NonFiniteError": "step", "load_model": "predict", "open_dataset": "run",
}  # fmt: skip
__all__ = ["NonFiniteError", "RunConfig", "fit", "load_model", "open_dataset"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: a command line that only reads a configuration needs no torch."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)

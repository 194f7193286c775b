"""What counts as a failure of an attack: anything but a right answer, or one of the library's own refusals."""

import ast
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import patlib
from patlib.datasets import DataError

LIBRARY = str(Path(patlib.__file__).parent)
OWN = (ValueError, TypeError, DataError)


def refusal(call: Callable[[], Any], kinds: tuple[type[Exception], ...] = OWN) -> tuple[Any, Exception | None]:
    """The value of a call and None, or None and the error with which the library refused it.

    Fails for an error of another kind, for one that comes out of another library, and for one that says nothing.
    """
    try:
        return call(), None
    except kinds as error:
        raised = traceback.extract_tb(error.__traceback__)[-1]
        checked = type(error).__module__.startswith("pydantic")  # by the declared types of a configuration
        assert checked or raised.filename.startswith(LIBRARY), (
            f"from {raised.filename}, line {raised.lineno}: {error!r}"
        )
        assert len(str(error)) > 15, f"{error!r} says nothing"
        return None, error


def literal(stored: bytes) -> Any:
    """A case as the corpus holds it: a Python literal."""
    return ast.literal_eval(stored.decode())

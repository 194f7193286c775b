"""What the book's reader of docstrings changes, and what it leaves alone."""

import inspect

import docstrings
from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.util.inspect import stringify_signature

from patlib.losses import LOSSES
from patlib.trainer import RunConfig


def test_a_colon_below_an_attribute_is_no_type() -> None:
    lines = ["Size in pixels: height, then width."]
    docstrings.keep_colons(None, "attribute", "size", None, None, lines)  # type: ignore[arg-type]
    read = str(GoogleDocstring(lines, Config(), what="attribute", name="size"))
    assert "Size in pixels: height" in read and ":type:" not in read


def test_other_docstrings_are_left_as_they_are() -> None:
    lines = ["Note: a function."]
    docstrings.keep_colons(None, "function", "size", None, None, lines)  # type: ignore[arg-type]
    assert lines == ["Note: a function."]


def test_a_bounded_type_is_shown_without_its_bounds() -> None:
    signature = stringify_signature(inspect.signature(RunConfig), unqualified_typehints=True)
    shown, _ = docstrings.plain_types(None, "class", "", None, None, signature, None)  # type: ignore[arg-type]
    assert "Annotated" in signature and shown is not None and "Annotated" not in shown
    assert "loss_parameters: ~collections.abc.Mapping[str, ~typing.Any] = {}" in shown
    assert "image_height: int | None = None" in shown and "learning_rate: float = 0.001, augment: bool = True" in shown


def test_what_a_parameter_of_a_loss_means_stands_below_the_signature_and_not_in_it() -> None:
    for loss in LOSSES.values():
        signature = stringify_signature(inspect.signature(loss), unqualified_typehints=True)
        shown, _ = docstrings.plain_types(None, "class", "", None, None, signature, None)  # type: ignore[arg-type]
        assert shown is not None and "Annotated" not in shown
    lines = ["Balanced.", "", "Example:", "    >>> 1"]
    docstrings.list_meanings(None, "class", "", LOSSES["cb"], None, lines)  # type: ignore[arg-type]
    assert [line.partition(" ")[2].partition(":")[0] for line in lines[2:4]] == ["beta", "power"]
    assert lines[4:] == ["", "Example:", "    >>> 1"]

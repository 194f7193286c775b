import warnings

import pytest
import typer
from typer.testing import CliRunner

from patlib.cli import app
from patlib.cli.messages import plain_errors, say
from patlib.datasets import DataError
from patlib.install import MissingExtraError


def test_control_characters_are_spelt_out_and_text_is_left_alone(capsys):
    say("a\x1b[2J\x9bm\u202e\r\tb ± é\nc")
    assert capsys.readouterr().out == "a\\x1b[2J\\x9bm\\u202e\\r\tb ± é\nc\n"


@pytest.mark.parametrize("kind", [DataError, MissingExtraError, ValueError, OSError])
def test_what_a_user_can_mend_is_one_line(capsys, kind):
    with pytest.raises(typer.Exit), plain_errors():
        raise kind("not there")
    assert capsys.readouterr().err == "Error: not there\n"


def test_a_warning_is_a_line_without_the_code_that_gave_it():
    usual = warnings.formatwarning
    with plain_errors():
        assert warnings.formatwarning(UserWarning("no weed"), UserWarning, "data.py", 66) == "Warning: no weed\n"
    assert warnings.formatwarning is usual


@pytest.mark.parametrize(
    "words", [["data", "list", "\x1b[2J"], ["\x1b[2J"], ["-\x1b"], ["table", "-\x1b"], ["run", "-\x1b"]]
)
def test_typers_own_messages_spell_control_characters_out(words):
    result = CliRunner().invoke(app, words, color=True)
    assert "\x1b" not in result.output and "\\x1b" in result.output and result.exit_code in (1, 2)

"""Commands that take the settings of a run as options, which are made only when such a command is called.

Typer makes the options of all commands when the program starts. The options here come from the trainer's configuration,
which imports torch. So the command that is registered reads no options. When it is called, it makes a second command
that has them and hands its words on, and `patlib --help` answers at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Annotated

import typer

from patlib.cli.messages import plain_errors
from patlib.cli.settings import Setting, run_settings
from patlib.names import nearest

UNREAD = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""How a command is registered that hands all its words on to another."""

Out = Annotated[Path, typer.Option(help="Each run gets its own folder below this one.")]
Plain = Annotated[bool, typer.Option("--plain", help="Train without the notebook's report.")]
Grid = Annotated[
    str, typer.Argument(help="A table or a sweep: table1, table2, table3, gamma, ... (an unknown name lists all).")
]
Seeds = Annotated[
    list[str],
    typer.Option(metavar="int ...", help="The seeds of training; each row of the grid has a run with each of them."),
]


def with_settings(command: Callable[..., None], of_a_grid: bool = False) -> Callable[[typer.Context], None]:
    """The command with all settings of a run as options, which it receives as ``settings``, a dict of texts by name.

    The help of a command ``of_a_grid`` does not show the options that every grid decides itself. They are read all the
    same, so that a message can say that the grid decides them.
    """

    def forward(context: typer.Context) -> None:
        settings = run_settings()
        hidden = _set_by_every_grid() if of_a_grid else set()
        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
        options = [_option(name, setting, name in hidden) for name, setting in settings.items()]
        with plain_errors():
            words = read_words(context.args, [each.name for each in own], settings)

        def called(context: typer.Context, **given: object) -> None:
            with plain_errors():
                for word in context.args:
                    raise ValueError(
                        f"expected an option such as --dataset camvid, which takes one value; got {word!r}"
                    )
            texts = {name: given.pop(name) for name in settings}
            command({name: text for name, text in texts.items() if text is not None}, **given)

        first = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        called.__signature__ = inspect.Signature([first, *own, *options])  # type: ignore[attr-defined]
        app = typer.Typer(add_completion=False)
        paragraphs = (" ".join(part.split()) for part in f"{command.__doc__}".split("\n\n"))
        app.command(help="\n\n".join(paragraphs), context_settings={"allow_extra_args": True})(called)
        # What it cannot read is printed, and its exit code used, by the program.
        raise typer.Exit(app(words, prog_name=context.command_path, standalone_mode=False) or 0)

    forward.__name__, forward.__doc__ = command.__name__, command.__doc__
    return forward


def _option(name: str, setting: Setting, hidden: bool) -> inspect.Parameter:
    """A setting as an option of typer, whose value is a text or None; the configuration turns the text into a value."""
    default = f" Default: {setting.default}." if setting.default else ""
    info = typer.Option(
        f"--{name}", metavar=setting.type_text, help=f"{setting.meaning}{default}", show_default=False,
        rich_help_panel=setting.panel, hidden=hidden,
    )  # fmt: skip
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, info])


def _set_by_every_grid() -> Collection[str]:
    from patlib.experiments.grids import GRIDS, fields_set_by

    return set.intersection(*(fields_set_by(name) for name in GRIDS))


def read_words(words: Sequence[str], own: Collection[str], settings: Mapping[str, Setting]) -> list[str]:
    """The words of a command line in the form that typer reads.

    Dashes and underscores in a name mean the same, ``--seeds 0 1`` means ``--seeds 0 --seeds 1``, and a setting that is
    true or false is true if no value follows. Raises ValueError for an unknown option, which names the nearest one, and
    for an option that is given twice.
    """
    # Typer spells the command's own options with dashes; a setting is spelt as in Python, notebooks and records.
    spelt = {
        **{name: f"--{name.replace('_', '-')}" for name in (*own, "help")},
        **{name: f"--{name}" for name in settings},
    }
    read: list[str] = []
    given: list[str] = []
    for word, following in zip_longest(words, words[1:], fillvalue="--"):
        if not word.startswith("--"):
            more = given[-1:] == ["seeds"] and read[-1] != "--seeds" and word.isdecimal()
            read += ["--seeds", word] if more else [word]
            continue
        name, equals, value = word[2:].partition("=")
        name = name.replace("-", "_")
        if name not in spelt:
            meant = nearest(name, spelt)
            hint = f"did you mean {spelt[meant]}?" if meant else "see --help"
            raise ValueError(f"there is no option {word}; {hint}")
        if name in given:
            raise ValueError(f"{spelt[name]} takes one value, and is given twice")
        alone = name in settings and settings[name].type_text == "true|false" and following.startswith("--")
        given.append(name)
        read += [spelt[name] + (f"={value}" if equals else "=true" if alone else "")]
    return read

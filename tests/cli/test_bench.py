import pytest
from typer.testing import CliRunner

from patlib import cli

SCRIPT = '''"""Say what was given.

More of it.
"""
import sys
from pathlib import Path


def main():
    Path(sys.argv[1]).write_text(" ".join(sys.argv[2:]))
    sys.exit(7)


if __name__ == "__main__":
    main()
'''


@pytest.fixture
def bench(monkeypatch, tmp_path):
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "echo.py").write_text(SCRIPT)
    (folder / "helper.py").write_text('"""Shared by the scripts, and none itself."""\n')
    monkeypatch.setattr(cli.bench, "BENCHMARKS", folder)
    return lambda *words: CliRunner().invoke(cli.app, ["bench", *words])


def test_options_are_passed_on_and_the_exit_code_comes_back(bench, tmp_path):
    result = bench("echo", str(tmp_path / "given"), "--rounds", "3", "--profile")
    assert result.exit_code == 7
    assert (tmp_path / "given").read_text() == "--rounds 3 --profile"


@pytest.mark.parametrize(("words", "message"), [(["ecco"], "there is no benchmark 'ecco'"), ([], "name one of")])
def test_an_unknown_name_or_none_lists_all_with_what_they_say_of_themselves(bench, words, message):
    result = bench(*words)
    assert result.exit_code == 1
    assert message in result.output and "Say what was given." in result.output
    assert "helper" not in result.output


def test_help_is_no_error(bench):
    result = bench("--help")
    assert result.exit_code == 0 and "echo      Say what was given." in result.output


def test_it_says_where_it_looked(bench, monkeypatch, tmp_path):
    monkeypatch.setattr(cli.bench, "BENCHMARKS", tmp_path / "nowhere")
    result = bench("loss")
    assert result.exit_code == 1 and "not at" in result.output


def test_the_repository_s_own_benchmarks_are_all_there():
    assert set(cli.bench.benchmarks()) == {"cost", "grid", "gpu", "loss", "precision", "trainer"}
    assert all(what for _, what in cli.bench.benchmarks().values())

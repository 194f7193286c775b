import pytest

from patlib.cli.options import read_words
from patlib.cli.settings import Setting

SETTINGS = {
    "epochs": Setting(int, "100", "Passes.", "Settings"),
    "model_width": Setting(int | None, "", "Channels.", "Settings"),
    "augment": Setting(bool, "true", "Mirroring.", "Settings"),
    "T": Setting(float, "20.0", "Temperature.", "Parameters"),
}


def words(line):
    return read_words(line.split(), ("seeds", "dry_run"), SETTINGS)


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("--epochs 5 --T=2", "--epochs 5 --T=2"),
        ("--model-width 8", "--model_width 8"),
        ("--dry_run", "--dry-run"),
        ("--seeds 0 1 2 --epochs 5", "--seeds 0 --seeds 1 --seeds 2 --epochs 5"),
        ("table1 --seeds 3", "table1 --seeds 3"),
        ("--augment --epochs 5", "--augment=true --epochs 5"),
        ("--augment false", "--augment false"),
        ("--epochs 5 --augment", "--epochs 5 --augment=true"),
        ("--help", "--help"),
    ],
)
def test_words_are_read_as_they_are_meant(line, read):
    assert words(line) == read.split()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--epoch 5", "there is no option --epoch; did you mean --epochs?"),
        ("--t 5", "there is no option --t; did you mean --T?"),
        ("--dryrun", "did you mean --dry-run?"),
        ("--zzz 5", "there is no option --zzz; see --help"),
        ("--epochs 5 --epochs 6", "--epochs takes one value, and is given twice"),
        ("--model_width 5 --model-width 6", "--model_width takes one value, and is given twice"),
    ],
)
def test_a_wrong_word_is_named_with_its_remedy(line, message):
    with pytest.raises(ValueError) as error:
        words(line)
    assert message in str(error.value)

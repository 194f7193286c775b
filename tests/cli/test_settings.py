from typing import Annotated, Literal

import pytest

from patlib.cli.settings import Setting, parse_config, parse_grid, run_settings
from patlib.trainer.config import RunConfig


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (int, "int"),
        (int | None, "int"),
        (bool, "true|false"),
        (Literal["auto", "cpu"], "auto|cpu"),
        (Annotated[float, "what it means"], "float"),
        (Annotated[float | None, "what it means"], "float"),
    ],
)
def test_the_help_says_what_may_be_written(kind, text):
    assert Setting(kind, "", "", "").type_text == text


def test_every_setting_of_a_run_is_an_option_with_its_meaning():
    settings = run_settings()
    assert settings.keys() >= RunConfig.model_fields.keys() - {"loss_parameters"}
    assert "loss_parameters" not in settings and all(setting.meaning for setting in settings.values())
    assert settings["T"].default == "20.0" and settings["T"].panel == "Parameters of pat"
    assert settings["gamma"].panel == "Parameters of focal, cbfocal"
    assert settings["augment"].default == "true" and settings["protocol"].default == ""
    assert settings["loss"].meaning.endswith("blv, pat.")


def test_texts_make_the_configuration_that_values_make():
    texts = {"loss": "focal", "gamma": "3", "epochs": "5", "augment": "false", "learning_rate": "1e-2"}
    assert parse_config(texts) == RunConfig(loss="focal", gamma=3, epochs=5, augment=False, learning_rate=0.01)


def test_every_wrong_text_is_named():
    with pytest.raises(ValueError) as error:
        parse_config({"epochs": "five", "T": "hot", "seed": "1"})
    first, second = str(error.value).splitlines()
    assert first.startswith("--epochs: ") and first.endswith("got 'five'")
    assert second.startswith("--T: ") and second.endswith("got 'hot'")


@pytest.mark.parametrize(
    ("texts", "message"),
    [({"epochs": "0"}, "--epochs: "), ({"loss": "ce", "T": "5"}, "T"), ({"model": "resnet"}, "unknown model 'resnet'")],
)
def test_a_value_that_the_configuration_refuses_is_named(texts, message):
    with pytest.raises(ValueError) as error:
        parse_config(texts)
    assert message in str(error.value) and "Value error" not in str(error.value)


def test_a_grid_takes_seeds_and_what_it_does_not_set_itself():
    base, seeds = parse_grid("table1", {"epochs": "5"}, ["0", "12"])
    assert base == RunConfig(epochs=5) and seeds == [0, 12]


@pytest.mark.parametrize(
    ("texts", "seeds", "message"),
    [({"loss": "ce"}, ["0"], "--loss: table1 sets that itself"), ({}, ["0", "-1"], "--seeds takes whole numbers")],
)
def test_a_grid_refuses_what_it_sets_itself(texts, seeds, message):
    with pytest.raises(ValueError, match=message):
        parse_grid("table1", texts, seeds)

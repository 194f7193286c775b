import json
from pathlib import Path

import pytest

from patlib.trainer.config import RunConfig

STORED = sorted((Path(__file__).parents[2] / "book" / "results").rglob("record.json"))


def test_defaults_follow_the_paper_and_its_released_code():
    config = RunConfig()
    assert (config.model, config.learning_rate, config.epochs, config.seed) == ("segnet", 1e-3, 100, 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"losss": "ce"}, "losss"),
        ({"loss": "patt"}, "did you mean 'pat'"),
        ({"dataset": "camvidd"}, "Did you mean 'camvid'"),
        ({"model": "resnet"}, "unknown model 'resnet'"),
        ({"model": "unet", "released_head": True}, "released_head=True is SegNet's"),
        ({"epochs": "3"}, "epochs"),
        ({"epochs": 0}, "epochs"),
        ({"seed": True}, "seed"),
        ({"loss": "ce", "T": 5.0}, "loss 'ce' has no parameter 'T'"),
        ({"loss": "pat", "gamma": 2.0}, "it takes: T, eps, detach"),
        ({"T": -1.0}, "T must be a number above 0"),
        ({"loss": "blv", "law": "x"}, "law must be one of"),
        ({"alpha": 1.5}, "alpha must be a number in"),
        ({"loss": "cbfocal", "power": 0.5}, "loss 'cbfocal' has no parameter 'power'"),
        ({"data_seed": -1}, "data_seed"),
        ({"learning_rate": float("inf")}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"learning_rate": 1.5}, "learning_rate"),
        ({"image_height": 64}, "given together"),
        ({"image_height": 8, "image_width": 8}, "image_height"),
        ({"precision": "float16"}, "precision"),
    ],
)
def test_a_wrong_name_type_or_combination_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        RunConfig(**settings)


def test_loss_parameters_hold_only_what_was_set():
    assert RunConfig(loss="pat", T=5).loss_parameters == {"T": 5.0}
    assert RunConfig(loss="focal").loss_parameters == {}
    assert RunConfig(loss="pat", adaptive=False).loss_parameters == {"adaptive": False}


def test_run_names_differ_exactly_when_what_is_run_differs():
    base = RunConfig()
    assert base.run_name == RunConfig(accelerator="cpu").run_name == RunConfig(T=20.0).run_name
    assert base.run_name == RunConfig(alpha=1.0).run_name
    others = [
        RunConfig(T=5.0),
        RunConfig(seed=1),
        RunConfig(loss="ce"),
        RunConfig(epochs=3),
        RunConfig(precision="bf16"),
        RunConfig(void_class=True),
        RunConfig(alpha=0.5),
        RunConfig(alpha=0.0),
        RunConfig(loss="cb"),
        RunConfig(loss="cb", power=0.5),
        RunConfig(loss="cb", power=0.0),
    ]
    assert len({config.run_name for config in [base, *others]}) == 12


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.parent.name)
def test_stored_records_still_have_the_names_they_were_stored_under(path):
    record = json.loads(path.read_text())
    assert RunConfig(**record["config"]).run_path == Path(path.parent.parent.name) / path.parent.name


def test_a_configuration_survives_json():
    config = RunConfig(loss="blv", law="uniform", sigma=1.0, image_height=32, image_width=48)
    assert RunConfig(**config.model_dump()) == config


def test_the_number_of_devices_is_part_of_the_name_only_if_there_are_several():
    assert RunConfig(devices=1).run_name == RunConfig().run_name
    assert RunConfig(devices=2).run_name != RunConfig().run_name

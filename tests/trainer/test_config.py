import ast
import json
import pickle
from pathlib import Path
from typing import Annotated

import pytest

from patlib.losses import LOSSES, CrossEntropy
from patlib.trainer import config
from patlib.trainer.config import RunConfig

STORED = sorted((Path(__file__).parents[2] / "book" / "results").rglob("record.json"))


def test_defaults_follow_the_paper_and_its_released_code():
    config = RunConfig()
    assert (config.model, config.learning_rate, config.epochs, config.seed) == ("segnet", 1e-3, 100, 0)


def test_type_checkers_are_told_every_setting_as_it_is_declared():
    tree = ast.parse(Path(config.__file__).read_text(encoding="utf-8"))
    (body,) = (part.body for part in tree.body if isinstance(part, ast.ClassDef))
    fields = {part.target.id: ast.unparse(part.annotation) for part in body if isinstance(part, ast.AnnAssign)}
    (init,) = (part for part in ast.walk(tree) if isinstance(part, ast.FunctionDef) and part.name == "__init__")
    told = {argument.arg: ast.unparse(argument.annotation) for argument in init.args.kwonlyargs}
    assert fields == {**told, "loss_parameters": "Annotated[Mapping[str, Any], PlainSerializer(dict)]"}
    assert list(told) == list(RunConfig.model_fields)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"losss": "ce"}, "no setting 'losss'; did you mean 'loss'"),
        ({"loss": "patt"}, "did you mean 'pat'"),
        ({"dataset": "camvidd"}, "Did you mean 'camvid'"),
        ({"model": "resnet"}, "unknown model 'resnet'"),
        ({"model": "unet", "released_head": True}, "released_head=True is SegNet's"),
        ({"epochs": "3"}, "epochs"),
        ({"epochs": 0}, "epochs"),
        ({"seed": True}, "seed"),
        ({"loss": "ce", "T": 5.0}, "loss 'ce' has no parameter 'T'"),
        ({"loss": "pat", "gamma": 2.0}, "it takes: T, eps, detach"),
        (
            {"loss": "pat", "loss_parameters": {"Tt": 5.0}},
            r"no parameter 'Tt' \(did you mean 'T'\?\); it takes: T, eps",
        ),
        ({"t": 5.0}, "no setting 't'; did you mean 'T'"),
        ({"T": 5.0, "loss_parameters": {"T": 5.0}}, "T is given twice"),
        ({"loss_parameters": 5.0}, "loss_parameters is a dict such as"),
        ({"T": "5"}, "T of loss 'pat': Input should be a valid number; got '5'"),
        ({"detach": 1}, "detach of loss 'pat': Input should be a valid boolean; got 1"),
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


def test_parameters_are_given_beside_the_other_settings_or_as_one_of_them():
    config = RunConfig(loss="pat", T=5, eps=None)
    assert config == RunConfig(loss="pat", loss_parameters={"T": 5.0})
    assert config.model_dump()["T"] == 5.0 and "loss_parameters" not in config.model_dump()


def test_a_configuration_is_frozen_and_a_key():
    one, same, other = RunConfig(T=5), RunConfig(loss_parameters={"T": 5.0}), RunConfig(T=6)
    assert {one: "one", other: "other"}[same] == "one" and hash(one) == hash(same)
    with pytest.raises(TypeError, match="item assignment"):
        one.loss_parameters["T"] = 6.0
    assert pickle.loads(pickle.dumps(one)) == one


class Ninth(CrossEntropy):
    """A loss that is registered by a test alone."""

    name, label, colour = "ninth", "Ninth", "#332288"

    def __init__(
        self,
        num_classes: int,
        *,
        ignore_index: int = 255,
        reduction: str = "mean",
        strength: Annotated[float, "How much."] = 1.0,
        kind="plain",
    ) -> None:
        super().__init__(num_classes, ignore_index=ignore_index, reduction=reduction)
        self.strength, self.kind = strength, kind


@pytest.fixture
def ninth(monkeypatch):
    monkeypatch.setitem(LOSSES, "ninth", Ninth)


def test_a_ninth_loss_brings_its_own_parameters(ninth):
    config = RunConfig(loss="ninth", strength=2)
    assert config.loss_parameters == {"strength": 2.0}
    assert RunConfig(**json.loads(config.model_dump_json())) == config
    named = {RunConfig(loss="ninth", **own).run_name for own in ({}, {"strength": 1}, {"strength": 2}, {"kind": "x"})}
    assert len(named) == 3
    with pytest.raises(ValueError, match="loss 'pat' has no parameter 'strength'; it takes: T"):
        RunConfig(loss="pat", strength=2.0)
    with pytest.raises(ValueError, match="strength of loss 'ninth': Input should be a valid number"):
        RunConfig(loss="ninth", strength="2")
    with pytest.raises(ValueError, match="kind of loss 'ninth': Input should be a valid string"):
        RunConfig(loss="ninth", kind=3)


def test_the_eight_losses_keep_their_run_names_beside_a_ninth(monkeypatch):
    before = [RunConfig(loss=loss).run_name for loss in LOSSES]
    monkeypatch.setitem(LOSSES, "ninth", Ninth)
    assert [RunConfig(loss=loss).run_name for loss in LOSSES][:8] == before


def test_a_parameter_that_is_called_like_a_setting_is_refused(monkeypatch):
    class Seeded(Ninth):
        def __init__(self, num_classes, *, ignore_index=255, reduction="mean", seed=0):
            super().__init__(num_classes, ignore_index=ignore_index, reduction=reduction)

    monkeypatch.setitem(LOSSES, "ninth", Seeded)
    with pytest.raises(ValueError, match="loss 'ninth' has a parameter 'seed', which is a setting of every run"):
        RunConfig(loss="ninth")


def test_a_parameter_that_no_record_could_state_is_refused(monkeypatch):
    class Listed(Ninth):
        def __init__(self, num_classes, *, ignore_index=255, reduction="mean", powers: list = ()):
            super().__init__(num_classes, ignore_index=ignore_index, reduction=reduction)

    monkeypatch.setitem(LOSSES, "ninth", Listed)
    with pytest.raises(ValueError, match=r"powers of loss 'ninth' must be a number, a bool or a text; got \[1\]"):
        RunConfig(loss="ninth", powers=[1])


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


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ("x" * 3000, "no dataset is called"),
        ("a/\0", "is no path"),
        ("/", "has no name that a run's folder could have"),
        ("~nobody-of-that-name/x", "is no path"),
        ("\ud800", "dataset must be text that UTF-8 can write"),
    ],
)
def test_a_dataset_that_no_file_system_can_have_is_named(dataset, words):
    with pytest.raises(ValueError, match=words):
        RunConfig(dataset=dataset)


def test_a_parameter_of_a_loss_is_named_by_text():
    with pytest.raises(ValueError, match=r"names its values by text.*got 1"):
        RunConfig(loss="ce", loss_parameters={1: 2})

import pytest
import torch
from tiny_run import TINY

from patlib.experiments import durations
from patlib.experiments.durations import Durations
from patlib.trainer.config import RunConfig

CONFIG = RunConfig(**TINY)


@pytest.fixture(autouse=True)
def on_processors(monkeypatch):
    monkeypatch.setattr(durations, "_device", lambda: torch.device("cpu"))


def record(seconds, config=CONFIG, threads=1, **machine):
    """Of a run of two epochs."""
    facts = {"device": durations.device_title(torch.device("cpu")), "threads": threads, **machine}
    curves = [{"train_seconds": 0.75 * seconds, "val_seconds": 0.25 * seconds}] * 2
    return {"config": config.model_dump(), "loss_parameters": {}, "machine": facts, "curves": curves}


def test_a_run_takes_the_median_epoch_of_its_kind_times_its_epochs():
    known = Durations([record(1.0), record(2.0), record(9.0, CONFIG.model_copy(update={"loss": "ce", "seed": 4}))])
    assert known.of(RunConfig(**{**TINY, "epochs": 10, "loss": "cb"})) == pytest.approx(20)


def test_threads_are_counted_as_cores():
    assert Durations([record(3.0, threads=2)]).of(CONFIG) == pytest.approx(12)


@pytest.mark.parametrize("change", [{"model": "unet"}, {"model_width": 4}, {"precision": "bf16"}, {"batch_size": 2}])
def test_another_kind_tells_nothing(change):
    assert Durations([record(1.0, RunConfig(**{**TINY, **change}))]).of(CONFIG) is None


def test_another_device_and_a_network_of_ones_own_tell_nothing():
    own = record(1.0)
    own["config"]["model_width"] = None
    assert Durations([record(1.0, device="a GPU"), own]).of(CONFIG) is None


def test_the_total_says_how_many_are_of_unknown_length():
    unknown = RunConfig(**{**TINY, "model": "unet"})
    assert Durations([record(2.0)]).total([CONFIG, unknown, CONFIG]) == (pytest.approx(8), 1)

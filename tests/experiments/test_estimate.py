import time
from types import SimpleNamespace

import pytest
import torch
from tiny_run import TINY

from patlib.experiments import estimate
from patlib.experiments.estimate import estimate_kinds, estimate_seconds
from patlib.trainer import fit
from patlib.trainer.config import RunConfig

CONFIG = RunConfig(**TINY)  # 10, 3 and 3 images in batches of 4: 3 + 1 + 1 batches


@pytest.fixture
def tiny(monkeypatch, tiny_dataset):
    monkeypatch.setattr(estimate, "open_dataset", lambda config, progress: tiny_dataset)
    return tiny_dataset


def test_an_estimate_is_near_what_a_run_takes(tiny, tmp_path, monkeypatch):
    # In processor time, of which a busy machine takes no more.
    monkeypatch.setattr(estimate, "time", SimpleNamespace(perf_counter=time.process_time))
    config = CONFIG.model_copy(update={"epochs": 20})
    expected = estimate_seconds(config)
    began = time.process_time()
    fit(config, tmp_path, tiny, progress=False)
    assert expected / 5 < time.process_time() - began < 5 * expected


@pytest.mark.parametrize("epochs", [1, 10])
def test_every_part_is_counted_as_often_as_a_run_does_it(tiny, monkeypatch, epochs):
    """First step 1000 s, all steps 300 s, validation 1 s, measuring 0.01 s."""
    seconds = iter([1000.0, 300.0, 1.0, 0.01])
    monkeypatch.setattr(estimate, "_seconds", lambda run, work: next(seconds))
    expected = 1000 + epochs * (300 + 1) + 2 * (5 * 0.01)
    assert estimate_seconds(CONFIG.model_copy(update={"epochs": epochs}), steps=3) == pytest.approx(expected)


def test_only_the_steps_asked_for_are_made_and_nothing_is_left(tiny, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    made = []
    train_epoch = estimate.train_epoch
    monkeypatch.setattr(estimate, "train_epoch", lambda *given: made.append(len(given[5])) or train_epoch(*given))
    estimate_seconds(CONFIG, steps=2)
    assert made == [4, 8]  # images
    assert list(tmp_path.iterdir()) == []


def test_runs_of_one_kind_are_timed_once(monkeypatch):
    monkeypatch.setattr(estimate, "estimate_seconds", lambda config: config.model_width)
    wide = CONFIG.model_copy(update={"model_width": 4})
    others = [CONFIG.model_copy(update={"loss": "ce"}), CONFIG.model_copy(update={"seed": 3})]
    assert estimate_kinds([CONFIG, wide, *others]) == [(2, [CONFIG, *others]), (4, [wide])]


def test_what_this_machine_cannot_do_is_refused_as_by_a_run(tiny):
    if torch.cuda.is_available():
        pytest.skip("there is CUDA here")
    with pytest.raises(ValueError, match="precision 'fp16' needs a CUDA device"):
        estimate_seconds(CONFIG.model_copy(update={"precision": "fp16"}))


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        estimate_seconds(CONFIG, steps=0)

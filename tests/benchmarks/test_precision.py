import json

import precision
import pytest
import torch

from patlib.trainer.state import FOLDER


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(precision, "SIZE", (16, 20))
    monkeypatch.setattr(precision, "WIDTH", 2)


def test_a_report_has_each_ratio_with_its_quartiles(tiny, tmp_path):
    threads = torch.get_num_threads()
    precision.main(["--device", "cpu", "--rounds", "2", "--out", str(tmp_path)])
    torch.set_num_threads(threads)
    report = json.loads((tmp_path / "precision-cpu.json").read_text())
    assert set(report["bf16_to_fp32"]) == {"segnet", "unet"}
    for ratio in (*report["bf16_to_fp32"].values(), report["keep_to_epoch"]):
        assert 0 < ratio["q1"] <= ratio["median"] <= ratio["q3"]
    assert report["machine"]["bf16_instructions"] in (True, False)


def test_the_state_that_is_timed_is_that_of_a_run_with_a_hundred_epochs(tiny, tmp_path):
    run = precision.finished_run(tmp_path, "cpu")
    precision.keep(run)
    assert len(run.curves) == 100
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == [
        "rank0-000000.safetensors",
        "state.safetensors",
    ]
    assert run.optimizer.optimizer.state  # Adam has its moments


def test_the_convolutions_of_a_step_in_bf16_are_computed_in_bf16(tiny, monkeypatch):
    seen = []
    build = precision.build_model

    def listening(*arguments):
        network = build(*arguments)
        first = next(part for part in network.modules() if isinstance(part, torch.nn.Conv2d))
        first.register_forward_hook(lambda _, given, made: seen.append(made.dtype))
        return network

    monkeypatch.setattr(precision, "build_model", listening)
    for name in ("bf16", "fp32"):
        precision.training_step("segnet", name, "cpu")()
    assert seen == [torch.bfloat16, torch.float32]

"""The environment of a queue's worker."""

from patlib.experiments import child


def test_workers_share_the_processors_unless_told_otherwise(monkeypatch):
    monkeypatch.setattr(child.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(child.torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [each["OMP_NUM_THREADS"] for each in child.environments(3)] == ["2", "2", "2"]
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert child.environments(1)[0]["OMP_NUM_THREADS"] == "5"


def test_workers_take_the_visible_gpus_in_turn(monkeypatch):
    monkeypatch.setattr(child.torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert [each["CUDA_VISIBLE_DEVICES"] for each in child.environments(3)] == ["3", "5", "3"]

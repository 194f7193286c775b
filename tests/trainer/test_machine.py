import platform
import subprocess
from importlib.metadata import version

import pytest
import torch

from patlib.trainer import machine

CPU = torch.device("cpu")


def test_a_record_can_tell_device_threads_and_versions():
    facts = machine.machine_facts(CPU)
    assert facts["device"] == f"cpu ({platform.machine()})"
    assert facts["threads"] == torch.get_num_threads()
    assert facts["python"] == platform.python_version()
    assert facts["commit"] == machine.commit()
    for package in ("torch", "lightning-fabric", "torchmetrics", "numpy"):
        assert facts[package] == version(package)
    assert "patlib" in facts


def test_a_gpu_has_its_own_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    assert machine.device_title(torch.device("cuda", 1)) == "GPU 1"


@pytest.mark.parametrize(("found", "expected"), [({"avx2": True}, False), ({"avx512_bf16": True}, True),
                                                 ({"amx_bf16": True, "avx512_bf16": False}, True)])  # fmt: skip
def test_a_processor_has_bf16_by_its_own_word(monkeypatch, found, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    assert machine.bf16_instructions(CPU) is expected


def test_an_older_pytorch_cannot_tell_of_bf16(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not machine.bf16_instructions(CPU)


def test_what_is_not_installed_has_no_version():
    assert machine.versions("torch", "no-such-package") == {"torch": version("torch"), "no-such-package": None}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder that the library seems to lie in."""
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setattr(machine, "__file__", str(place / "patlib" / "trainer" / "machine.py"))
    return place


def ask():
    return machine.commit.__wrapped__()  # not the answer of the first time


def test_outside_a_repository_there_is_no_commit(root):
    subprocess.run(["git", "init", "-q", root.parent], check=True)
    assert ask() is None  # inside somebody else's repository too


def test_a_commit_is_marked_when_files_differ_from_it(root):
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b"]
    (root / "file").write_text("one")
    for command in (["init", "-q"], ["add", "file"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    assert ask() == commit[:12]
    (root / "file").write_text("two")
    assert ask() == f"{commit[:12]}-dirty"


def test_a_repository_that_git_cannot_read_has_no_commit(root, monkeypatch):
    (root / ".git").mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(root.parent))
    assert ask() is None
    monkeypatch.setenv("PATH", "")
    assert ask() is None

import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file

from patlib.files import read_tensors, write_tensors
from patlib.trainer.state import State, StateError, best_path, read_state, sweep, write_state

SAME = {"config": {"loss": "pat", "size": (4, 5)}, "device": "cpu"}


@pytest.fixture
def fabric():
    return Fabric(accelerator="cpu", devices=1)


def a_state(steps, seed=0):
    draw = torch.Generator().manual_seed(seed)
    shared = {
        "weight": torch.randn(3, 4, 2, 2, generator=draw).to(memory_format=torch.channels_last),
        "count": torch.tensor(seed),
        "order": torch.arange(7, dtype=torch.uint8),
    }
    return State(shared, {"random": torch.rand(5, generator=draw)}, {**SAME, "steps": steps, "curves": [{"epoch": 1}]})


def keep_best(folder, epoch):
    path = best_path(folder, epoch)
    path.parent.mkdir(exist_ok=True)
    return epoch, write_tensors(path, {"weight": torch.full((2,), float(epoch))})


def names(folder):
    return sorted(path.name for path in (folder / "unfinished").iterdir())


def test_a_state_comes_back_as_it_was_kept(fabric, tmp_path):
    state = a_state(46)
    write_state(tmp_path, state, 46, keep_best(tmp_path, 7), fabric)
    assert names(tmp_path) == ["best-007.safetensors", "rank0-000046.safetensors", "state.safetensors"]
    found = read_state(tmp_path, fabric, SAME)
    for tensors, kept in ((found.shared, state.shared), (found.own, state.own)):
        assert tensors.keys() == kept.keys()
        assert all(torch.equal(tensors[name], kept[name]) and tensors[name].dtype == kept[name].dtype for name in kept)
    assert found.facts["curves"] == [{"epoch": 1}] and found.facts["steps"] == 46


def test_before_anything_was_kept_there_is_no_state(fabric, tmp_path):
    assert read_state(tmp_path, fabric, SAME) is None
    keep_best(tmp_path, 1)  # a process that was killed before its first state
    assert read_state(tmp_path, fabric, SAME) is None


def test_a_new_state_takes_the_place_of_the_one_before_and_leaves_files_of_later_steps(fabric, tmp_path):
    write_state(tmp_path, a_state(4), 4, keep_best(tmp_path, 1), fabric)
    ahead = tmp_path / "unfinished" / "rank1-000012.safetensors"  # of another process, which is ahead
    ahead.write_text("being written")
    write_state(tmp_path, a_state(8, seed=1), 8, keep_best(tmp_path, 2), fabric)
    assert names(tmp_path) == [
        "best-002.safetensors", "rank0-000008.safetensors", ahead.name, "state.safetensors",
    ]  # fmt: skip
    assert read_state(tmp_path, fabric, SAME).shared["count"] == 1


@pytest.mark.parametrize("name", ["best-003.safetensors", "rank0-000004.safetensors"])
@pytest.mark.parametrize("whole", [True, False])
def test_a_file_that_the_state_names_must_be_the_very_one(name, whole, fabric, tmp_path):
    write_state(tmp_path, a_state(4), 4, keep_best(tmp_path, 3), fabric)
    path = tmp_path / "unfinished" / name
    if whole:  # a sound file, of another content
        write_tensors(path, {key: tensor + 1 for key, tensor in load_file(path).items()})
    else:
        path.unlink()
    with pytest.raises(
        StateError, match=rf"{name} beside it is missing or was changed.*remove the folder .*unfinished"
    ):
        read_state(tmp_path, fabric, SAME)


@pytest.mark.parametrize("changed", ["tensor", "name", "shape", "type", "facts", "metadata"])
def test_a_sound_file_of_another_content_is_refused(changed, fabric, tmp_path):
    write_state(tmp_path, a_state(4), 4, None, fabric)
    path = tmp_path / "unfinished" / "state.safetensors"
    tensors, metadata = read_tensors(path)
    if changed == "tensor":
        tensors["weight"][0, 0, 0, 0] += 1
    elif changed == "name":
        tensors["weighs"] = tensors.pop("weight")
    elif changed == "shape":
        tensors["weight"] = tensors["weight"].reshape(4, 3, 2, 2)
    elif changed == "type":
        tensors["weight"] = tensors["weight"].view(torch.int32)
    elif changed == "facts":
        metadata["facts"] = metadata["facts"].replace('"steps": 4', '"steps": 5')
    else:
        del metadata["sha256"]
    write_tensors(path, tensors, metadata)
    with pytest.raises(StateError, match=r"state\.safetensors cannot be used to go on \(.*resume=False"):
        read_state(tmp_path, fabric, SAME)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"device": "cuda"}, "its device has 'cpu', and this one's 'cuda'"),
        ({"config": {"loss": "ce", "size": (4, 5)}}, "its config has loss = 'pat', and this one's loss = 'ce'"),
        ({"config": {"size": (4, 5)}}, "its config has loss = 'pat', and this one's loss = None"),
        ({"new": 3}, "its new has None, and this one's 3"),
    ],
)
def test_the_state_of_another_run_is_told_by_the_first_difference(other, said, fabric, tmp_path):
    write_state(tmp_path, a_state(4), 4, None, fabric)
    with pytest.raises(StateError, match=f"is of another run: {said}. To start anew"):
        read_state(tmp_path, fabric, {**SAME, **other})


def test_a_setting_that_is_null_says_the_same_as_one_that_is_not_there(fabric, tmp_path):
    write_state(tmp_path, a_state(4), 4, None, fabric)
    asked = {**SAME, "config": {**SAME["config"], "gamma": None}}
    assert read_state(tmp_path, fabric, asked).facts["steps"] == 4


def test_sweeping_leaves_the_state_and_what_it_names(fabric, tmp_path):
    write_state(tmp_path, a_state(4), 4, keep_best(tmp_path, 3), fabric)
    kept = names(tmp_path)
    keep_best(tmp_path, 4)
    for name in ("rank0-000008.safetensors", ".state.safetensors.123"):
        (tmp_path / "unfinished" / name).write_text("half")
    sweep(tmp_path, read_state(tmp_path, fabric, SAME))
    assert names(tmp_path) == kept
    assert read_state(tmp_path, fabric, SAME).shared["count"] == 0


def test_sweeping_without_a_state_leaves_nothing_of_it_and_all_else(fabric, tmp_path):
    (tmp_path / "record.json").write_text("{}")
    sweep(tmp_path, None)
    keep_best(tmp_path, 1)
    sweep(tmp_path, None)
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]

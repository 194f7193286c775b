import json

import pytest
import torch
from safetensors.torch import load_file

from patlib.files import replacing, write_json, write_weights


def test_a_failed_write_keeps_what_was_there_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "record.json"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="in the middle"), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("in the middle")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_comes_back_as_it_was(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, 2.5], "a": None})
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": [1, 2.5], "a": None}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_channels_last_weights_come_back_equal(tmp_path):
    layer = torch.nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    write_weights(tmp_path / "w.safetensors", layer)
    assert torch.equal(load_file(tmp_path / "w.safetensors")["weight"], layer.weight)

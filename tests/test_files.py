import errno
import json
import os
from contextlib import nullcontext

import pytest
import torch
from safetensors.torch import load_file

from patlib import files
from patlib.files import replacing, reserve, write_json, write_weights


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


def test_a_number_that_json_has_no_word_for_is_refused_and_what_was_there_is_kept(tmp_path):
    path = tmp_path / "record.json"
    write_json(path, 1)
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON compliant"):
            write_json(path, {"miou": value})
    assert path.read_text() == "1\n" and list(tmp_path.iterdir()) == [path]


def test_a_planted_link_is_neither_followed_nor_foreseen(tmp_path, monkeypatch):
    (tmp_path / "victim").write_text("precious")
    path = tmp_path / "record.json"
    with replacing(path) as one, replacing(path) as other:
        assert one != other and str(os.getpid()) not in (one.name.split("."))
        other.write_text("{}")
    monkeypatch.setattr(files.secrets, "token_hex", lambda count: "guessed")
    (tmp_path / ".record.json.guessed").symlink_to(tmp_path / "victim")
    with pytest.raises(FileExistsError), replacing(path) as temporary:
        temporary.write_text("overwritten")
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "a.json", 1)
        write_weights(tmp_path / "w.safetensors", torch.nn.Linear(2, 2))
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o640, 0o640]


def test_a_file_and_its_folder_reach_the_disk_before_the_write_is_done(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(files.os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    write_json(tmp_path / "a.json", 1)
    assert [name.startswith(f"{tmp_path}/.a.json.") for name in synced] == [True, False]
    assert synced[1] == str(tmp_path)


def test_a_full_disk_is_one_sentence_that_names_it(tmp_path):
    path = tmp_path / "record.json"
    path.write_text("old")
    with (
        pytest.raises(OSError, match=rf"the disk of {tmp_path} is full .*record\.json is not written"),
        replacing(path),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_the_holder_of_a_lock_is_read_off_the_kernels_table(tmp_path, monkeypatch):
    path = tmp_path / ".lock"
    path.touch()
    facts = path.stat()
    place = f"{os.major(facts.st_dev):02x}:{os.minor(facts.st_dev):02x}:{facts.st_ino}"
    other = "1: FLOCK ADVISORY WRITE 1 08:01:7 0 EOF"
    waits = f"2: -> FLOCK ADVISORY WRITE 5 {place} 0 EOF"
    table = "\n".join([other, waits, f"2: FLOCK ADVISORY WRITE 4711 {place} 0 EOF"])
    monkeypatch.setattr(files.Path, "read_text", lambda self: table)
    assert files.lock_holder(path) == " (pid 4711)"
    table = other
    assert files.lock_holder(path) == ""


def test_what_killed_processes_left_is_removed_and_what_others_write_is_not(tmp_path):
    path = tmp_path / "record.json"
    killed = tmp_path / f".record.json.{'0' * 16}"
    strangers = [tmp_path / f".record.json.{'0' * 15}", tmp_path / f".best.safetensors.{'0' * 16}"]
    (tmp_path / "victim").write_text("precious")
    (tmp_path / f".record.json.{'1' * 16}").symlink_to(tmp_path / "victim")
    for file in (killed, *strangers):
        file.touch()
    with replacing(path) as one:
        assert not killed.exists() and all(file.exists() for file in strangers)
        with replacing(path) as other:
            assert one.exists()
            other.write_text("{}")
        assert one.exists()
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_temporary_file_that_another_process_swept_is_made_anew(tmp_path, monkeypatch):
    swept, lock = [], files.fcntl.flock

    def late(descriptor, operation):
        if not swept and operation == files.fcntl.LOCK_EX:
            swept.append(os.readlink(f"/proc/self/fd/{descriptor}"))
            os.unlink(swept[0])
        lock(descriptor, operation)

    monkeypatch.setattr(files.fcntl, "flock", late)
    write_json(tmp_path / "a.json", 1)
    assert swept and (tmp_path / "a.json").read_text() == "1\n"


def test_temporary_folders_of_killed_processes_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(files.tempfile, "tempdir", str(tmp_path))
    for name in ("patlib-group-abc", "patlib-other-abc"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "store").touch()
    with files.temporary_folder("group") as one, files.temporary_folder("group") as other:
        assert sorted(tmp_path.iterdir()) == sorted([one, other, tmp_path / "patlib-other-abc"])
    assert list(tmp_path.iterdir()) == [tmp_path / "patlib-other-abc"]


def test_reserved_space_is_taken_from_the_disk_before_anything_is_written(tmp_path):
    reserve({tmp_path / "a": 5_000_000, tmp_path / "b": 1})
    assert [(tmp_path / name).stat().st_size for name in "ab"] == [5_000_000, 1]
    assert (tmp_path / "a").stat().st_blocks * 512 >= 5_000_000  # a hole would have none
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        reserve({tmp_path / "c": 2**62})
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(("number", "refused"), [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EOPNOTSUPP, False)])
def test_where_no_space_can_be_reserved_files_are_made_empty(tmp_path, monkeypatch, number, refused):
    def cannot(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", cannot)
    with pytest.raises(OSError, match=os.strerror(number)) if refused else nullcontext():
        reserve({tmp_path / "a": 9})
    assert refused or (tmp_path / "a").read_bytes() == b""

"""The cache of prepared arrays: what is noticed in it, and what survives crashes, full disks and company."""

import errno
import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from camvid_copy import left_overs, prepare_camvid
from filelock import FileLock

from patlib.datasets import DataError, PreparedDataset
from patlib.datasets import cache as store


def test_a_flipped_byte_in_an_array_is_noticed(camvid_root: Path) -> None:
    path = prepare_camvid(camvid_root).folder / "val_masks.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        DataError, match=rf"{path}: its content has changed.*Delete the folder {path.parent} and prepare"
    ):
        prepare_camvid(camvid_root)


@pytest.mark.parametrize("old", [False, True], ids=["", "which-states-no-checksum"])
@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["splits"]["train"].pop("names"),
        lambda manifest: manifest["splits"]["train"].update(class_pixels={}),
        lambda manifest: manifest["arrays"].pop("val_masks.npy"),
        lambda manifest: manifest.update(arrays=7),
        lambda manifest: manifest.update(splits=None),
        lambda manifest: manifest["splits"]["val"]["class_pixels"].pop(),
    ],
)
def test_a_manifest_that_was_changed_is_refused(camvid_root: Path, change: Callable, old: bool) -> None:
    path = prepare_camvid(camvid_root).folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    if old:
        del manifest["sha256"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=rf"{path}: .*Delete the folder {path.parent} and prepare again"):
        prepare_camvid(camvid_root)


def test_another_number_in_a_manifest_is_noticed_and_one_without_a_checksum_is_read(camvid_root: Path) -> None:
    path = prepare_camvid(camvid_root).folder / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in manifest.items() if name != "sha256"}))
    assert prepare_camvid(camvid_root).class_pixels.sum() > 0
    manifest["splits"]["train"]["class_pixels"][0] += 1
    path.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="does not have the SHA-256 that it states"):
        prepare_camvid(camvid_root)


@pytest.mark.parametrize("name", ["train_images.npy", "test_masks.npy"])
def test_a_shortened_or_missing_array_is_noticed(camvid_root: Path, name: str) -> None:
    path = prepare_camvid(camvid_root).folder / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(DataError, match=rf"{path}: expected {len(whole)} bytes, found {len(whole) - 1}"):
        prepare_camvid(camvid_root)
    path.unlink()
    with pytest.raises(DataError, match=rf"{path}: expected {len(whole)} bytes, found None"):
        prepare_camvid(camvid_root)


@pytest.mark.parametrize("content", ["", "{}", '{"format": '], ids=["empty", "no-format", "cut"])
def test_a_broken_manifest_is_named(camvid_root: Path, content: str) -> None:
    path = prepare_camvid(camvid_root).folder / "manifest.json"
    path.write_text(content)
    with pytest.raises(DataError, match=rf"{path}: cannot be read .*Delete the folder"):
        prepare_camvid(camvid_root)


def test_the_manifest_is_readable_and_complete(camvid_root: Path) -> None:
    folder = prepare_camvid(camvid_root).folder
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest) == {"format", "dataset", "size", "source", "splits", "arrays", "sha256"}
    assert set(manifest["arrays"]) == {path.name for path in folder.glob("*.npy")}
    assert manifest["splits"]["val"]["names"] == ["val0", "val1"]


def test_a_crash_half_way_leaves_nothing(camvid_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "_publish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare_camvid(camvid_root)
    assert left_overs(tmp_path) == []


def test_arrays_reach_the_disk_before_their_name(camvid_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, publish = [], store._publish

    def publish_and_tell(work: Path, folder: Path) -> None:
        synced.append("published")
        publish(work, folder)

    monkeypatch.setattr(store, "to_disk", lambda path: synced.append(path.name))
    monkeypatch.setattr(store, "_publish", publish_and_tell)
    folder = prepare_camvid(camvid_root).folder
    before, after = synced[: synced.index("published")], synced[synced.index("published") + 1 :]
    assert {path.name for path in folder.iterdir()} <= set(before) and after == ["cache"]


def test_of_two_at_once_one_prepares_and_the_other_waits(
    camvid_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second: list[threading.Thread] = []
    results: list[PreparedDataset] = []
    publish = store._publish

    def publish_with_company(work: Path, folder: Path) -> None:
        assert not second, "the other prepared it, too"
        second.append(threading.Thread(target=lambda: results.append(prepare_camvid(camvid_root))))
        second[0].start()
        second[0].join(timeout=0.3)
        publish(work, folder)

    monkeypatch.setattr(store, "_publish", publish_with_company)
    results.append(prepare_camvid(camvid_root))
    second[0].join(timeout=600)
    assert len(results) == 2 and left_overs(tmp_path) == ["camvid-6x8-official"]
    assert np.array_equal(results[0].splits["train"].masks, results[1].splits["train"].masks)


def test_what_killed_preparations_left_is_cleared_away_and_nothing_else(camvid_root: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    killed = (".camvid-6x8-official-work-abc", ".camvid-6x8-official-work-def-old", ".camvid-7x7-official-work-abc")
    alive = ".camvid-9x9-official-work-abc"
    for name in (*killed, alive):
        (cache / name).mkdir(parents=True)
        (cache / name / "train_images.npy").write_bytes(b"half")
    with FileLock(cache / ".camvid-9x9-official.lock"):
        prepare_camvid(camvid_root)
        assert left_overs(tmp_path) == [
            ".camvid-9x9-official-work-abc",
            ".camvid-9x9-official.lock",
            "camvid-6x8-official",
        ]


def test_what_was_left_beside_a_ready_folder_goes_when_that_is_opened(camvid_root: Path, tmp_path: Path) -> None:
    prepare_camvid(camvid_root)
    lock = tmp_path / "cache" / ".camvid-6x8-official.lock"
    with FileLock(lock):  # another process prepares it anew
        prepare_camvid(camvid_root)
        assert lock.exists()
    lock.touch()
    lock.with_name(".camvid-6x8-official-work-abc-old").mkdir()
    prepare_camvid(camvid_root)
    assert left_overs(tmp_path) == ["camvid-6x8-official"]


def test_who_waits_for_a_preparation_says_for_whom(camvid_root: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "cache").mkdir()
    lock = FileLock(tmp_path / "cache" / ".camvid-6x8-official.lock")
    with lock:
        held = str(Path(lock.lock_file).stat().st_ino) in Path("/proc/locks").read_text()
        waiting = threading.Thread(target=prepare_camvid, args=(camvid_root,))
        waiting.start()
        waiting.join(timeout=0.5)
        assert waiting.is_alive()
    waiting.join()
    said = capsys.readouterr().err
    assert "camvid-6x8-official is being prepared by another process" in said
    assert f"(pid {os.getpid()}); waiting" in said or not held


@pytest.mark.parametrize("when", ["before", "while writing"])
def test_a_full_disk_is_named(camvid_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    usage = type(shutil.disk_usage(tmp_path))(10**9, 10**9, 1000)
    if when == "before":
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", full)
    message = (
        rf"disk of {tmp_path / 'cache'} is full: camvid at 6x8 needs 0\.0 MB there, and .* MB are free\. Make room"
    )
    with pytest.raises(DataError, match=message):
        prepare_camvid(camvid_root)
    assert left_overs(tmp_path) == []


def test_another_failure_to_write_stays_what_it_is(camvid_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "not allowed")

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", refused)
    with pytest.raises(PermissionError):
        prepare_camvid(camvid_root)


def test_a_cache_that_cannot_be_written_is_an_error_not_a_loop(
    camvid_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, target: Path) -> None:
        if Path(target).name == "camvid-6x8-official":
            raise PermissionError("not allowed")
        raise FileNotFoundError(source)

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(PermissionError):
        prepare_camvid(camvid_root)

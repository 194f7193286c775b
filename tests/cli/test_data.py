"""`patlib data ...`: what a user reads, and the exit codes."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from patlib.cli import app


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root that holds CamVid with two 8x8 images a split, and a cache beside it."""
    for split in ("train", "val", "test"):
        for folder in (split, f"{split}annot"):
            (tmp_path / "data" / "camvid" / folder).mkdir(parents=True)
        for i in range(2):
            values = (np.arange(64).reshape(8, 8) % 12).astype(np.uint8)
            Image.fromarray(np.stack([values] * 3, axis=-1)).save(tmp_path / f"data/camvid/{split}/{split}-{i}.png")
            Image.fromarray(values).save(tmp_path / f"data/camvid/{split}annot/{split}-{i}.png")
    monkeypatch.setenv("PATLIB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PATLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["data", *words])
    assert result.exit_code == code, result.output
    return result.output


def test_list_says_what_is_here_and_what_is_not(root: Path) -> None:
    lines = run("list").splitlines()
    assert re.match(r"synthetic +10 +64x96 +needs no files", lines[2])
    assert re.match(rf"camvid +11 +360x480 +yes: {root / 'camvid'} +CC BY-NC", lines[3])
    assert re.match(rf"oxford_pet +3 +256x256 +no: {root / 'oxford-iiit-pet'} +CC BY-SA", lines[4])
    assert re.match(rf"cityscapes +19 +256x512 +no: {root / 'cityscapes'} +its own: registration", lines[5])
    assert re.match(rf"nyuv2 +13 +256x340 +no: {root / 'nyuv2'} +none stated", lines[6])


def test_a_root_that_cannot_be_read_is_one_message(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locate(spec: object, root: object) -> None:
        raise PermissionError(13, "Permission denied", "/data/camvid")

    monkeypatch.setattr("patlib.datasets.sources.locate", locate)
    output = run("list", code=1)
    assert output == "Error: [Errno 13] Permission denied: '/data/camvid'\n"


def test_prepare_says_where_it_lies_and_counts_the_classes(root: Path, tmp_path: Path) -> None:
    output = run("prepare", "camvid", "--size", "8x8")
    assert str(tmp_path / "cache" / "camvid-8x8-official") in output
    assert "train 2 images, val 2 images, test 2 images" in output
    assert re.search(r"^0 +Sky +12 +2 +12 +2 +12 +2 +10\.\d+ %$", output, flags=re.MULTILINE)
    assert re.search(r"^255 +void +10 +10 +10$", output, flags=re.MULTILINE)


def test_show_writes_a_picture_and_counts_the_classes(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    output = run("show", "camvid", "--size", "8x8", "--out", str(out), "--split", "val", "--count", "1")
    assert f"wrote {out}" in output and re.search(r"^0 +Sky +12 +2 +12 +2 +12 +2 ", output, flags=re.MULTILINE)
    with Image.open(out) as picture:
        assert picture.width > 1000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("prepare", "cityscape"), "no dataset is called 'cityscape'; there are synthetic, camvid, oxford_pet"),
        (("prepare", "cityscapes"), "csDownload gtFine_trainvaltest.zip leftImg8bit_trainvaltest.zip"),
        (("prepare", "nyuv2"), "nyu_depth_v2/nyu_depth_v2_labeled.mat"),
        (("prepare", "camvid", "--size", "90"), "--size is HEIGHTxWIDTH in pixels, such as 90x120; got '90'"),
        (("prepare", "camvid", "--protocol", "mine"), "camvid has no protocol 'mine'"),
        (("prepare", "oxford_pet"), "patlib data prepare oxford_pet --download"),
        (("show", "camvid", "--size", "8x8", "--split", "dev"), "no split is called 'dev'; there are train, val, test"),
    ],
)
def test_mistakes_are_one_plain_message_and_exit_code_1(root: Path, words: tuple[str, ...], message: str) -> None:
    output = run(*words, code=1)
    assert message in output and "Error: " in output and "Traceback" not in output


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from patlib.cli import app; "
        "assert CliRunner().invoke(app, ['data', '--help']).exit_code == 0; "
        "print([name for name in ('torch', 'matplotlib', 'pandas', 'torchvision') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"

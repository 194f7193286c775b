"""CamVid from the fake tree of the tests, prepared small, and what its folders hold."""

from pathlib import Path

from patlib.datasets import PreparedDataset, prepare


def prepare_camvid(root: Path | None, size: tuple[int, int] = (6, 8)) -> PreparedDataset:
    return prepare("camvid", size, root, progress=False)


def one_image(root: Path) -> tuple[Path, Path]:
    folder = root / "camvid"
    return folder / "train" / "train1.png", folder / "trainannot" / "train1.png"


def left_overs(tmp_path: Path) -> list[str]:
    cache = tmp_path / "cache"
    return sorted(path.name for path in cache.iterdir()) if cache.exists() else []

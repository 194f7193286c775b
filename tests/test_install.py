"""What an installed package has beside its modules, and what it says of packages that are not there."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from patlib import install

ROOT = Path(__file__).parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def test_a_wheel_has_every_package_and_what_travels_with_it() -> None:
    found = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in ROOT.glob("patlib/**/__init__.py")}
    assert set(SETUPTOOLS["packages"]) == found | set(SETUPTOOLS["package-dir"])
    for package, folder in SETUPTOOLS["package-dir"].items():
        assert package == f"patlib.{folder}" and install.beside(folder) == ROOT / folder
    for package, files in SETUPTOOLS["package-data"].items():
        place = ROOT / SETUPTOOLS["package-dir"].get(package, package)
        assert all(any(place.glob(file)) for file in files)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_unpacked_wheel_finds_the_report_and_the_benchmarks(tmp_path: Path) -> None:
    pytest.importorskip("setuptools", reason="setuptools builds the wheel")
    source, wheels, unpacked = tmp_path / "source", tmp_path / "wheels", tmp_path / "unpacked"
    for folder in ("patlib", "notebooks", "benchmarks"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    wheels.mkdir()
    code = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(wheels)], cwd=source, capture_output=True, check=True)
    with zipfile.ZipFile(next(wheels.iterdir())) as wheel:
        wheel.extractall(unpacked)
    assert sorted(path.name for path in (unpacked / "patlib/notebooks").iterdir()) == ["11_one_run.ipynb"]
    found = (
        "from patlib.cli.bench import benchmarks; print(*benchmarks(), *(path for path, _ in benchmarks().values()))"
    )
    result = subprocess.run([sys.executable, "-c", found], cwd=unpacked, capture_output=True, text=True, check=True)
    names = result.stdout.split()[:6]
    assert names == ["cost", "gpu", "grid", "loss", "precision", "trainer"]
    assert result.stdout.split()[6:] == [str(unpacked / "patlib" / "benchmarks" / f"{name}.py") for name in names]


def test_what_lies_in_the_package_comes_before_what_lies_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "patlib"
    (package / "notebooks").mkdir(parents=True)
    (tmp_path / "site-packages" / "notebooks").mkdir()  # another package's
    monkeypatch.setattr(install, "__file__", str(package / "install.py"))
    assert install.beside("notebooks") == package / "notebooks"
    assert install.beside("benchmarks") == tmp_path / "site-packages" / "benchmarks"


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    install.require_extra("nyuv2", "json")
    with pytest.raises(
        install.MissingExtraError, match=r"^no_such is not installed: pip install 'patlib\[x\]' brings it$"
    ):
        install.require_extra("x", "json", "no_such")
    with pytest.raises(install.MissingExtraError, match=r"brings it, or wait$"):
        install.require_extra("x", "no_such", instead="or wait")


@pytest.mark.slow
@pytest.mark.parametrize("package", ["altair", "IPython", "ipywidgets", "seaborn"])
def test_figures_name_the_extra_that_draws_them(package: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; import patlib.teaching.plots"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"MissingExtraError: {package} is not installed: pip install 'patlib[notebooks]'" in result.stderr

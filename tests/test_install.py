"""What an installed package has beside its modules, and what it says of packages that are not there."""

import subprocess
import sys
import tomllib
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
        assert all((place / file).is_file() for file in files)


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

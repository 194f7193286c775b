"""What an installed package has beside its modules, and what it says of packages that are not there."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from patlib import install

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, SETUPTOOLS = PYPROJECT["project"], PYPROJECT["tool"]["setuptools"]


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


def test_whatever_the_base_install_lacks_is_asked_for_by_its_extra() -> None:
    needed = [re.split(r"[^\w-]", package)[0].replace("-", "_") for package in PROJECT["dependencies"]]
    base = {*sys.stdlib_module_names, *needed, "PIL", "patlib"} - {"pillow"}
    # What an optional package needs itself comes with it.
    brought = {
        "dask": "distributed",
        "jupyter_client": "ipykernel",
        "matplotlib_inline": "IPython",
        "nbformat": "papermill",
    }
    found = set()
    for path in (ROOT / "patlib").rglob("*.py"):
        asked = {
            module for file in (path, *(parent / "__init__.py" for parent in path.parents)) for module in _asked(file)
        }
        for module in _imported(path) - base:
            found.add(module)
            assert brought.get(module, module) in asked, f"{path} imports {module} without require_extra"
    assert found >= {"altair", "dask", "distributed", "docutils", "h5py", "papermill", "seaborn"}


def _imported(path: Path) -> set[str]:
    """The first parts of the modules that a file imports, those for type checkers left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typed = (part for part in ast.walk(tree) if isinstance(part, ast.If) and ast.unparse(part.test) == "TYPE_CHECKING")
    unread = {node for part in typed for node in ast.walk(part)}
    read = [node for node in ast.walk(tree) if node not in unread]
    names = [alias.name for node in read if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in read if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[0] for name in names}


def _asked(path: Path) -> set[str]:
    """The modules that a file asks for with `require_extra`, whose extra must be one."""
    if not path.is_file() or not path.is_relative_to(ROOT / "patlib"):
        return set()
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "require_extra":
            extra, *asked = (ast.literal_eval(word) for word in node.args)
            assert extra in PROJECT["optional-dependencies"], f"{path} names the extra {extra!r}, which there is not"
            modules.update(asked)
    return modules


@pytest.mark.slow
@pytest.mark.parametrize("package", ["altair", "IPython", "ipywidgets", "seaborn"])
def test_figures_name_the_extra_that_draws_them(package: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; import patlib.teaching.plots"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"MissingExtraError: {package} is not installed: pip install 'patlib[notebooks]'" in result.stderr

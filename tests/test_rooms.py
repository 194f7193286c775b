"""The rooms of the library: what may import what, measured on the imports themselves, those inside functions too."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = (
    {"files", "install", "names", "parent", "tensors"},
    {"losses", "models", "datasets", "metrics"},
    {"trainer"},
    {"experiments", "teaching"},
    {"paper"},
    {"cli"},
)
"""From the ground up: a room may import those of lower floors, and never its neighbours."""

FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def imported(path):
    """The modules of patlib that a file imports, by their full names."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: a relative import"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.startswith("patlib.")}


MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "patlib").rglob("*.py"))
}
ARROWS = {module: imported(path) & MODULES.keys() - {module} for module, path in MODULES.items()}


def room(module):
    return module.split(".")[1] if "." in module else None


def test_every_room_has_its_floor():
    assert {room(module) for module in MODULES if room(module)} == FLOOR_OF.keys()


@pytest.mark.parametrize("module", [module for module in MODULES if room(module)])
def test_a_module_imports_its_own_room_and_lower_floors_only(module):
    for other in ARROWS[module]:
        assert room(other) == room(module) or FLOOR_OF[room(other)] < FLOOR_OF[room(module)], f"{module} -> {other}"


def test_no_module_is_imported_by_what_it_imports():
    seen, path = set(), []

    def follow(module):
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in seen:
            path.append(module)
            for other in ARROWS[module]:
                # A room's own __init__ is imported with any of its modules, and hands out names of theirs.
                if not module.startswith(f"{other}."):
                    follow(other)
            path.pop()
            seen.add(module)

    for module in MODULES:
        follow(module)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("imports", "without"),
    [
        ("patlib.losses", "numpy.testing lightning_fabric torchmetrics torchvision pandas pydantic PIL matplotlib"),
        ("patlib.metrics", "lightning_fabric torchmetrics torchvision pandas pydantic PIL matplotlib"),
        ("patlib.experiments.tables", "lightning_fabric torchmetrics torchvision matplotlib"),
        ("patlib.trainer.config", "lightning_fabric torchmetrics torchvision matplotlib"),
        ("patlib.cli", "torch numpy pandas pydantic"),
    ],
)
def test_an_import_does_not_pay_for_what_it_has_no_use_for(imports, without):
    code = f"import sys, {imports}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {name for name in without.split() if name in loaded}


@pytest.mark.slow
def test_the_losses_need_torch_alone():
    code = "import sys, torch; had = {*sys.modules}; import patlib.losses; print(*sys.modules.keys() - had)"
    added = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {name.split(".")[0] for name in added} - sys.stdlib_module_names == {"patlib"}


@pytest.mark.slow
def test_the_help_of_the_command_line_loads_nothing_that_takes_long():
    code = "import sys; from patlib.cli import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "Train one configuration and keep its record." in shown
    assert not {"torch", "numpy", "pandas", "pydantic", "rich"} & set(shown.splitlines()[-1].split())


def drawing():
    """The rooms and their arrows as a Mermaid graph, the lowest floor at the bottom."""
    arrows = {
        (room(module), room(other))
        for module, others in ARROWS.items()
        for other in others
        if room(module) and room(other) and room(module) != room(other)
    }
    lines = ["graph TD"]
    for floor in reversed(FLOORS):
        lines.append("  subgraph " + "_".join(sorted(floor)) + '[" "]')
        lines += [f"    {name}" for name in sorted(floor)]
        lines.append("  end")
    # An arrow that others imply is left out: the reader sees who stands on whom.
    lines += [
        f"  {start} --> {end}"
        for start, end in sorted(arrows)
        if not any((start, other) in arrows and (other, end) in arrows for other in FLOOR_OF)
    ]
    return "\n".join(lines)


def test_the_drawing_of_the_rooms_is_made_from_the_imports():
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert drawing() in page, f"put this into ARCHITECTURE.md:\n{drawing()}"

"""Write the page of run times and versions from what `book/execute.py` measured.

    python book/run_times.py build/stage build/notebooks

The first folder is the book about to be built, which gets run_times.md; the second holds NN_x.json, the seconds that
notebook NN_x took. The page names the kind of machine and never the machine.
"""

import json
import os
import platform
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import nbformat
import torch

PACKAGES = ("patlib", "torch", "torchvision", "lightning-fabric", "torchmetrics", "numpy", "pandas", "matplotlib")
PACKAGES += ("altair", "ipywidgets", "papermill", "jupyter-book", "Sphinx", "myst-nb")

PAGE = """# Run times and versions

This page is written when the book is built, from what was measured then. *Minutes to read* is what the notebook itself
states. *Seconds to run* is one execution from a fresh kernel, with one thread unless `OMP_NUM_THREADS` says otherwise,
while other notebooks may have been running beside it. "Not measured" means that the notebook was not executed for
this build.

## Notebooks

| notebook | minutes to read | seconds to run |
|---|--:|--:|
{notebooks}

## Machine and versions

| what | which |
|---|---|
{versions}
"""


class Row(NamedTuple):
    """One notebook; `minutes` and `seconds` are None where not stated or not measured."""

    name: str
    title: str
    minutes: int | None
    seconds: float | None


def read_row(notebook: Path, measured: Path) -> Row:
    """Title and minutes from the notebook's first page, seconds from the file of that name in `measured`."""
    text = "\n".join(
        cell.source for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "markdown"
    )
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    minutes = re.search(r"\*\*Minutes:\*\* (\d+)", text)
    seconds = measured / f"{notebook.stem}.json"
    return Row(
        notebook.stem,
        title[1] if title else notebook.stem,
        int(minutes[1]) if minutes else None,
        json.loads(seconds.read_text())["seconds"] if seconds.exists() else None,
    )


def versions() -> dict[str, str]:
    """Kind of machine, Python and the packages that decide what a notebook computes and how the book looks."""
    return {
        "system": f"{platform.system()}, {platform.machine()}",
        "processor cores": str(os.cpu_count()),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "Python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def page(rows: list[Row], found: dict[str, str]) -> str:
    """The page as Markdown: a table of notebooks with their sum, and a table of versions."""
    lines = [
        f"| [{row.name[:2]} {row.title}](notebooks/{row.name}.ipynb) "
        f"| {row.minutes or 'not stated'} | {'not measured' if row.seconds is None else f'{row.seconds:.0f}'} |"
        for row in rows
    ]
    seconds = [row.seconds for row in rows if row.seconds is not None]
    counted = "" if len(seconds) == len(rows) else f", {len(seconds)} measured"
    lines.append(f"| {len(rows)} notebooks{counted} | {sum(row.minutes or 0 for row in rows)} | {sum(seconds):.0f} |")
    listed = [f"| {name} | {value} |" for name, value in found.items()]
    return PAGE.format(notebooks="\n".join(lines), versions="\n".join(listed))


if __name__ == "__main__":
    stage, measured = Path(sys.argv[1]), Path(sys.argv[2])
    notebooks = [read_row(path, measured) for path in sorted((stage / "notebooks").glob("*.ipynb"))]
    (stage / "run_times.md").write_text(page(notebooks, versions()), encoding="utf-8")

"""Execute one notebook: MyST source in, clean .ipynb out.

    python book/execute.py notebooks/03_x.md build/notebooks/03_x.ipynb

The result is the same file for the same source and the same numbers: cell ids come from the
content, and what differs between machines and runs is left out. That keeps diffs readable.
The seconds it took are such a thing: they go into a file of their own, beside the result.
"""

import hashlib
import json
import re
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbclient.output_widget import OutputWidget
from nbformat import NotebookNode

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
CELL_TIMEOUT = 1500  # seconds: eight runs in one cell, on a busy machine


class SilentOutput(OutputWidget):
    """The output area of a widget, whose content is not sent back to the kernel, where nothing reads it.

    jupyter_client sends on the same socket on which it awaits the reply to the cell, and past the event loop. When the
    reply comes in at that moment the loop is never told, and the execution waits for it in vain.
    """

    def sync_state(self) -> None:
        """Send nothing."""


def read_source(path: Path) -> NotebookNode:
    """The notebook written in `path`, with cell ids made from the content of each cell."""
    notebook = jupytext.read(path)
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = hashlib.sha1(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    return notebook


def strip_volatile(notebook: NotebookNode) -> None:
    """Remove what a page cannot show or what changes from run to run."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            # A widget lives in a kernel. Its text form stays; the random model id goes.
            output.get("data", {}).pop(WIDGET_VIEW, None)
            output.get("metadata", {}).pop(WIDGET_VIEW, None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    notebook.metadata.get("jupytext", {}).get("text_representation", {}).pop("jupytext_version", None)
    notebook.metadata.pop("widgets", None)


def fold(notebook: NotebookNode) -> None:
    """Fold in JupyterLab what the book folds: it reads other metadata than the book's tags."""
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if {"hide-cell", "hide-input"} & set(tags):
            cell.metadata["jupyter"] = {"source_hidden": True}
        if "hide-cell" in tags:
            cell.metadata["jupyter"]["outputs_hidden"] = True


def execute(source: Path, target: Path) -> None:
    """Run `source` in its own folder and write `target`; the target appears only when all cells passed."""
    notebook = read_source(source)
    code_cells = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    position = {index: number for number, index in enumerate(code_cells, start=1)}
    started: dict[int, float] = {}

    def say(message: str) -> None:
        print(f"{source.stem:<22} {message}", flush=True)

    def fail(message: str) -> NoReturn:
        say(f"FAILED in cell {position[max(started)]}/{len(code_cells)} of {source}\n{message}")
        sys.exit(1)

    def on_start(cell: NotebookNode, cell_index: int) -> None:
        started[cell_index] = time.perf_counter()

    def on_executed(cell: NotebookNode, cell_index: int, execute_reply: dict[str, Any]) -> None:
        if execute_reply["content"]["status"] == "ok":
            seconds = time.perf_counter() - started[cell_index]
            say(f"cell {position[cell_index]:>2}/{len(code_cells)}  {seconds:6.1f} s")

    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        resources={"metadata": {"path": str(source.parent)}},
        record_timing=False,
        coalesce_streams=True,  # a busy machine delivers one print in pieces
        on_cell_start=on_start,
        on_cell_executed=on_executed,
    )
    client.widget_registry["@jupyter-widgets/output"]["OutputModel"] = SilentOutput
    target.parent.mkdir(parents=True, exist_ok=True)
    log = target.with_suffix(".log")
    begin = time.perf_counter()
    try:
        with log.open("w") as kernel_stderr:  # start-up chatter; worth reading only when a kernel dies
            client.execute(stderr=kernel_stderr)
    except CellExecutionError as error:
        fail(re.sub(r"\x1b\[[0-9;]*m", "", str(error)))  # the traceback comes in terminal colours
    except (CellTimeoutError, DeadKernelError) as error:
        fail(f"{error}\n{log.read_text()}")
    strip_volatile(notebook)
    fold(notebook)
    seconds = time.perf_counter() - begin
    target.with_suffix(".json").write_text(json.dumps({"seconds": round(seconds, 1)}) + "\n")
    partial = target.with_suffix(".partial")
    nbformat.write(notebook, partial)
    partial.replace(target)
    log.unlink()
    say(f"done in {seconds:.1f} s")


if __name__ == "__main__":
    execute(Path(sys.argv[1]), Path(sys.argv[2]))

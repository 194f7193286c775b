"""What moves under a reader's hand in JupyterLab: the explorer of notebook 06, and a film in a notebook of its own."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from conftest import PATIENCE, listening
from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
FAILED = "[data-mime-type='application/vnd.jupyter.error']"  # a cell's traceback
NOTEBOOK = "06_adaptive_pixels.ipynb"

SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # else only the cells in view are built
    "apputils-extension/notification": {"fetchNews": "false"},  # else Lab asks whether it may look for news
}


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a JupyterLab that serves ``folder`` and knows no settings of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name, setting in SETTINGS.items():
        file = folder / ".jupyter/settings/@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(setting))
    own = {f"JUPYTER_{kind}_DIR": str(folder / ".jupyter" / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    own |= {f"JUPYTERLAB_{kind}_DIR": str(folder / ".jupyter" / kind.lower()) for kind in ("SETTINGS", "WORKSPACES")}
    own |= {"PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1"}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    log = folder / "server.log"
    address = f"http://127.0.0.1:{port}"
    with log.open("w") as output:
        server = subprocess.Popen(command, cwd=folder, env={**os.environ, **own}, stdout=output, stderr=output)
    try:
        _wait_for(f"{address}/api", server)
        yield address
    except BaseException:
        print(log.read_text())
        raise
    finally:
        server.terminate()  # it ends its kernels first
        try:
            server.wait(120)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_for(address: str, server: subprocess.Popen) -> None:
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not answer at {address}; exit code {server.poll()}, its log is below")


def run_all(page: Page, lab: str, notebook: str, until: str) -> None:
    """Open the notebook, run its cells, and wait until there is what should come of them."""
    page.goto(f"{lab}/lab/tree/{notebook}?reset")
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()  # before that, running would ask for a kernel
    page.get_by_text("Run", exact=True).first.click()
    page.locator(".lm-Menu-itemLabel", has_text="Run All Cells").first.click()
    page.wait_for_selector(f"{until}, {FAILED}")
    assert page.locator(FAILED).all_inner_texts() == []


def picture(page: Page) -> str:
    """What the explorer's figure shows, as text that differs when a pixel does."""
    return page.locator("img.widget-image").evaluate(
        """async it => {
            await it.decode();
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [it.naturalWidth, it.naturalHeight];
            canvas.getContext("2d").drawImage(it, 0, 0);
            return canvas.toDataURL();
        }"""
    )


def wait_for_another(page: Page, before: str) -> str:
    """The address of the figure changes with every redraw; wait until it is no longer ``before``."""
    page.wait_for_function("src => document.querySelector('img.widget-image').src !== src", arg=before)
    return picture(page)


def address(page: Page) -> str:
    return page.locator("img.widget-image").get_attribute("src") or ""


def move_the_controls(page: Page) -> None:
    at_20, before = picture(page), address(page)
    page.locator(".widget-slider .noUi-handle").first.focus()
    page.keyboard.press("Home")  # seven doublings below 20: T = 0.156
    at_lowest = wait_for_another(page, before)
    assert at_lowest != at_20, "the figure did not follow T"
    assert float(page.locator(".widget-readout").first.inner_text()) == pytest.approx(20 / 2**7, abs=0.001)

    before = address(page)
    page.locator(".widget-dropdown select").select_option("focal")
    assert wait_for_another(page, before) not in (at_20, at_lowest), "the figure did not follow the method"

    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']")
    assert page.locator(FAILED).all_inner_texts() == []
    page.wait_for_selector(".vega-embed select[name=method]")  # the chart's own controls
    assert page.locator(".vega-embed canvas.marks").count() == 1


def test_slider_and_method_redraw_the_figure(browser: Browser, tmp_path: Path) -> None:
    shutil.copy(ROOT / "notebooks" / NOTEBOOK, tmp_path)
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    with serving(tmp_path) as lab, listening(page, lab) as problems:
        run_all(page, lab, NOTEBOOK, "img.widget-image")
        move_the_controls(page)
        page.close()
    # jupyterlab-myst reports as an error that a link leads to a heading which has no label of its own. It leads there.
    assert [it for it in problems if "implicit heading reference" not in it] == []


FILM = """import numpy as np
from patlib.datasets import get_spec
from patlib.teaching.film import film

labels = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 8, 12), np.uint8)
film([1, 2, 3], "epoch", {"truth": labels[0]}, {"CE": labels}, {"mIoU": {"CE": [5.0, 6.0, 7.0]}},
     get_spec("synthetic"), {"CE": "#949494"})"""


def test_a_film_moves(browser: Browser, tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(FILM)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
    nbformat.write(notebook, tmp_path / "film.ipynb")
    page = browser.new_page()
    with serving(tmp_path) as lab, listening(page, lab) as problems:
        run_all(page, lab, "film.ipynb", ".film-controls")
        page.get_by_role("slider", name="epoch").focus()
        page.keyboard.press("ArrowRight")
        assert page.locator(".film-value").inner_text() == "2"
        assert page.locator(".film-rows output").inner_text() == "6.0"
        assert page.locator(".film").evaluate("it => it.style.getPropertyValue('--film-at')") == "0.5"
        page.close()
    assert problems == []

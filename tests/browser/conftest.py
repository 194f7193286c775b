"""The browser that opens the book and JupyterLab, and an ear for what goes wrong in it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# The sandbox needs rights that containers lack; the others keep Chromium itself off the network.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-sync", "--no-first-run", "--disable-quic"]
PATIENCE = 500_000  # milliseconds on a machine busy with other things; on a quiet one all is done within a minute


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def listening(page: Page, *inside: str) -> Iterator[list[str]]:
    """Everything that goes wrong on a page: addresses that start otherwise than ``inside``, failures, errors."""
    page.set_default_timeout(PATIENCE)
    problems: list[str] = []
    listeners = {
        "request": lambda it: None if it.url.startswith((*inside, "data:", "blob:")) else problems.append(it.url),
        "requestfailed": lambda it: problems.append(f"cannot load {it.url}"),
        "console": lambda it: problems.append(it.text) if it.type == "error" else None,
        "pageerror": lambda it: problems.append(str(it)),
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    yield problems
    for event, listener in listeners.items():
        page.remove_listener(event, listener)

"""The built book in a real browser, from the disk: `make check-book` builds it and runs this."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

BOOK = Path(__file__).parents[2] / "build" / "book"
PAGES = [path.relative_to(BOOK).as_posix() for path in sorted(BOOK.rglob("*.html")) if "_static" not in path.parts]
PAGES = [page for page in PAGES if page != "index.html"]  # only forwards to the first page
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

if CHROMIUM is None:
    pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)", allow_module_level=True)
if not PAGES:
    pytest.skip("no book in build/book: run `make book` first", allow_module_level=True)

# The sandbox needs rights that containers lack; the others keep Chromium itself off the network.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-sync", "--no-first-run", "--disable-quic"]
PICTURE = "it => it.tagName === 'CANVAS' ? it.toDataURL() : it.outerHTML"  # what a chart shows right now


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_page()
        browser.close()


@pytest.fixture(params=PAGES)
def opened(request: pytest.FixtureRequest, browser_page: Page) -> Iterator[tuple[Page, list[str]]]:
    """A loaded page, and what went wrong on it so far."""
    page, problems = browser_page, []
    listeners = {
        "request": lambda it: None if it.url.startswith(("file:", "data:", "blob:")) else problems.append(it.url),
        "requestfailed": lambda it: problems.append(f"cannot load {it.url}"),
        "console": lambda it: problems.append(it.text) if it.type == "error" else None,
        "pageerror": lambda it: problems.append(str(it)),
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    page.goto((BOOK / request.param).as_uri(), wait_until="load")
    if page.locator(".math").count():
        page.wait_for_function("window.MathJax?.startup?.promise !== undefined")
        page.evaluate("() => MathJax.startup.promise")
    yield page, problems
    for event, listener in listeners.items():
        page.remove_listener(event, listener)


def test_page_is_whole_and_offline(opened: tuple[Page, list[str]]) -> None:
    page, problems = opened

    equations = page.locator(".math").count()
    assert page.locator("mjx-container").count() >= equations
    assert page.locator("mjx-merror").count() == 0, "MathJax could not read an equation"

    # Images load when they come into view, so fetch them all now.
    page.evaluate("() => document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
    page.wait_for_function("() => [...document.images].every(image => image.complete)")
    for image in page.locator("article img").all():
        assert image.evaluate("image => image.naturalWidth") > 0, image.get_attribute("src")
        alt = image.get_attribute("alt") or ""
        assert alt and not alt.endswith((".png", ".svg", ".jpg")), f"no description: {image.get_attribute('src')}"

    for chart in page.locator(".vega-embed").all():
        drawing = chart.locator("canvas.marks, svg.marks").first
        drawing.wait_for(timeout=10_000)
        slider = chart.locator("input[type=range]")
        if slider.count():
            before = drawing.evaluate(PICTURE)
            slider.first.evaluate(
                "it => { it.value = it.value > (+it.min + +it.max) / 2 ? it.min : it.max;"
                " it.dispatchEvent(new Event('input')); it.dispatchEvent(new Event('change')); }"
            )
            page.wait_for_timeout(500)
            assert drawing.evaluate(PICTURE) != before, "moving the slider did not change the chart"

    assert problems == []

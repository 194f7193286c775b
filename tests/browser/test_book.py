"""The built book in a real browser, from the disk: `make check-book` builds it and runs this."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import listening
from playwright.sync_api import Browser, Locator, Page

from patlib.teaching.weight_curve import pat_weight

BOOK = Path(__file__).parents[2] / "build" / "book"
PAGES = [path.relative_to(BOOK).as_posix() for path in sorted(BOOK.rglob("*.html")) if "_static" not in path.parts]
PAGES = [page for page in PAGES if page != "index.html"]  # only forwards to the first page
PIXELS = "notebooks/06_adaptive_pixels.html"

if not PAGES:
    pytest.skip("no book in build/book: run `make book` first", allow_module_level=True)

PICTURE = "it => it.tagName === 'CANVAS' ? it.toDataURL() : it.outerHTML"  # what a chart shows right now


@pytest.fixture(scope="module")
def browser_page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture(params=PAGES)
def opened(request: pytest.FixtureRequest, browser_page: Page) -> Iterator[tuple[Page, list[str]]]:
    """A loaded page, and what went wrong on it so far."""
    page = browser_page
    with listening(page, "file:") as problems:
        page.goto((BOOK / request.param).as_uri(), wait_until="load")
        if page.locator(".math").count():
            page.wait_for_function("window.MathJax?.startup?.promise !== undefined")
            page.evaluate("() => MathJax.startup.promise")
        yield page, problems


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
        drawing.wait_for()
        slider = chart.locator("input[type=range]")
        if slider.count():
            before = drawing.evaluate(PICTURE)
            slider.first.evaluate(
                "it => { it.value = it.value > (+it.min + +it.max) / 2 ? it.min : it.max;"
                " it.dispatchEvent(new Event('input')); it.dispatchEvent(new Event('change')); }"
            )
            changed = f"([it, before]) => ({PICTURE})(it) !== before"
            page.wait_for_function(changed, arg=[drawing.element_handle(), before])

    for film in page.locator(".film").all():
        value, slider = film.locator(".film-value"), film.get_by_role("slider")
        before = value.inner_text()
        slider.focus()
        page.keyboard.press("Home" if slider.input_value() != "0" else "End")
        assert value.inner_text() != before, "moving the slider did not change the film"

    assert problems == []


def test_the_first_page_learns_when_it_is_started(browser: Browser) -> None:
    page = browser.new_page()
    with listening(page, "file:") as problems:
        page.goto((BOOK / "intro.html").as_uri(), wait_until="load")
        page.click("#live-reset")
        page.get_by_text("Ready.").wait_for()
        page.get_by_role("button", name="Start").click()
        page.wait_for_function("() => +document.querySelector('[data-step=right]').textContent >= 10")
        page.get_by_role("button", name="Pause").click()
        assert problems == []
    page.close()


@pytest.fixture
def chart(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Locator]:
    """The explorer of notebook 06, in a window as wide as the parameter says, or 1280 pixels."""
    page = browser.new_page(viewport={"width": getattr(request, "param", 1280), "height": 900})
    with listening(page, "file:") as problems:
        page.goto((BOOK / PIXELS).as_uri(), wait_until="load")
        found = page.locator(".vega-embed", has=page.locator("select[name=method]"))
        found.locator("canvas.marks").wait_for()
        yield found
        assert problems == []
    page.close()


def rows(chart: Locator, *columns: str) -> list[dict]:
    """The rows of all data sets of the chart's view that have these columns."""
    return chart.evaluate(
        """async (it, columns) => {
            await it.view.runAsync();
            const names = Object.keys(it.view.getState({data: () => true}).data);
            const tables = names.filter(name => name.startsWith("data_")).map(name => it.view.data(name));
            return tables.filter(rows => rows?.length && columns.every(name => name in rows[0])).flat();
        }""",
        columns,
    )


def move(chart: Locator, name: str, value: str) -> None:
    """Set a control as a reader does: the view hears the event, nothing else."""
    chart.locator(f"[name={name}]").evaluate(
        "(it, value) => { it.value = value; for (const kind of ['input', 'change'])"
        " it.dispatchEvent(new Event(kind, {bubbles: true})); }",
        value,
    )
    chart.page.wait_for_timeout(300)
    chart.evaluate("async it => { await it.view.runAsync(); }")


def test_the_explorer_computes_the_curve_and_the_shares(chart: Locator) -> None:
    marks = chart.locator("canvas.marks")
    seen = {marks.evaluate(PICTURE)}
    road_share = {}
    for method, doublings in (("PAT", -6.5), ("PAT, beta only", -6.5), ("cross-entropy", -6.5), ("PAT", -3)):
        move(chart, "doublings", str(doublings))
        move(chart, "method", method)
        seen.add(marks.evaluate(PICTURE))
        curve = rows(chart, "p", "S", "weight", "label")
        p, S, weight = (np.array([row[name] for row in curve]) for name in ("p", "S", "weight"))
        beta = 1 if method == "cross-entropy" else pat_weight(p, 20 * 2**doublings)
        assert len(curve) > 51 * len({row["label"] for row in curve})  # of each class the curve, and the pixels
        assert np.allclose(weight, beta / S if method == "PAT" else beta, rtol=1e-9)
        shares = {row["label"]: row["share"] for row in rows(chart, "label", "share") if "S" not in row}
        assert sum(shares.values()) == pytest.approx(1)
        road_share[method] = shares["Road"]
    assert len(seen) == 5, "moving a control did not change the chart"
    assert road_share["PAT"] < road_share["cross-entropy"]


def test_the_explorer_follows_the_theme(chart: Locator) -> None:
    for theme, ink in (("light", "#323232"), ("dark", "#ced6dd")):
        chart.page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        inked = "([it, ink]) => it.view.signal('ink') === ink"
        chart.page.wait_for_function(inked, arg=[chart.element_handle(), ink])


@pytest.mark.parametrize("chart", [390, 1280], indirect=True)
def test_the_explorer_fits_the_window(chart: Locator) -> None:
    wide, room = chart.evaluate("it => [it.scrollWidth, it.parentElement.clientWidth]")
    assert wide <= room

"""The live picture of the first page under a reader's hands, opened from the disk and without the book around it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import listening
from live_picture import LIVE, stand_alone
from live_still import finished_panel
from playwright.sync_api import Browser, Page

AT_START = "side => document.querySelector(`[data-step=${side}]`).textContent === '0'"
RESTED = "() => !document.querySelector('.live-status').textContent.startsWith('Learning')"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("live") / "live.html"
    path.write_text(stand_alone(), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The picture at step 0, for a reader who wants no motion but may press start."""
    page = browser.new_page(reduced_motion="reduce")
    with listening(page, "file:") as problems:
        page.goto(address)
        page.click("#live-reset")
        page.wait_for_function(AT_START, arg="left")
        yield page
    page.close()
    assert problems == []


def step(page: Page, side: str) -> int:
    return int(page.inner_text(f"[data-step={side}]"))


def learn(page: Page, side: str, steps: int) -> None:
    """Wait until a side has made that many steps."""
    page.wait_for_function(
        "([side, steps]) => +document.querySelector(`[data-step=${side}]`).textContent >= steps",
        arg=[side, steps],
    )


def shown(page: Page, side: str) -> list[str | None]:
    """What a side shows: predictions, bars and loss."""
    found = page.eval_on_selector_all(f"[data-tile={side}]", "tiles => tiles.map(tile => tile.src)")
    found += page.eval_on_selector_all(f".live-bar.live-{side} i", "bars => bars.map(bar => bar.style.width)")
    return [*found, page.get_attribute(f"[data-loss={side}]", "points")]


def pause(page: Page) -> None:
    page.click("#live-run")
    page.wait_for_function(RESTED)


def test_start_learns_and_pause_stops_and_reset_goes_back_to_the_beginning(page: Page) -> None:
    page.click("#live-run")
    learn(page, "left", 10)
    learn(page, "right", 10)
    assert page.inner_text("#live-run") == "Pause"
    pause(page)
    paused, seen = step(page, "left"), shown(page, "left")
    page.wait_for_timeout(1000)
    assert (step(page, "left"), shown(page, "left")) == (paused, seen)
    assert page.inner_text("#live-run") == "Start"

    page.click("#live-run")
    learn(page, "left", paused + 10)
    page.click("#live-reset")
    page.wait_for_function(AT_START, arg="left")
    page.wait_for_timeout(500)
    assert (step(page, "left"), step(page, "right")) == (0, 0)
    assert page.inner_text(".live-status") == "Ready."


def test_the_method_changes_the_right_side_alone_and_it_catches_up(page: Page) -> None:
    page.click("#live-run")
    learn(page, "left", 20)
    pause(page)
    at, left, right = step(page, "left"), shown(page, "left"), shown(page, "right")
    page.select_option("#live-method", "cb")
    page.wait_for_function(AT_START, arg="right")
    assert (step(page, "left"), shown(page, "left")) == (at, left)
    page.click("#live-run")
    learn(page, "right", 10)
    assert step(page, "left") == at
    learn(page, "right", 20)
    pause(page)
    assert shown(page, "right") != right
    assert page.inner_text("#live-name") == "CB" and page.get_attribute("#live", "data-method") == "cb"


def test_both_sides_begin_alike_and_a_seed_has_its_own_scenes(page: Page) -> None:
    left, scene = shown(page, "left"), page.get_attribute("[data-tile=scene] >> nth=0", "src")
    assert left == shown(page, "right")
    page.fill("#live-seed", "7")
    page.press("#live-seed", "Enter")
    page.wait_for_function("before => document.querySelector('[data-tile=scene]').src !== before", arg=scene)
    page.wait_for_function("before => document.querySelector('[data-tile=left]').src !== before", arg=left[0])
    assert shown(page, "left") == shown(page, "right")


def test_every_control_has_a_name_and_works_from_the_keyboard(page: Page) -> None:
    slider = page.get_by_role("slider", name="T, the temperature of PAT")
    assert slider.get_attribute("aria-valuetext") == "20, the paper's"
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext") == page.inner_text("#live-T-value") == "10"
    assert page.get_by_role("slider", name="Alpha, the power of the mask size S").is_enabled()
    page.get_by_role("combobox", name="Right side").select_option("focal")
    assert slider.is_disabled()
    page.get_by_role("spinbutton", name="Seed").focus()
    page.get_by_role("button", name="Start").focus()
    page.keyboard.press("Enter")
    learn(page, "right", 10)
    page.keyboard.press("Enter")
    page.wait_for_function(RESTED)
    for control in page.locator("#live :is(button, select, input)").all():
        assert control.evaluate("it => it.labels.length > 0 || it.ariaLabel || it.tagName === 'BUTTON'")


@pytest.mark.parametrize("width", [390, 1280])
def test_the_picture_fits_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_script_there_is_a_finished_picture_and_no_control(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator(".live-controls").is_hidden()
    assert page.locator(".live-pictures img").count() == 16
    tiles = (LIVE / "panel.html").read_text(encoding="utf-8")
    assert len(re.findall(r'src="data:image/png;base64,\w', tiles)) == 16
    assert page.inner_text("[data-step=left]") == page.inner_text("[data-step=right]") == "600"
    context.close()


def test_what_the_page_shows_before_it_is_started_is_what_a_whole_run_ends_with(browser: Browser) -> None:
    def percentages(panel: str) -> list[int]:
        return [int(number) for number in re.findall(r"<b>(\d+) %</b>", panel)]

    stored = percentages((LIVE / "panel.html").read_text(encoding="utf-8"))
    assert len(stored) == 16
    assert percentages(finished_panel(browser)) == pytest.approx(stored, abs=2)  # exp may differ in its last bit

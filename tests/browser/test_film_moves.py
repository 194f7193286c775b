"""A film under a reader's hands, opened from the disk: pictures, curves and numbers follow the slider."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import listening
from PIL import Image
from playwright.sync_api import Browser, Locator, Page

from patlib.datasets import get_spec
from patlib.teaching.film import film

SPEC = get_spec("synthetic")
K = 5
VALUES = ["0", "0.25", "0.5", "0.75", "1"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page whose film shows class k everywhere in frame k, and a score of 10 k."""
    labels = np.arange(K, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 20, 30), np.uint8)
    moving = film(
        [float(value) for value in VALUES], "tau", {"truth": labels[0]}, {"CE": labels},
        {"mIoU": {"CE": 10.0 * np.arange(K)}}, SPEC, {"CE": "#949494"}, start=1,
    )  # fmt: skip
    path: Path = tmp_path_factory.mktemp("film") / "film.html"
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    path.write_text(f"{head}<title>Film</title><body>{moving.data}</html>", encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    page = browser.new_page()
    with listening(page, "file:") as problems:
        page.goto(address)
        yield page
    page.close()
    assert problems == []


def slider(page: Page) -> Locator:
    return page.get_by_role("slider", name="tau")


def frame(page: Page) -> int:
    """The frame that the picture shows, which has one colour; slider, number and cursor must say the same."""
    for image in page.get_by_alt_text("CE, image").all():
        shown = np.asarray(Image.open(io.BytesIO(image.screenshot())).convert("RGB"))
        inside = shown[5:-5, 5:-5].reshape(-1, 3)
        assert (inside == inside[0]).all(), "parts of two frames are seen"
        at = SPEC.palette.index(tuple(int(part) for part in inside[0]))
        assert slider(page).get_attribute("aria-valuetext") == f"tau {VALUES[at]}"
        assert page.locator(".film-value").inner_text() == VALUES[at]
        assert page.locator(".film-rows output").inner_text() == f"{10 * at}.0"
    cursor = page.locator(".film-curve").evaluate("it => getComputedStyle(it, '::after').left")
    width = page.locator(".film-curve").evaluate("it => it.clientWidth")
    assert float(cursor.removesuffix("px")) == pytest.approx(width * at / (K - 1), abs=0.5)
    return at


@pytest.mark.parametrize("width", [390, 1280])
def test_everything_follows_the_slider_from_the_keyboard(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    assert frame(page) == 1
    slider(page).focus()
    for key, at in (("ArrowRight", 2), ("End", 4), ("ArrowLeft", 3), ("Home", 0)):
        page.keyboard.press(key)
        assert frame(page) == at
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_play_goes_to_the_last_frame_and_begins_again_from_there(page: Page) -> None:
    page.get_by_role("button", name="Play").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Pause").wait_for()
    page.get_by_role("button", name="Play").wait_for(timeout=60_000)
    assert frame(page) == K - 1
    page.get_by_role("button", name="Play").click()
    page.wait_for_function(f"() => +document.querySelector('input').value < {K - 1}")


def test_a_hand_on_the_slider_stops_it(page: Page) -> None:
    page.get_by_role("button", name="Play").click()
    slider(page).focus()
    page.keyboard.press("Home")
    page.get_by_role("button", name="Play").wait_for()
    page.wait_for_timeout(1000)
    assert frame(page) == 0


def test_who_wants_no_motion_gets_the_slider_alone(browser: Browser, address: str) -> None:
    page = browser.new_page(reduced_motion="reduce")
    page.goto(address)
    assert page.get_by_text("Play").is_hidden() and slider(page).is_visible()
    page.close()


def test_without_script_the_first_picture_stands_there(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator("img").count() == 1 and page.locator("img").is_visible()
    assert page.get_by_role("slider").count() == 0
    context.close()

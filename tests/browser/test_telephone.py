"""A telephone: long lines of code wrap with their indentation and are copied as they were, and equations fit."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

STATIC = Path(__file__).parents[2] / "book" / "_static"
LONG = "[some_function_of(x, a_long_name_of_an_argument) for x in range(1000) if another(x)]"
CODE = f'<span class="sd">"""A text of\n\n    three lines."""\n</span>    <b>return</b> {LONG}\n'


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    path = tmp_path / "code.html"
    equations = "".join(
        f"<mjx-container display='true' style='font-size: 120%; display: block; overflow-x: auto; white-space: nowrap'>"
        f"{symbols}</mjx-container>"
        for symbols in ("x", "wide " * 15, "too wide " * 40)
    )
    path.write_text(
        "<!doctype html><script>MathJax = {startup: {promise: Promise.resolve()}}</script>"
        f"<style>{(STATIC / 'page.css').read_text()}</style>"
        f"<script>{(STATIC / 'telephone.js').read_text()}</script><body class='bd-article-container'>"
        f"<div class='cell_input'><div class='highlight'><pre>{CODE}</pre></div></div>{equations}"
    )
    page = browser.new_page(viewport={"width": 1280, "height": 600})
    page.goto(path.as_uri())
    yield page
    page.close()


def test_a_wide_equation_becomes_as_narrow_as_the_page_and_a_narrow_one_stays(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 600})
    page.wait_for_function("document.querySelectorAll('mjx-container')[1].style.fontSize !== '120%'")
    sizes = page.evaluate(
        """[...document.querySelectorAll("mjx-container")].map(it => [parseFloat(it.style.fontSize),
            it.scrollWidth - it.clientWidth])"""
    )
    excess = 2  # pixels, of rounding
    assert sizes[0] == [120, 0]
    assert 60 < sizes[1][0] < 120 and sizes[1][1] <= excess
    assert sizes[2][0] == 60 and sizes[2][1] > excess
    page.set_viewport_size({"width": 1280, "height": 600})  # a telephone turned on its side
    page.wait_for_function("[...document.querySelectorAll('mjx-container')].every(it => it.style.fontSize === '120%')")


def text(page: Page) -> list[str]:
    """The text as it is and as a browser copies it."""
    return page.evaluate("[document.querySelector('pre').textContent, document.querySelector('pre').innerText]")


def test_a_wide_window_leaves_the_code_alone(page: Page) -> None:
    assert page.locator("pre").inner_html() == CODE


def test_on_a_telephone_no_line_is_wider_than_the_page_and_all_text_stays(page: Page) -> None:
    before = text(page)
    page.set_viewport_size({"width": 390, "height": 600})
    page.wait_for_selector(".code-line")
    assert text(page) == before
    assert page.evaluate("document.querySelector('pre').scrollWidth <= document.querySelector('pre').clientWidth")
    assert page.locator(".sd").all_inner_texts() == ['"""A text of', "", '    three lines."""', ""]


def test_what_goes_on_stands_to_the_right_of_where_the_line_began(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 600})
    page.wait_for_selector(".code-line")
    lefts = page.locator(".code-line", has_text="return").evaluate(
        """line => {
            const words = document.createTreeWalker(line, NodeFilter.SHOW_TEXT), range = document.createRange();
            const found = {};
            while (words.nextNode()) for (let k = 0; k < words.currentNode.length; k++) {
                range.setStart(words.currentNode, k);
                range.setEnd(words.currentNode, k + 1);
                const { left, top } = range.getBoundingClientRect();
                if (words.currentNode.data[k] !== " ") found[top] = Math.min(found[top] ?? Infinity, left);
            }
            return Object.keys(found).sort((a, b) => a - b).map(top => found[top]);
        }"""
    )
    first, *others = lefts
    assert len(others) >= 1
    assert others == pytest.approx([others[0]] * len(others)) and first + 5 < others[0] < first + 20

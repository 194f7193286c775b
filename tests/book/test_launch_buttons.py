"""A small book, built without and with the repository's address: the buttons above a page."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

BOOK = Path(__file__).parents[2] / "book"
ADDRESS = "https://github.com/somebody/patlib"
KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}


class Links(HTMLParser):
    """What a page points to (`links`) and what a browser fetches to show it (`fetched`)."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        if tag == "a":
            self.links.append(found.get("href") or "")
        elif tag in {"script", "img", "iframe", "source"}:
            self.fetched.append(found.get("src") or "")
        elif tag == "link":
            self.fetched.append(found.get("href") or "")

    def outside(self) -> list[str]:
        return [url for url in self.fetched if re.match(r"(https?:)?//", url)]


def build(stage: Path, address: str) -> Path:
    """The book's own configuration around a page and a notebook; returns the folder of HTML."""
    (stage / "notebooks").mkdir(parents=True)
    for script in (*BOOK.glob("*.py"), *BOOK.glob("chart.*")):  # the extensions, and what they copy
        shutil.copy(script, stage)
    shutil.copytree(BOOK / "live", stage / "live")
    shutil.copytree(BOOK / "images", stage / "images")
    configuration = (BOOK / "_config.yml").read_text()
    assert configuration.count('repository_url: ""') == 1, "the address has one place"
    configuration = configuration.replace('repository_url: ""', f'repository_url: "{address}"')
    (stage / "_config.yml").write_text(configuration)
    (stage / "_toc.yml").write_text("format: jb-book\nroot: intro\nchapters:\n  - file: notebooks/00_small\n")
    (stage / "intro.md").write_text("# A book\n\nWith words.\n")
    cells = [new_markdown_cell("# A page\n\n$$ x = 1 $$"), new_code_cell("1 + 1", execution_count=1)]
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": KERNEL}), stage / "notebooks" / "00_small.ipynb")
    program = Path(sys.executable).with_name("jupyter-book")
    command = [program, "build", "-q", "-W", "--keep-going", stage]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return stage / "_build" / "html"


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("without") / "stage", "")


@pytest.fixture(scope="module")
def with_address(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("with") / "stage", ADDRESS)


def page(built: Path, name: str) -> Links:
    return Links((built / name).read_text(encoding="utf-8"))


def test_no_button_without_an_address(without: Path) -> None:
    for html in without.rglob("*.html"):
        assert not [link for link in Links(html.read_text()).links if "binder" in link or "colab" in link], html
    assert "Run it online" not in (without / "intro.html").read_text()


def test_the_address_gives_a_notebook_its_buttons(with_address: Path) -> None:
    links = page(with_address, "notebooks/00_small.html").links
    path = "notebooks/00_small.ipynb"
    assert f"https://mybinder.org/v2/gh/somebody/patlib/main?urlpath=lab/tree/{path}" in links
    assert f"https://colab.research.google.com/github/somebody/patlib/blob/main/{path}" in links


def test_the_first_page_says_what_colab_needs(with_address: Path) -> None:
    text = (with_address / "intro.html").read_text()
    assert "Run it online" in text and f"git clone -q {ADDRESS} patlib" in re.sub(r"<[^>]+>", "", text)


@pytest.mark.parametrize("book", ["without", "with_address"])
def test_no_page_fetches_anything_from_outside(book: str, request: pytest.FixtureRequest) -> None:
    """The address adds links to follow, not files to load."""
    for html in request.getfixturevalue(book).rglob("*.html"):
        assert Links(html.read_text()).outside() == [], html


@pytest.mark.parametrize(("name", "source"), [("notebooks/00_small", "ipynb"), ("intro", "md")])
def test_a_page_offers_its_source_for_download(without: Path, name: str, source: str) -> None:
    links = page(without, f"{name}.html").links
    offered = [link for link in links if link.endswith(f"_sources/{name}.{source}")]
    assert offered and (without / f"{name}.html").parent.joinpath(offered[0]).is_file()

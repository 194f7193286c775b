"""Each chapter, for tests that hold for all of them."""

from pathlib import Path

import pytest
from execute import read_source
from nbformat import NotebookNode

SOURCES = sorted((Path(__file__).parents[2] / "notebooks").glob("*.md"))


@pytest.fixture(params=SOURCES, ids=[path.stem for path in SOURCES])
def notebook(request: pytest.FixtureRequest) -> NotebookNode:
    """A chapter as its source has it, without outputs."""
    return read_source(request.param)

"""Executing a notebook."""

import json
from pathlib import Path

import nbformat
import pytest
from execute import SilentOutput, execute, fold

SOURCE = """---
kernelspec:
  display_name: Python 3 (ipykernel)
  language: python
  name: python3
---

```{{code-cell}} ipython3
import sys

for text in ("one ", "two"):
    print(text, end="")
    sys.stdout.flush()  # each flush is a message of its own
{last}
```
"""


def test_the_result_has_whole_outputs_and_its_seconds_lie_beside_it(tmp_path: Path) -> None:
    source, target = tmp_path / "00_small.md", tmp_path / "build" / "00_small.ipynb"
    source.write_text(SOURCE.format(last=""))
    execute(source, target)
    (cell,) = nbformat.read(target, as_version=4).cells
    assert [output.text for output in cell.outputs] == ["one two"]
    assert json.loads(target.with_suffix(".json").read_text())["seconds"] > 0


def test_a_notebook_that_fails_leaves_no_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "00_small.md", tmp_path / "build" / "00_small.ipynb"
    source.write_text(SOURCE.format(last="1 / 0"))
    with pytest.raises(SystemExit):
        execute(source, target)
    assert "FAILED in cell 1/1" in capsys.readouterr().out
    assert not target.exists() and not target.with_suffix(".json").exists()


def test_cells_are_folded_in_jupyterlab_as_in_the_book() -> None:
    cells = [nbformat.v4.new_code_cell(metadata={"tags": tags}) for tags in ([], ["hide-input"], ["hide-cell", "x"])]
    notebook = nbformat.v4.new_notebook(cells=cells)
    fold(notebook)
    assert [cell.metadata.get("jupyter") for cell in notebook.cells] == [
        None,
        {"source_hidden": True},
        {"source_hidden": True, "outputs_hidden": True},
    ]


def test_a_widget_s_output_is_kept_and_nothing_is_sent_to_the_kernel() -> None:
    message = {"parent_header": {}, "msg_type": "stream", "header": {"msg_type": "stream"},
               "content": {"name": "stdout", "text": "drawn"}}  # fmt: skip
    area = SilentOutput("area", {"outputs": []}, kernel_client=None, executor=None)  # would fail to send
    area.output([], message, None, 0)
    assert area.outputs[0]["text"] == "drawn"

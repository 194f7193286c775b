import json

import distributed
import grid
import pytest

# Dask leaves sockets and event loops to the garbage collector when it closes.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def test_all_ways_are_measured_in_milliseconds_a_cell(tmp_path, capsys):
    grid.main(["--cells", "12", "--out", str(tmp_path / "new" / "grid.json")])
    report = json.loads((tmp_path / "new" / "grid.json").read_text())
    assert set(report["milliseconds_a_cell"]) == {"in_process", "local_cluster", "two_drivers"}
    for numbers in report["milliseconds_a_cell"].values():
        assert 0 < numbers["q1"] <= numbers["median"] <= numbers["q3"]
    assert report["cells"] == 12 and report["machine"]["distributed"] == distributed.__version__
    assert "ms a cell" in capsys.readouterr().out


def test_a_way_that_leaves_out_a_cell_is_no_measurement():
    with pytest.raises(AssertionError, match="3 records of 4 cells"):
        grid.measure(lambda folder, cells: grid.drive(folder, cells - 1), 4)


def test_too_few_cells_for_quartiles_are_refused(capsys):
    with pytest.raises(SystemExit):
        grid.main(["--cells", "2"])
    assert "got 2" in capsys.readouterr().err

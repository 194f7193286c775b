import json

import cost
import pytest
import torch

from patlib.losses import LOSSES, build_loss

TINY = cost.Scale(images=1, classes=3, height=16, width=16, model_width=1)
CPU = torch.device("cpu")
QUARTILES = {"median", "q1", "q3"}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What the script writes on a CPU, at the smallest scale."""
    folder = tmp_path_factory.mktemp("cost")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(cost.SCALES, "cpu", TINY)
        cost.main(["--device", "cpu", "--rounds", "2", "--out", str(folder)])
    return json.loads((folder / "cpu.json").read_text())


@pytest.mark.parametrize("part", ["step", "loss"])
def test_every_method_and_the_literal_equation_are_measured(report, part):
    assert set(report[part]) == {*LOSSES, cost.LITERAL}
    for numbers in report[part].values():
        assert set(numbers) == {"seconds", "ratio_to_ce", "peak_memory_bytes", "utilisation"}
        assert all(set(numbers[name]) == QUARTILES for name in ("seconds", "ratio_to_ce", "utilisation"))
    assert report[part]["ce"]["ratio_to_ce"] == {"median": 1.0, "q1": 1.0, "q3": 1.0}


def test_the_report_says_on_what_and_at_which_scale(report):
    assert report["machine"]["torch"] == torch.__version__.split("+")[0]
    assert report["machine"]["device"].startswith("cpu") and report["clock"] == "processor"
    assert (report["scale"]["classes"], report["scale"]["rounds"]) == (3, 2)


def test_peak_memory_of_a_step_is_what_it_held_at_once():
    size = 2**26

    def step():
        first = torch.ones(size // 4)
        del first
        torch.ones(size // 4)

    peak = cost._peak_memory(step, CPU)
    assert peak is None or size * 0.9 < peak < size * 1.5


def test_the_literal_equation_is_the_library_s_loss():
    torch.manual_seed(0)
    _, target = cost.synthetic_batch(cost.Scale(2, 5, 16, 24, model_width=1))
    logits = torch.randn(2, 5, 16, 24, dtype=torch.float64)
    assert (target == 255).any() and len(target.unique()) > 3
    torch.testing.assert_close(cost.literal_pat(logits, target), build_loss("pat", 5)(logits, target))


@pytest.mark.parametrize(
    ("arguments", "message"), [(["--rounds", "1"], "got 1"), (["--device", "cuda"], "use --device cpu")]
)
def test_what_cannot_be_measured_is_said_at_once(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        cost.main([*arguments, "--out", str(tmp_path)])
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

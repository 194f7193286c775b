import copy
import json

import loss
import pytest
import torch
from cost import LITERAL, Scale

from patlib.losses import LOSSES

TINY = Scale(images=2, classes=4, height=16, width=16, model_width=0)
QUARTILES = {"median", "q1", "q3"}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """(folder, names compiled): what the script writes on a CPU at the smallest scale, without a compiler."""
    folder = tmp_path_factory.mktemp("loss")
    compiled = []
    # The script sets both for its process; patched here, they are put back at the end.
    settings = torch._dynamo.config.patch(recompile_limit=8, fail_on_recompile_limit_hit=False)
    with settings, pytest.MonkeyPatch.context() as patch:
        patch.setattr(loss, "SCALE", TINY)
        patch.setattr(torch, "compile", lambda module: compiled.append(module) or module)
        loss.main(["--device", "cpu", "--rounds", "2", "--out", str(folder / "new")])
    return folder / "new", compiled


@pytest.fixture
def report(written):
    return json.loads((written[0] / "loss-cpu.json").read_text())


def made_up(report, device="cpu (made up)", **ratios):
    """The report with every target of the CPU met, but for the compiled PAT's ratios given here."""
    report = copy.deepcopy(report)
    report["machine"]["device"] = device
    report["scale"]["classes"] = 20
    for name, memory in {loss.EAGER: 3.0, "pat": 3.0, "pat, compiled": 1.2}.items():
        report["losses"][name]["peak_memory_logits"] = memory
    same = {"q1": 1.0, "q3": 1.0}
    report["losses"]["pat"] |= {"ratio_to_eager": {"median": 1.1, **same}, "seconds": {"median": 0.05, **same}}
    given = {"ratio_to_compiled": 1.0, "ratio_to_eager": 0.4, "ratio_to_floor": 1.2} | ratios
    report["losses"]["pat, compiled"] |= {name: {"median": value, **same} for name, value in given.items()}
    report["literal_over_pat"] = {"pat": {"median": 4.0, **same}, "pat, compiled": {"median": 9.0, **same}}
    report |= {"sizes_over_read": {"median": 1.0, **same}, "sizes_over_pat": {"median": 0.01, **same}}
    return report


def missed(report):
    return [what for what, _, met in loss.verdicts(report) if not met]


def test_every_method_is_measured_eager_and_compiled(written, report):
    _, compiled = written
    wanted = {loss.EAGER, loss.COMPILED, LITERAL, *LOSSES, *(f"{name}, compiled" for name in LOSSES)}
    assert set(report["losses"]) == wanted
    assert len(compiled) == 1 + len(LOSSES)
    for numbers in report["losses"].values():
        assert all(set(numbers[name]) == QUARTILES for name in numbers if name != "peak_memory_logits")
        assert numbers["peak_memory_logits"] >= 1, "the gradient alone is as large as the logits"


def test_a_ratio_of_a_loss_to_itself_is_one(report):
    ones = {"median": 1.0, "q1": 1.0, "q3": 1.0}
    assert report["losses"][loss.EAGER]["ratio_to_eager"] == ones
    assert report["losses"][loss.COMPILED]["ratio_to_compiled"] == ones


def test_the_literal_equation_holds_more_than_the_library(report):
    assert report["losses"][LITERAL]["peak_memory_logits"] > report["losses"]["pat"]["peak_memory_logits"]


def test_the_report_says_on_what_and_at_which_scale(report):
    assert report["machine"]["device"].startswith("cpu") and report["rounds"] == 2
    assert report["scale"] == {"images": 2, "classes": 4, "height": 16, "width": 16}


def test_the_tiny_report_holds_all_that_the_stored_one_does(report, request):
    stored = json.loads((request.config.rootpath / "book/results/benchmarks/loss-cpu.json").read_text())
    assert set(report) == set(stored) and set(report["losses"]) == set(stored["losses"])


def test_targets_are_met_up_to_their_limits(report):
    assert missed(made_up(report)) == []
    assert missed(made_up(report, ratio_to_compiled=1.05, ratio_to_eager=0.9)) == []


def test_each_target_can_be_missed(report):
    report = made_up(report, ratio_to_compiled=1.06, ratio_to_eager=0.91)
    report["losses"]["pat"]["ratio_to_eager"]["median"] = 1.16
    report["literal_over_pat"]["pat, compiled"]["median"] = 5.9
    report["losses"]["pat"]["peak_memory_logits"] = 3.05
    report["losses"]["pat, compiled"]["peak_memory_logits"] = 1.31
    report["sizes_over_read"]["median"] = 1.1
    assert len(missed(report)) == len(loss.verdicts(report)) == 7


def test_a_gpu_has_two_targets_more(report):
    met = made_up(report, "Made-up GPU")
    assert len(loss.verdicts(met)) == 9 and missed(met) == []
    slow = made_up(report, "Made-up GPU", ratio_to_floor=1.26, ratio_to_eager=0.6)
    assert missed(slow) == ["PAT compiled / floor at most 1.25", "PAT compiled / cross-entropy eager at most 0.5"]
    assert missed(made_up(report, ratio_to_floor=9.0, ratio_to_eager=0.6)) == []


def test_met_and_missed_are_printed(report, capsys):
    loss.show(made_up(report, ratio_to_compiled=1.06))
    output = capsys.readouterr().out
    assert "MISSED PAT compiled / cross-entropy compiled at most 1.05: 1.060" in output
    assert "met    PAT eager / cross-entropy eager at most 1.15: 1.100" in output


@pytest.mark.parametrize(
    ("arguments", "message"), [(["--rounds", "1"], "got 1"), (["--device", "cuda"], "use --device cpu")]
)
def test_what_cannot_be_measured_is_said_at_once(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        loss.main([*arguments, "--out", str(tmp_path)])
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

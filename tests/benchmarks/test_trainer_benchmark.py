import json

import numpy as np
import pytest
import torch
import trainer
from lightning_fabric import Fabric
from PIL import Image

TINY = trainer.Scale(images=8, source=(48, 64), size=(32, 48), model_width=1, batch=4)
LOOPS = ["bare steps", "patlib", "resident, metrics", "decoding", "decoding, metrics"]
# The loaders' workers are forked beside the threads of the libraries.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning", "ignore:.*num_workers.*")


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    fabric = Fabric(accelerator="cpu", devices=1)
    return trainer.Bench(fabric, TINY, tmp_path_factory.mktemp("bench"))


@pytest.mark.parametrize("loop", LOOPS)
def test_every_loop_takes_the_same_number_of_steps_of_the_same_size(bench, loop):
    steps, seen = [], []
    hooks = [
        bench.optimizer.optimizer.register_step_post_hook(lambda *_: steps.append(1)),
        bench.model.register_forward_pre_hook(lambda _, given: seen.append(tuple(given[0].shape))),
    ]
    bench.loops()[loop]()
    for hook in hooks:
        hook.remove()
    assert len(steps) == bench.steps == 2
    assert seen == [(4, 3, 32, 48)] * 2


def test_the_loops_are_those_of_the_page(bench):
    assert list(bench.loops()) == LOOPS


def test_the_resident_epoch_sees_each_image_once(bench):
    brightness = [float(image.mean()) for images, _ in bench.resident_batches() for image in images]
    whole = bench.split.batch(torch.arange(TINY.images))[0]
    assert sorted(brightness) == pytest.approx(sorted(float(image.mean()) for image in whole), abs=1e-5)


def test_the_files_are_the_same_images(bench):
    assert [path.stem for path in bench.loader.dataset.images] == [f"{row:05d}" for row in range(TINY.images)]
    with Image.open(bench.loader.dataset.images[0]) as image:
        assert image.size == (64, 48)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_decoded_image_is_what_lies_on_disk_resized_and_mirrored(bench, mirrored, monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda shape: torch.tensor(0.0 if mirrored else 1.0))
    pixels, labels = bench.loader.dataset[3]
    with Image.open(bench.loader.dataset.images[3]) as image, Image.open(bench.loader.dataset.masks[3]) as mask:
        expected = np.array(image.resize((48, 32), Image.Resampling.BILINEAR)) / 255
        classes = np.array(mask.resize((48, 32), Image.Resampling.NEAREST))
    if mirrored:
        expected, classes = expected[:, ::-1], classes[:, ::-1]
    assert pixels.dtype == torch.float32 and labels.dtype == torch.int64
    np.testing.assert_allclose(pixels.permute(1, 2, 0).numpy(), expected, atol=1e-6)
    np.testing.assert_array_equal(labels.numpy(), classes)


def test_metrics_of_a_step_are_accuracy_and_mean_iou():
    masks = torch.tensor([[[0, 0], [1, 1]]])
    labels = torch.tensor([[[0, 1], [1, 1]]])
    logits = torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2).float()
    assert trainer.step_metrics(logits, masks) == pytest.approx((0.75, (1 / 2 + 2 / 3) / 2))


def test_measuring_leaves_the_network_as_it_was(bench):
    before = [parameter.detach().clone() for parameter in bench.model.parameters()]
    bench.patlib()
    assert all(torch.equal(was, now) for was, now in zip(before, bench.model.parameters(), strict=True))


@pytest.mark.parametrize(("precision", "file"), [("fp32", "trainer-cpu.json"), ("bf16", "trainer-cpu-bf16.json")])
def test_the_report_holds_ratios_and_phases_in_a_file_of_its_precision(precision, file, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(trainer.SCALES, "cpu", TINY)
    words = ["--device", "cpu", "--precision", precision, "--rounds", "2", "--profile", "--out", str(tmp_path / "new")]
    trainer.main(words)
    (path,) = (tmp_path / "new").iterdir()
    assert path.name == file
    report = json.loads(path.read_text())
    assert list(report["loops"]) == LOOPS and report["steps"] == 2 and report["scale"]["precision"] == precision
    assert report["loops"]["bare steps"]["ratio_to_bare_steps"] == {"median": 1.0, "q1": 1.0, "q3": 1.0}
    assert set(report["profile"]) == {"phases_seconds", "operations_share", "host_reads", "host_waits"}
    assert list(report["profile"]["phases_seconds"]) == ["batch", "forward", "loss", "backward", "optimiser"]
    assert 0 < sum(report["profile"]["operations_share"].values()) <= 1
    assert "patlib / bare steps: at most 1.05" in capsys.readouterr().out


@pytest.mark.parametrize(("ratio", "verdict"), [(1.05, "met"), (1.06, "missed")])
def test_the_limit_is_said_to_be_met_or_missed(ratio, verdict, capsys):
    numbers = {"median": ratio, "q1": ratio, "q3": ratio}
    loop = {"seconds": numbers, "ratio_to_bare_steps": numbers, "ratio_to_patlib": numbers}
    trainer.show({"steps": 1, "rounds": 2, "loops": {"patlib": loop}})
    assert capsys.readouterr().out.endswith(f"measured {ratio:.3f}: {verdict}\n")


def test_too_few_rounds_for_quartiles_are_refused(capsys):
    with pytest.raises(SystemExit):
        trainer.main(["--rounds", "1"])
    assert "got 1" in capsys.readouterr().err

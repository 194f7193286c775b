"""What bf16 saves of a training step, and what keeping the state of a run costs: ratios from one process.

    patlib bench precision [--rounds N] [--device auto|cpu|cuda] [--threads N] [--out FOLDER]

Every round takes a step of each network in fp32 and in bf16 (autocast; loss, weights and Adam stay in float32), in an
order drawn anew, on the same batch of the studies' laptop scale (eight images of 90x120, width 16). It also writes the
state of a SegNet run once, as the trainer does at the end of each epoch, after a hundred epochs.

On a processor bf16 pays where it has instructions for it (AVX512_BF16 or AMX); the report says whether it does. Nothing
here fails on a slow day.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from measuring import Step, device_name, machine, quartiles, ratios, rounds, shown

from patlib.datasets import PreparedDataset, Split, get_spec
from patlib.files import write_json
from patlib.losses import build_loss
from patlib.models import build_model
from patlib.trainer.config import RunConfig
from patlib.trainer.group import PRECISIONS
from patlib.trainer.machine import bf16_instructions
from patlib.trainer.run import Run, keep, open_run

SIZE, BATCH, WIDTH, IMAGES, NUM_CLASSES = (90, 120), 8, 16, 367, 11
NETWORKS = ("segnet", "unet")
LIMIT = 0.02


def training_step(name: str, precision: str, accelerator: str) -> Step:
    """A step of a network: forward, PAT, backward, Adam."""
    fabric = Fabric(accelerator=accelerator, devices=1, precision=PRECISIONS[precision])
    torch.manual_seed(0)
    network = build_model(name, NUM_CLASSES, WIDTH).to(memory_format=torch.channels_last)
    # A learning rate of 0 costs the same arithmetic, and leaves every step the same network.
    model, optimizer = fabric.setup(network, torch.optim.Adam(network.parameters(), lr=0.0, fused=True))
    loss = build_loss("pat", NUM_CLASSES).to(fabric.device)
    images = torch.rand(BATCH, 3, *SIZE).contiguous(memory_format=torch.channels_last).to(fabric.device)
    masks = torch.randint(0, NUM_CLASSES, (BATCH, *SIZE)).to(fabric.device)

    def step() -> None:
        fabric.backward(loss(model(images), masks))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def finished_run(folder: Path, accelerator: str) -> Run:
    """A SegNet run that has a hundred epochs behind it, as far as its state is concerned."""
    spec = get_spec("camvid")
    draw = np.random.default_rng(0)
    splits = {}
    for name, count in {"train": BATCH, "val": 101}.items():
        masks = draw.integers(0, NUM_CLASSES, (count, *SIZE), dtype=np.uint8)
        images = draw.integers(0, 256, (count, *SIZE, 3), dtype=np.uint8)
        splits[name] = Split(images, masks, tuple(str(number) for number in range(count)))
    pixels = np.bincount(splits["train"].masks.ravel(), minlength=NUM_CLASSES).tolist()
    dataset = PreparedDataset(spec, SIZE, splits, folder, {"splits": {"train": {"class_pixels": pixels}}})
    config = RunConfig(dataset="camvid", model_width=WIDTH, accelerator=accelerator)
    run = open_run(config, folder, dataset, None)
    run.fabric.backward(run.loss(run.model(run.splits["train"].batch(torch.arange(BATCH))[0]),
                                 run.splits["train"].masks.long()))  # fmt: skip
    run.optimizer.step()
    masks = run.splits["val"].masks
    run.forgetting.before = [masks[index] > NUM_CLASSES // 2 for index in run.splits["val"].batches(BATCH)]
    matrix = np.full((NUM_CLASSES, NUM_CLASSES), 10_000).tolist()
    run.curves = [{"epoch": epoch, "train_loss": 1 / 3, "val_confusion": matrix} for epoch in range(100)]
    return run


def measure(accelerator: str, number: int) -> dict[str, Any]:
    """Quartiles of seconds and of bf16 / fp32, round by round; of keeping the state, its share of an epoch's steps.

    The epoch is that of the quicker precision, beside which the share is largest.
    """
    steps = {
        f"{name} {precision}": training_step(name, precision, accelerator)
        for name in NETWORKS
        for precision in ("fp32", "bf16")
    }
    device = Fabric(accelerator=accelerator, devices=1).device
    with tempfile.TemporaryDirectory() as folder:
        run = finished_run(Path(folder), accelerator)
        steps["keep"] = lambda: keep(run)
        times = rounds(steps, device, number, "steps of each network and precision")
    seconds = {name: [it.wall for it in taken] for name, taken in times.items()}
    steps_an_epoch = -(-IMAGES // BATCH)
    quicker = [min(pair) for pair in zip(seconds["segnet fp32"], seconds["segnet bf16"], strict=True)]
    epoch = [steps_an_epoch * taken for taken in quicker]
    return {
        "seconds": {name: quartiles(taken) for name, taken in seconds.items()},
        "bf16_to_fp32": {name: ratios(seconds[f"{name} bf16"], seconds[f"{name} fp32"]) for name in NETWORKS},
        "keep_to_epoch": ratios(seconds["keep"], epoch),
    }


def show(report: dict[str, Any]) -> None:
    print(f"medians and quartiles over {report['rounds']} rounds, {report['machine']['threads']} thread(s)")
    for name, ratio in report["bf16_to_fp32"].items():
        print(f"{name:<8} bf16 / fp32: {shown(ratio)}")
    share = report["keep_to_epoch"]
    verdict = "met" if share["median"] <= LIMIT else "missed"
    print(f"keeping the state / an epoch in the quicker precision: {shown(share, 4)}, at most {LIMIT}: {verdict}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Compare training steps in fp32 and bf16; time keeping a run's state.")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int, default=1, help="processor threads of PyTorch (default: 1)")
    parser.add_argument("--rounds", type=int, default=21, help="at least 2 (default: 21)")
    parser.add_argument("--out", type=Path, default=Path("book/results/benchmarks"), help="folder")
    given = parser.parse_args(arguments)
    if given.rounds < 2:
        parser.error(f"--rounds must be at least 2, for quartiles; got {given.rounds}")
    torch.set_num_threads(given.threads)
    accelerator = "cuda" if given.device != "cpu" and torch.cuda.is_available() else "cpu"
    device = Fabric(accelerator=accelerator, devices=1).device
    facts = machine(device)  # first: the load is to be that of others
    report = {
        "machine": facts | {"bf16_instructions": bf16_instructions(device)},
        "scale": {"size": SIZE, "batch": BATCH, "model_width": WIDTH, "loss": "pat", "images_an_epoch": IMAGES},
        "rounds": given.rounds,
        **measure(accelerator, given.rounds),
    }
    show(report)
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / f"precision-{device_name(device)}.json"
    write_json(path, report)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()

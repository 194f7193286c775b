"""What the trainer adds to the bare steps of an epoch, and how other loops compare: ratios from one process.

    patlib bench trainer [--rounds N] [--device auto|cpu|cuda] [--precision fp32|bf16] [--profile] [--out FOLDER]

Every round runs, in an order drawn anew, an epoch of each loop over the same images with the same network (SegNet),
loss (PAT), batch and precision, and as many bare steps on one batch that already lies on the device:

- ``patlib``: :func:`patlib.trainer.step.train_epoch`, data resident on the device, nothing read back;
- ``resident, metrics``: the same data, but accuracy and mean IoU of every step computed and read, as in the code
  released with the PAT paper;
- ``decoding``: a DataLoader with two workers that decode, resize and mirror each image in each epoch, as most
  repositories do;
- ``decoding, metrics``: both, which is what the released code does.

The limit that counts is patlib's epoch over the bare steps: 1.05. Nothing here fails on a slow day.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from measuring import device_name, machine, quartiles, ratios, rounds, shown
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from trainer_profile import profile

from patlib import datasets
from patlib.datasets import Split
from patlib.files import write_json
from patlib.losses import PixelLoss, build_loss
from patlib.models import build_model
from patlib.trainer.batches import DeviceSplit, shuffled
from patlib.trainer.group import PRECISIONS
from patlib.trainer.step import train_epoch

LIMIT = 1.05


@dataclass(frozen=True)
class Scale:
    """Images of an epoch, their size on disk and in training, and the network's width."""

    images: int
    source: tuple[int, int]
    size: tuple[int, int]
    model_width: int
    batch: int = 8


SCALES = {
    "cuda": Scale(256, source=(720, 960), size=(256, 512), model_width=32),
    "cpu": Scale(64, source=(360, 480), size=(96, 128), model_width=8),
}
"""The files are JPEG at the size of CamVid as it was published (on a CPU: of its common copy)."""


class Files(Dataset):
    """Images and masks on disk, decoded, resized and mirrored each time one is asked for."""

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        self.images, self.masks = sorted(folder.glob("*.jpg")), sorted(folder.glob("*.png"))
        self.size = size

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        height, width = self.size
        image = Image.open(self.images[row]).resize((width, height), Image.Resampling.BILINEAR)
        mask = Image.open(self.masks[row]).resize((width, height), Image.Resampling.NEAREST)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(255)
        labels = torch.from_numpy(np.array(mask)).long()
        return (pixels.flip(2), labels.flip(1)) if torch.rand(()) < 0.5 else (pixels, labels)


class Bench:
    """Network, loss, optimiser and data of a measurement; each loop below is an epoch over the same images."""

    def __init__(self, fabric: Fabric, scale: Scale, folder: Path) -> None:
        torch.manual_seed(0)
        self.fabric, self.scale = fabric, scale
        scenes = datasets.prepare("synthetic", scale.size, cache=folder, progress=False).splits["train"]
        rows = np.arange(scale.images) % len(scenes)
        split = Split(scenes.images[rows], scenes.masks[rows], tuple(str(row) for row in range(scale.images)))
        write_files(folder / "files", split, scale.source)
        spec = datasets.get_spec("synthetic")
        network = build_model("segnet", spec.num_classes, scale.model_width).to(memory_format=torch.channels_last)
        # A learning rate of 0 costs the same arithmetic, and leaves every epoch the same network.
        optimizer = torch.optim.Adam(network.parameters(), lr=0.0, fused=True)
        self.model, self.optimizer = fabric.setup(network, optimizer)
        self.loss: PixelLoss = build_loss("pat", spec.num_classes).to(fabric.device)
        self.split = DeviceSplit(split, fabric.device)
        self.order = torch.Generator().manual_seed(0)
        self.loader = fabric.setup_dataloaders(
            DataLoader(
                Files(folder / "files", scale.size), scale.batch, shuffle=True, num_workers=2,
                pin_memory=fabric.device.type == "cuda",
            )
        )  # fmt: skip
        self.one_batch = self.split.batch(torch.arange(scale.batch, device=fabric.device))

    @property
    def steps(self) -> int:
        return self.scale.images // self.scale.batch

    def bare_steps(self) -> None:
        images, masks = self.one_batch
        for _ in range(self.steps):
            self.fabric.backward(self.loss(self.model(images), masks))
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)

    def patlib(self) -> None:
        rows, mirrored = shuffled(self.scale.images, self.order, augment=True)
        losses: list[Tensor] = []
        train_epoch(
            self.fabric, self.model, self.loss, self.optimizer, self.split, rows, mirrored, self.scale.batch,
            losses.append,
        )  # fmt: skip
        torch.stack(losses).tolist()

    def loop(self, batches: Iterable[tuple[Tensor, Tensor]], metrics: bool) -> None:
        """A loop as it is often written: the loss is read at every step, and the metrics if they are asked for."""
        for images, masks in batches:
            logits = self.model(images.contiguous(memory_format=torch.channels_last))
            value = self.loss(logits, masks)
            self.fabric.backward(value)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            value.item()
            if metrics:
                step_metrics(logits.detach(), masks)

    def resident_batches(self) -> Iterable[tuple[Tensor, Tensor]]:
        rows, mirrored = shuffled(self.scale.images, self.order, augment=True)
        for index, flipped in zip(rows.split(self.scale.batch), mirrored.split(self.scale.batch), strict=True):
            yield self.split.batch(index.to(self.fabric.device), flipped.to(self.fabric.device))

    def loops(self) -> dict[str, Callable[[], None]]:
        return {
            "bare steps": self.bare_steps,
            "patlib": self.patlib,
            "resident, metrics": lambda: self.loop(self.resident_batches(), metrics=True),
            "decoding": lambda: self.loop(self.loader, metrics=False),
            "decoding, metrics": lambda: self.loop(self.loader, metrics=True),
        }


def step_metrics(logits: Tensor, masks: Tensor) -> tuple[float, float]:
    """Pixel accuracy and mean IoU of one batch, class by class and read at once, as the released code takes them."""
    labels = logits.argmax(1)
    accuracy = ((labels == masks).sum() / masks.numel()).item()
    ious = []
    for label in range(logits.shape[1]):
        true, named = masks == label, labels == label
        if true.any().item():
            ious.append(((true & named).sum() / (true | named).sum()).item())
    return accuracy, sum(ious) / max(len(ious), 1)


def write_files(folder: Path, split: Split, size: tuple[int, int]) -> None:
    """The images of a split as JPEG and its masks as PNG, enlarged to the size of published files."""
    folder.mkdir()
    height, width = size
    for row in range(len(split)):
        image = Image.fromarray(split.images[row]).resize((width, height), Image.Resampling.BILINEAR)
        image.save(folder / f"{row:05d}.jpg", quality=92)
        mask = Image.fromarray(split.masks[row]).resize((width, height), Image.Resampling.NEAREST)
        mask.save(folder / f"{row:05d}.png")


def measure(bench: Bench, number: int) -> dict[str, Any]:
    """Seconds of an epoch of each loop, and their ratios to the bare steps and to patlib's epoch, with quartiles."""
    times = rounds(bench.loops(), bench.fabric.device, number, "epochs of each loop")
    seconds = {name: [it.wall for it in taken] for name, taken in times.items()}
    return {
        name: {
            "seconds": quartiles(taken),
            "ratio_to_bare_steps": ratios(taken, seconds["bare steps"]),
            "ratio_to_patlib": ratios(taken, seconds["patlib"]),
        }
        for name, taken in seconds.items()
    }


def show(report: dict[str, Any]) -> None:
    print(f"{report['steps']} steps an epoch; medians and quartiles over {report['rounds']} rounds")
    print(f"{'loop':<20}{'ms a step':>10}{'/ bare steps':>24}{'/ patlib':>24}")
    for name, numbers in report["loops"].items():
        step = 1000 * numbers["seconds"]["median"] / report["steps"]
        bare, own = (shown(numbers[ratio]) for ratio in ("ratio_to_bare_steps", "ratio_to_patlib"))
        print(f"{name:<20}{step:>10.2f}{bare:>24}{own:>24}")
    ratio = report["loops"]["patlib"]["ratio_to_bare_steps"]["median"]
    print(f"patlib / bare steps: at most {LIMIT}, measured {ratio:.3f}: {'met' if ratio <= LIMIT else 'missed'}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Compare an epoch of the trainer with bare steps and other loops.")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--rounds", type=int, default=15, help="epochs of each loop, at least 2 (default: 15)")
    parser.add_argument("--profile", action="store_true", help="say where the time of an epoch goes")
    parser.add_argument("--out", type=Path, default=Path("book/results/benchmarks"), help="folder")
    given = parser.parse_args(arguments)
    if given.rounds < 2:
        parser.error(f"--rounds must be at least 2, for quartiles; got {given.rounds}")
    on_gpu = given.device != "cpu" and torch.cuda.is_available()
    torch.backends.cudnn.benchmark = on_gpu  # as in patlib.trainer.group.open_fabric
    fabric = Fabric(accelerator="cuda" if on_gpu else "cpu", devices=1, precision=PRECISIONS[given.precision])
    facts = machine(fabric.device)  # first: the load is to be that of others
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(fabric, SCALES[fabric.device.type], Path(folder))
        report = {
            "machine": facts,
            "scale": {**asdict(bench.scale), "model": "segnet", "loss": "pat", "precision": given.precision},
            "steps": bench.steps,
            "rounds": given.rounds,
            "loops": measure(bench, given.rounds),
        }
        if given.profile:
            report["profile"] = profile(bench)
    show(report)
    given.out.mkdir(parents=True, exist_ok=True)
    # Each precision has a file of its own, lest one replaces the other.
    suffix = "" if given.precision == "fp32" else f"-{given.precision}"
    path = given.out / f"trainer-{device_name(fabric.device)}{suffix}.json"
    write_json(path, report)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()

"""What a training step costs with each method: time, memory and utilisation, as in the paper's Fig. 6.

    python benchmarks/cost.py [--device auto|cpu|cuda] [--rounds N] [--out book/results/cost]

Every round runs one step of each method, in an order drawn anew, in one process: what else the machine does hits all
alike, and a ratio to cross-entropy is taken within its round. Measured are a whole training step of SegNet (forward,
loss, backward, Adam) and the loss alone (forward and backward on given logits), for the eight methods and for PAT's
Eq. 4 as it stands, with its (N,L,H,W) weight tensor. Each kind of device writes a file of its own. Shapes: N images,
L classes, H x W pixels.

On a CPU seconds are processor seconds, into which other programs do not enter; utilisation is their share of wall time
and threads; the peak is that of resident memory, known on Linux only. On a GPU seconds are wall seconds, utilisation is
what the driver reports if pynvml is installed, and the peak is what torch allocates.
"""

from __future__ import annotations

import argparse
import ctypes
import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from measuring import Step, device_name, machine, peak_bytes, quartiles, ratios, rounds, wait_for
from torch import Tensor
from tqdm import tqdm

from patlib.datasets import IGNORE_INDEX
from patlib.files import write_json
from patlib.losses import LOSSES, build_loss
from patlib.models import build_model

LITERAL = "literal_pat"
LOSS_ROUNDS = 4  # times as many rounds of the loss alone, which is short
GPU_SECONDS = 2.0  # the driver averages utilisation over up to a second
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Scale:
    """The size of the batch and of the network."""

    images: int
    classes: int
    height: int
    width: int
    model_width: int


SCALES = {"cuda": Scale(4, 20, 256, 512, model_width=32), "cpu": Scale(2, 20, 128, 256, model_width=8)}
"""Cityscapes as the paper has it, 20 classes at 256x512; on a CPU a quarter of the pixels, and a quarter of SegNet."""


def literal_pat(logits: Tensor, target: Tensor, T: float = 20.0) -> Tensor:
    """Eq. 4 and 5 of the PAT paper as they stand, with eps = 0: every channel gets a weight, then a one-hot mask."""
    p = torch.softmax(logits, dim=1)  # (N,L,H,W)
    beta = 1 / torch.exp((p.detach() - 1) / T)  # (N,L,H,W)
    y = torch.stack([target == label for label in range(logits.shape[1])], dim=1).to(logits.dtype)  # (N,L,H,W)
    S = y.sum(dim=(2, 3), keepdim=True)  # (N,L,1,1)
    share = torch.where(S > 0, y / S.clamp_min(1), 0)
    return -(beta * share * torch.log(p)).sum() / len(logits)


def measure(device: torch.device, scale: Scale, rounds: int) -> dict[str, Any]:
    """All numbers of one device: machine, scale, and by method those of a whole step and of the loss alone."""
    torch.manual_seed(0)
    images, target = synthetic_batch(scale)
    images, target = images.to(device), target.to(device)
    class_pixels = torch.bincount(target[target != IGNORE_INDEX].cpu(), minlength=scale.classes)
    losses: dict[str, Loss] = {name: build_loss(name, scale.classes, class_pixels).to(device) for name in LOSSES}
    losses[LITERAL] = literal_pat

    model = build_model("segnet", scale.classes, scale.model_width).to(device, memory_format=torch.channels_last)
    # A learning rate of 0 costs the same arithmetic, and leaves every step the same network.
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0)
    logits = (3 * torch.randn(scale.images, scale.classes, scale.height, scale.width)).to(device).requires_grad_()

    def training_step(loss: Loss) -> Step:
        def step() -> None:
            loss(model(images), target).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        return step

    def loss_step(loss: Loss) -> Step:
        def step() -> None:
            loss(logits, target).backward()
            logits.grad = None

        return step

    whole = {name: training_step(loss) for name, loss in losses.items()}
    alone = {name: loss_step(loss) for name, loss in losses.items()}
    return {
        "machine": machine(device),
        "clock": "wall" if device.type == "cuda" else "processor",
        "scale": {**asdict(scale), "model": "segnet", "precision": "fp32", "rounds": rounds},
        "step": _compare(whole, device, rounds, "whole step"),
        "loss": _compare(alone, device, LOSS_ROUNDS * rounds, "loss alone"),
    }


def synthetic_batch(scale: Scale) -> tuple[Tensor, Tensor]:
    """Noise (N,3,H,W), and labels (N,H,W) in connected patches, long-tailed over the classes; the top row is void."""
    images = torch.rand(scale.images, 3, scale.height, scale.width).contiguous(memory_format=torch.channels_last)
    share = 0.75 ** torch.arange(scale.classes)
    rows, columns = scale.height // 8, scale.width // 8
    patches = torch.multinomial(share, scale.images * rows * columns, replacement=True)
    target = patches.view(scale.images, rows, columns).repeat_interleave(8, 1).repeat_interleave(8, 2)
    target[:, 0] = IGNORE_INDEX
    return images, target


def _compare(steps: dict[str, Step], device: torch.device, number: int, name: str) -> dict[str, Any]:
    times = rounds(steps, device, number, f"{name}, time")
    on_gpu = device.type == "cuda"
    seconds = {method: [it.wall if on_gpu else it.processor for it in taken] for method, taken in times.items()}
    table = {}
    for method, step in tqdm(steps.items(), desc=f"{name}, memory", unit="method"):
        peaks = [_peak_memory(step, device) for _ in range(3)]
        busy = [it.processor / (it.wall * torch.get_num_threads()) for it in times[method]]
        table[method] = {
            "seconds": quartiles(seconds[method]),
            "ratio_to_ce": ratios(seconds[method], seconds["ce"]),
            "peak_memory_bytes": None if None in peaks else statistics.median(peaks),
            "utilisation": _gpu_utilisation(step, device) if on_gpu else quartiles(busy),
        }
    return table


def _peak_memory(step: Step, device: torch.device) -> int | None:
    """Bytes that a step takes at its peak above what was resident before; None where the system does not tell."""
    if device.type == "cuda":
        return peak_bytes(step, device)
    try:
        # Blocks that were freed but kept for later would be missing from the step's own growth.
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again at what is resident
    except (OSError, AttributeError, TypeError):  # not Linux, not glibc, or not allowed
        return None
    before = _resident("VmRSS")
    step()
    return _resident("VmHWM") - before


def _resident(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return 1024 * int(found[1])


def _gpu_utilisation(step: Step, device: torch.device) -> dict[str, float] | None:
    samples = []
    started = time.perf_counter()
    while (passed := time.perf_counter() - started) < GPU_SECONDS:
        step()
        if passed > GPU_SECONDS / 2:
            try:
                samples.append(torch.cuda.utilization(device) / 100)
            except Exception:  # pynvml is missing or the driver does not tell: each has an error class of its own
                return None
    wait_for(device)
    return quartiles(samples) if len(samples) > 1 else None


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure what a training step costs with each method.")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--rounds", type=int, default=40, help="steps of each method, at least 2 (default: 40)")
    parser.add_argument("--out", type=Path, default=Path("book/results/cost"), help="folder")
    given = parser.parse_args(arguments)
    if given.rounds < 2:
        parser.error(f"--rounds must be at least 2, for quartiles; got {given.rounds}")
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: torch finds no CUDA device here; use --device cpu")
    name = "cuda" if given.device != "cpu" and torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / f"{device_name(device)}.json"
    write_json(path, measure(device, SCALES[name], given.rounds))
    print(f"wrote {path}")


if __name__ == "__main__":
    main()

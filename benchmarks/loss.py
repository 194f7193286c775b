"""The loss at the price of cross-entropy: forward and backward of every method, eager and compiled, as ratios.

    patlib bench loss [--rounds N] [--device auto|cpu|cuda] [--out FOLDER]

4 images, 20 classes, 256x512, float32, as the paper has Cityscapes. Measured are the eight methods, PyTorch's own
cross-entropy, and PAT's Eq. 4 as it stands; time as a ratio to cross-entropy in the same round, memory as the most
that PyTorch's allocator held, in units of the logits. The floor is what no implementation can beat: the logits read
twice (for the sum over classes, and for the gradient) and the gradient written once, at the bandwidth of a copy
measured in the same rounds. The verdicts are printed; nothing fails on a slow day.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from cost import LITERAL, Loss, Scale, literal_pat, synthetic_batch
from measuring import Clocked, Step, device_name, machine, peak_bytes, quartiles, ratios, rounds, shown
from torch import Tensor

from patlib.datasets import IGNORE_INDEX
from patlib.files import write_json
from patlib.losses import LOSSES, build_loss, mask_sizes

SCALE = Scale(4, 20, 256, 512, model_width=0)
EAGER, COMPILED = "cross_entropy", "cross_entropy, compiled"
COPY, READ, SIZES = "copy", "read of the labels", "mask sizes"


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """PyTorch's own, which everything is compared with."""
    return F.cross_entropy(logits, target, ignore_index=IGNORE_INDEX)


def build_losses(class_pixels: Tensor, classes: int, device: torch.device) -> dict[str, Loss]:
    """Every loss by name, eager and compiled."""
    # The methods share their forward pass, of which the compiler keeps this many versions. Past it they would run
    # eagerly, and be measured as compiled.
    torch._dynamo.config.recompile_limit = 4 * len(LOSSES)
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    losses: dict[str, Loss] = {EAGER: cross_entropy, COMPILED: torch.compile(cross_entropy)}
    for name in LOSSES:
        losses[name] = build_loss(name, classes, class_pixels).to(device)
        losses[f"{name}, compiled"] = torch.compile(build_loss(name, classes, class_pixels).to(device))
    return losses | {LITERAL: literal_pat}


def measure(device: torch.device, scale: Scale, number: int) -> dict[str, Any]:
    """All numbers of one device: seconds, ratios, bytes over the logits' bytes, and the floor."""
    facts = machine(device)  # first: the load is to be that of others
    torch.manual_seed(0)
    target = synthetic_batch(scale)[1].to(device)
    class_pixels = torch.bincount(target[target != IGNORE_INDEX].cpu(), minlength=scale.classes)
    logits = (3 * torch.randn(scale.images, scale.classes, scale.height, scale.width)).to(device).requires_grad_()
    source, copied = torch.randn_like(logits), torch.empty_like(logits)

    def step(loss: Loss) -> Step:
        def run() -> None:
            loss(logits, target).backward()
            logits.grad = None

        return run

    losses = build_losses(class_pixels, scale.classes, device)
    steps: dict[str, Step] = {name: step(loss) for name, loss in losses.items()}

    def copy() -> None:
        copied.copy_(source)

    of_labels: dict[str, Step] = {
        READ: target.sum,
        SIZES: lambda: mask_sizes(target, scale.classes, IGNORE_INDEX),
        "pat": steps["pat"],
    }
    seconds = _wall(rounds(steps | {COPY: copy}, device, number, "forward and backward"))
    # Copying something large puts the labels out of the caches, where a loss finds them too.
    labels = _wall(rounds(of_labels, device, number, "labels", before=copy))
    logits_bytes = logits.numel() * logits.element_size()
    floor = [1.5 * taken for taken in seconds[COPY]]  # a copy moves two tensors of the logits' size, the floor three
    return {
        "machine": facts,
        "scale": {"images": scale.images, "classes": scale.classes, "height": scale.height, "width": scale.width},
        "rounds": number,
        "copy_bytes_a_second": quartiles([2 * logits_bytes / taken for taken in seconds[COPY]]),
        "floor_seconds": quartiles(floor),
        "losses": {
            name: {
                "seconds": quartiles(seconds[name]),
                "ratio_to_eager": ratios(seconds[name], seconds[EAGER]),
                "ratio_to_compiled": ratios(seconds[name], seconds[COMPILED]),
                "ratio_to_floor": ratios(seconds[name], floor),
                "peak_memory_logits": peak_bytes(run, device) / logits_bytes,
            }
            for name, run in steps.items()
        },
        "literal_over_pat": {
            name: ratios(seconds[LITERAL], seconds[name]) for name in ("pat", "pat, compiled")
        },
        "labels_seconds": {name: quartiles(labels[name]) for name in (READ, SIZES)},
        "sizes_over_read": ratios(labels[SIZES], labels[READ]),
        "sizes_over_pat": ratios(labels[SIZES], labels["pat"]),
    }  # fmt: skip


def _wall(times: dict[str, list[Clocked]]) -> dict[str, list[float]]:
    return {name: [it.wall for it in taken] for name, taken in times.items()}


def verdicts(report: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """(target, what was measured, whether it is met)."""
    losses = report["losses"]
    pixels = 1 / report["scale"]["classes"]  # a float32 for each pixel, in units of the logits

    def most(what: str, name: str, ratio: str, limit: float) -> tuple[str, str, bool]:
        numbers = losses[name][ratio]
        return f"{what} at most {limit}", shown(numbers), numbers["median"] <= limit

    literal = report["literal_over_pat"]
    memory = {name: losses[name]["peak_memory_logits"] for name in (EAGER, "pat", "pat, compiled")}
    sizes, share = report["sizes_over_read"], report["sizes_over_pat"]["median"]
    rows = [
        most("PAT compiled / cross-entropy compiled", "pat, compiled", "ratio_to_compiled", 1.05),
        most("PAT compiled / cross-entropy eager", "pat, compiled", "ratio_to_eager", 0.9),
        most("PAT eager / cross-entropy eager", "pat", "ratio_to_eager", 1.15),
        (
            "Eq. 4 as it stands / PAT compiled at least 6",
            f"{shown(literal['pat, compiled'], 1)}; / PAT eager {shown(literal['pat'], 1)}",
            literal["pat, compiled"]["median"] >= 6,
        ),
        (
            "peak memory of PAT eager at most cross-entropy's and half an (N,H,W)",
            f"{memory['pat']:.2f} and {memory[EAGER]:.2f} logits",
            memory["pat"] <= memory[EAGER] + 0.5 * pixels,
        ),
        (
            "peak memory of PAT compiled at most one logits and six (N,H,W)",
            f"{memory['pat, compiled']:.2f} logits",
            memory["pat, compiled"] <= 1 + 6 * pixels,
        ),
        (
            "mask sizes / a read of the labels at most 1",
            f"{shown(sizes, 1)}; {100 * share:.1f} % of PAT eager",
            sizes["median"] <= 1,
        ),
    ]
    if report["machine"]["device"].startswith("cpu"):
        return rows
    return [
        *rows,
        most("PAT compiled / floor", "pat, compiled", "ratio_to_floor", 1.25),
        most("PAT compiled / cross-entropy eager", "pat, compiled", "ratio_to_eager", 0.5),
    ]


def show(report: dict[str, Any]) -> None:
    facts = report["machine"]
    print(f"\n{facts['device']}, {facts['threads']} threads, load {facts['load']:.1f}, {report['rounds']} rounds")
    print(f"{'':<26}{'ms':>9}{'/ eager CE':>24}{'/ compiled CE':>24}{'/ floor':>9}{'memory, logits':>16}")
    for name, numbers in report["losses"].items():
        print(
            f"{name:<26}{1000 * numbers['seconds']['median']:>9.2f}{shown(numbers['ratio_to_eager']):>24}"
            f"{shown(numbers['ratio_to_compiled']):>24}{numbers['ratio_to_floor']['median']:>9.2f}"
            f"{numbers['peak_memory_logits']:>16.2f}"
        )
    print(f"copy: {report['copy_bytes_a_second']['median'] / 1e9:.1f} GB/s, read and written")
    for what, measured, met in verdicts(report):
        print(f"{'met   ' if met else 'MISSED'} {what}: {measured}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure what each loss costs, eager and compiled.")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--rounds", type=int, default=40, help="steps of each loss, at least 2 (default: 40)")
    parser.add_argument("--out", type=Path, default=Path("book/results/benchmarks"), help="folder")
    given = parser.parse_args(arguments)
    if given.rounds < 2:
        parser.error(f"--rounds must be at least 2, for quartiles; got {given.rounds}")
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: torch finds no CUDA device here; use --device cpu")
    device = torch.device("cuda" if given.device != "cpu" and torch.cuda.is_available() else "cpu")
    report = measure(device, SCALE, given.rounds)
    show(report)
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / f"loss-{device_name(device)}.json"
    write_json(path, report)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()

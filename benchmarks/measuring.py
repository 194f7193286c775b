"""What the benchmarks share: steps timed in rounds, ratios within a round, memory at its peak, the machine's facts.

A round runs each step once, in an order drawn anew, in one process: what else the machine does hits all alike, and a
ratio is taken within its round.
"""

from __future__ import annotations

import os
import platform
import random
import re
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from patlib.trainer.machine import versions

Step = Callable[[], object]
WARM_UP = 2


class Clocked(NamedTuple):
    """Seconds of one step: by the clock on the wall, and of processor time."""

    wall: float
    processor: float


def rounds(
    steps: dict[str, Step], device: torch.device, number: int, name: str, before: Step | None = None
) -> dict[str, list[Clocked]]:
    """Each step ``number`` times, round by round, after rounds of warming up; ``name`` heads the progress bar.

    ``before`` runs before every step and is not timed.
    """
    order, draw = list(steps), random.Random(0)
    times: dict[str, list[Clocked]] = {step: [] for step in steps}
    for turn in tqdm(range(WARM_UP + number), desc=name, unit="round"):
        draw.shuffle(order)
        for step in order:
            if before is not None:
                before()
            taken = clocked(steps[step], device)
            if turn >= WARM_UP:
                times[step].append(taken)
    return times


def clocked(step: Step, device: torch.device) -> Clocked:
    """One step, from an idle device to an idle device."""
    wait_for(device)
    wall, processor = time.perf_counter(), time.process_time()
    step()
    wait_for(device)
    return Clocked(time.perf_counter() - wall, time.process_time() - processor)


def wait_for(device: torch.device) -> None:
    """Return when the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def ratios(one: Sequence[float], other: Sequence[float]) -> dict[str, float]:
    """Quartiles of one / other, round by round."""
    return quartiles([mine / its for mine, its in zip(one, other, strict=True)])


def quartiles(values: Sequence[float]) -> dict[str, float]:
    """Median and quartiles of at least two values."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": middle, "q1": low, "q3": high}


def shown(numbers: dict[str, float], digits: int = 3) -> str:
    """A median and its quartiles, as "1.020 [1.011, 1.040]"."""
    return f"{numbers['median']:.{digits}f} [{numbers['q1']:.{digits}f}, {numbers['q3']:.{digits}f}]"


def peak_bytes(step: Step, device: torch.device) -> int:
    """The most that PyTorch's allocator held at once during a step, above what it held before."""
    step()  # what is allocated once and kept is there now
    if device.type == "cuda":
        wait_for(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        step()
        wait_for(device)
        return torch.cuda.max_memory_allocated(device) - before
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as seen:
        step()
    # The profiler's own list of allocations (positive) and releases (negative), in the order they happened.
    events = [event for event in seen.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def machine(device: torch.device) -> dict[str, Any]:
    """Device, threads, versions and the system's load at this moment, as every report holds them."""
    on_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else f"cpu ({platform.machine()})",
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan"),
        "system": platform.system(),
        "python": platform.python_version(),
        **versions("patlib", "torch"),
    }


def device_name(device: torch.device) -> str:
    """``cpu`` or ``cuda-<name>``, for file names: numbers of two kinds of device never share a file."""
    if device.type == "cpu":
        return "cpu"
    return f"cuda-{re.sub(r'[^a-z0-9]+', '-', torch.cuda.get_device_name(device).lower()).strip('-')}"

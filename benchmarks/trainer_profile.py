"""Where the time of a training epoch goes, and what of it the host waits for."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from measuring import clocked, quartiles

SHOWN = 12


def profile(bench: Any) -> dict[str, Any]:
    """Print and return an epoch's parts: phases of a step, the operations that take longest, values the host reads."""
    phases = _phases(bench)
    print("one step, each phase waited for:")
    for name, numbers in phases.items():
        print(f"  {name:<12}{1000 * numbers['median']:>9.2f} ms")
    device = bench.fabric.device
    on_gpu = device.type == "cuda"
    kinds = [torch.profiler.ProfilerActivity.CPU] + [torch.profiler.ProfilerActivity.CUDA] * on_gpu
    with torch.profiler.profile(activities=kinds) as seen:
        bench.patlib()
    averages = seen.key_averages()
    if on_gpu:  # a kernel's time stands on its own row, and again on that of the operation that started it
        averages = [row for row in averages if row.device_type == torch.autograd.DeviceType.CUDA]
    key = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    total = sum(getattr(row, key) for row in averages)
    longest = sorted(averages, key=lambda row: -getattr(row, key))[:SHOWN]
    print("operations of an epoch by their own time:")
    for row in longest:
        print(f"  {row.key[:44]:<46}{row.count:>6} calls{100 * getattr(row, key) / total:>7.1f} %")
    reads = next((row.count for row in averages if row.key == "aten::_local_scalar_dense"), 0)
    waits = _synchronisations(bench) if on_gpu else None
    if on_gpu:
        print(f"the host waits for the device {waits} times in an epoch of {bench.steps} steps, its two ends included")
    else:
        print(f"{reads} values are read: on a CPU, and only there, labels are checked and Adam reads its step counters")
    return {
        "phases_seconds": phases,
        "operations_share": {row.key: getattr(row, key) / total for row in longest},
        "host_reads": reads,
        "host_waits": waits,
    }


def _phases(bench: Any, number: int = 10) -> dict[str, dict[str, float]]:
    """Seconds of the phases of a step, with quartiles; the device is idle between them."""
    fabric, device = bench.fabric, bench.fabric.device
    index = torch.arange(bench.scale.batch, device=device)
    state: dict[str, Any] = {}
    steps = {
        "batch": lambda: state.update(batch=bench.split.batch(index, index % 2 == 0)),
        "forward": lambda: state.update(logits=bench.model(state["batch"][0])),
        "loss": lambda: state.update(value=bench.loss(state["logits"], state["batch"][1])),
        "backward": lambda: fabric.backward(state.pop("value")),
        "optimiser": lambda: (bench.optimizer.step(), bench.optimizer.zero_grad(set_to_none=True)),
    }
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(1 + number):
        for name, step in steps.items():
            taken[name].append(clocked(step, device).wall)
    return {name: quartiles(seconds[1:]) for name, seconds in taken.items()}


def _synchronisations(bench: Any) -> int:
    """How often CUDA says that the host waited during an epoch, the reading of its losses at the end included."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            bench.patlib()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(warning.message) for warning in caught)

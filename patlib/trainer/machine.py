"""What a record says of the machine, the versions and the commit that made it."""

from __future__ import annotations

import functools
import platform
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch


def machine_facts(device: torch.device) -> dict[str, Any]:
    """Device, threads, commit and versions."""
    return {
        "device": device_title(device),
        "threads": torch.get_num_threads(),
        "commit": commit(),
        "python": platform.python_version(),
        **versions("patlib", "torch", "lightning-fabric", "torchmetrics", "numpy"),
    }


def device_title(device: torch.device) -> str:
    """What a record calls a device: the GPU's name, or "cpu (x86_64)"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type} ({platform.machine()})"


def versions(*packages: str) -> dict[str, str | None]:
    """The versions of packages; None for one that is on the path without being installed, as a checkout can be."""
    found: dict[str, str | None] = dict.fromkeys(packages)
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


@functools.cache
def commit() -> str | None:
    """The commit that the library was loaded from, with a mark if files differ from it; None outside a repository."""
    root = Path(__file__).parent.parent.parent
    if not (root / ".git").exists():  # installed, perhaps inside somebody else's repository
        return None
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        answer = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()


def bf16_instructions(device: torch.device) -> bool:
    """Whether a device has instructions of its own for bf16; without them PyTorch emulates it, many times slower.

    A PyTorch without `torch.cpu.get_capabilities` cannot tell of a processor, and the answer is then no.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))

"""One run on several devices: a group of processes, one a device, each of which calls :func:`patlib.train.fit`.

Processes of their own, and not forks or threads of this one: it works from a notebook, from a Dask worker and after
CUDA has been used. They find each other as those that ``torchrun`` starts do, whose environment they are given.
"""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from patlib.config import RunConfig
from patlib.parent import stop_with_parent

FAILURE = ".failure"
"""The error of the process that failed first, in the run's folder until it is raised again."""


def inside_group() -> bool:
    """Whether this process is one of a group that ``torchrun`` started."""
    return torch.distributed.is_torchelastic_launched()


def fit_in_processes(config: RunConfig, folder: Path, progress: bool) -> dict[str, Any]:
    """Run ``fit(config, folder)`` in ``config.devices`` processes of this machine; returns the record.

    Raises what the first of them to fail raised, and RuntimeError if one was killed. When this process dies they stop.
    """
    failure = folder / FAILURE
    failure.unlink(missing_ok=True)
    command = [sys.executable, "-m", "patlib.processes", config.model_dump_json(), str(folder), str(int(progress))]
    # Their standard input is a pipe from this process: its end is how they learn of this one's.
    group = [
        subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
        for environment in _environments(config.devices)
    ]
    try:
        while any(process.poll() is None for process in group) and not any(process.returncode for process in group):
            time.sleep(0.05)
    finally:
        killed = [process.returncode for process in group if (process.returncode or 0) < 0]
        for process in group:
            process.kill()  # nothing to those that have ended; the others wait for one that failed
            process.communicate()
    error = pickle.loads(failure.read_bytes()) if failure.exists() else None
    failure.unlink(missing_ok=True)
    if error is not None and not killed:
        raise error
    if codes := killed or [process.returncode for process in group if process.returncode]:
        died = f"a process of {config.devices} died (exit status {codes[0]}), for want of memory perhaps"
        raise RuntimeError(died) from error  # of another process, which missed the one that died
    return json.loads((folder / "record.json").read_text())


def _environments(count: int) -> list[dict[str, str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {
        "TORCHELASTIC_RUN_ID": "patlib", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GROUP_RANK": "0",
        "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count),
    }  # fmt: skip
    threads = {"OMP_NUM_THREADS": str(max(1, torch.get_num_threads() // count))}
    # This process's threads are what OMP_NUM_THREADS said of it: the group shares them.
    return [{**os.environ, **threads, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]


def main(config: str, folder: str, progress: str) -> None:
    """One process of the group."""
    stop_with_parent()
    from patlib.train import fit

    try:
        fit(RunConfig.model_validate_json(config), folder, progress=bool(int(progress)))
    except Exception as error:
        _keep(error, Path(folder) / FAILURE)
        os._exit(1)  # at once: the others wait for this one, and it would wait for them
    torch.distributed.destroy_process_group()


def _keep(error: Exception, path: Path) -> None:
    try:
        content = pickle.dumps(error)
        pickle.loads(content)
    except Exception:
        content = pickle.dumps(RuntimeError("".join(traceback.format_exception(error))))
    # The others fail next, for want of this one: only the first failure is the cause.
    own = path.with_name(f"{path.name}-{os.getpid()}")
    own.write_bytes(content)
    with suppress(FileExistsError):
        os.link(own, path)
    own.unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])

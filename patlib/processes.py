"""One run on several devices: a group of processes, one a device, each of which calls :func:`patlib.train.fit`.

    python -m torch.distributed.run --standalone --nproc-per-node 2 -m patlib.processes CONFIG FOLDER PROGRESS

is what :func:`fit_in_processes` starts. Processes of their own, and not forks or threads of this one: it works from a
notebook, from a Dask worker and after CUDA has been used.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from patlib.config import RunConfig

FAILURE = ".failure"
"""The error of the process that failed first, in the run's folder until it is raised again."""


def inside_group() -> bool:
    """Whether this process is one of a group that ``torchrun`` started."""
    return torch.distributed.is_torchelastic_launched()


def fit_in_processes(config: RunConfig, folder: Path, progress: bool) -> dict[str, Any]:
    """Run ``fit(config, folder)`` in ``config.devices`` processes of this machine; returns the record.

    Raises what the first of them to fail raised. When this process dies they stop.
    """
    failure = folder / FAILURE
    failure.unlink(missing_ok=True)
    threads = max(1, torch.get_num_threads() // config.devices)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={config.devices}"]
    command += ["-m", "patlib.processes", config.model_dump_json(), str(folder), str(int(progress))]
    # Their standard input is a pipe from this process: its end is how they learn of this one's.
    with subprocess.Popen(command, stdin=subprocess.PIPE, env={"OMP_NUM_THREADS": str(threads), **os.environ}) as group:
        code = group.wait()
    if failure.exists():
        error = pickle.loads(failure.read_bytes())
        failure.unlink()
        raise error
    if code:
        raise RuntimeError(f"training on {config.devices} devices ended with exit status {code}; its output says why")
    return json.loads((folder / "record.json").read_text())


def main(config: str, folder: str, progress: str) -> None:
    """One process of the group."""
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    from patlib.train import fit

    try:
        fit(RunConfig.model_validate_json(config), folder, progress=bool(int(progress)))
    except Exception as error:
        # The others fail next, for want of this one: only the first failure is the cause.
        with suppress(FileExistsError), (Path(folder) / FAILURE).open("xb") as file:
            pickle.dump(error, file)
        raise
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _stop_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])

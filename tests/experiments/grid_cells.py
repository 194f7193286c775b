"""Cells that train nothing, which other processes can import: each notes its process, then leaves a record."""

import os
import signal
import sys
import time

from patlib.experiments import runner
from patlib.trainer.config import RunConfig

CONFIGS = [RunConfig(seed=seed, accelerator="cpu") for seed in range(6)]


def noted(config, folder):
    """Lines that the cell wrote, one for each time it began."""
    path = folder / config.run_path / "began"
    return path.read_text().split() if path.exists() else []


def quick(config, folder):
    with open(folder / config.run_path / "began", "a") as file:
        file.write(f"{os.getpid()}\n")
    (folder / config.run_path / "record.json").write_text("{}")


def waiting(config, folder):
    """Goes on when the file ``go`` appears."""
    with open(folder / config.run_path / "began", "a") as file:
        file.write(f"{os.getpid()}\n")
    wait_until(lambda: (folder / "go").exists())
    (folder / config.run_path / "record.json").write_text("{}")


def first_waits(config, folder):
    (waiting if config == CONFIGS[0] else quick)(config, folder)


def first_fails(config, folder):
    if config == CONFIGS[0]:
        raise OSError("the disk\nis full")
    quick(config, folder)


def first_kills_its_worker(config, folder):
    if config == CONFIGS[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    quick(config, folder)


def notes_its_gpu(config, folder):
    from distributed import get_worker

    state = get_worker().state
    text = f"{os.environ['CUDA_VISIBLE_DEVICES']} {state.available_resources['GPU']:g} {os.environ['OMP_NUM_THREADS']}"
    (folder / config.run_path / "began").write_text(text)


def wait_until(condition, seconds=600):
    """Poll, because a slow machine takes its time; TimeoutError if it takes too long."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s in vain")
        time.sleep(0.02)


if __name__ == "__main__":  # a driver: FOLDER CELL [WORKERS]
    folder, name, *workers = sys.argv[1:]
    runner.run_grid(CONFIGS, folder, False, globals()[name], *map(int, workers))

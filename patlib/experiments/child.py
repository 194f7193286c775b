"""One run of a queue in a process of its own, as the queue sees it: its environment, and what it printed."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

import torch

from patlib.experiments.progress import one_line
from patlib.trainer.config import RunConfig


@dataclass
class Child:
    """A process that makes one run."""

    config: RunConfig
    process: subprocess.Popen[bytes]
    said: IO[str]
    errors: IO[str]
    began: float
    """When, on the clock of ``time.monotonic``."""

    @classmethod
    def begin(cls, command: Sequence[str], config: RunConfig, environment: Mapping[str, str]) -> Child:
        """Start the process. Its standard input is a pipe that closes when this process ends, and then it ends, too."""
        said, errors = _temporary(), _temporary()
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=errors, env=environment)
        return cls(config, process, said, errors, time.monotonic())

    def close(self) -> str:
        """Close the files of a process that has ended; returns what it printed, or else the end of its errors."""
        if self.process.stdin:
            self.process.stdin.close()
        texts = []
        for file in (self.said, self.errors):
            file.seek(0)
            texts.append(file.read().strip())
            file.close()
        return texts[0] or one_line(texts[1]) or "it said nothing"


def _temporary() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")


def environments(workers: int) -> Sequence[dict[str, str]]:
    """The environment of each worker: its GPU, in turn, or its share of the processors."""
    if torch.cuda.is_available():
        visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
        gpus = visible or [str(number) for number in range(torch.cuda.device_count())]
        return [{**os.environ, "CUDA_VISIBLE_DEVICES": gpus[slot % len(gpus)]} for slot in range(workers)]
    threads = os.environ.get("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))
    return [{**os.environ, "OMP_NUM_THREADS": threads}] * workers

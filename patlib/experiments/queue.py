"""A queue of runs in processes of their own, the most telling first, for as long as a budget of time lasts.

If something ends a run before it has a record (the end of the budget, Ctrl-C, a killed queue), the run goes on from its
last epoch the next time. Several queues may share a folder: a run is made under its lock, so it is made once.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch

from patlib.experiments.cell import hold_run, is_there
from patlib.experiments.child import Child, environments
from patlib.experiments.durations import Durations
from patlib.experiments.progress import one_line, spoken
from patlib.experiments.worker import BUSY, DONE, NO_DATA
from patlib.files import replacing
from patlib.trainer.config import RunConfig
from patlib.trainer.records import read_record, read_records
from patlib.trainer.state import FOLDER

WORKER = (sys.executable, "-m", "patlib.experiments.worker")
POLL_SECONDS = 0.2
BUSY_SECONDS = 10.0  # between two looks at what another process runs
GRACE_SECONDS = 5.0  # from asking a run to stop to stopping it


@dataclass
class QueueResult:
    """How the runs of a queue ended, in numbers; ``failed`` holds (run name, most telling line of its error)."""

    done: int = 0
    there: int = 0
    without_data: int = 0
    elsewhere: int = 0
    left: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        counts = {
            "done": self.done, "there before": self.there, "failed": len(self.failed),
            "without their dataset": self.without_data, "run by another process": self.elsewhere, "left": self.left,
        }  # fmt: skip
        return "runs: " + (", ".join(f"{count} {what}" for what, count in counts.items() if count) or "none")


def state_of(config: RunConfig, runs: Path, records: Path) -> Literal["there", "started", "missing"]:
    """Whether a run has its record (among ``runs`` or ``records``), has been started, or neither."""
    if is_there(config, records) or is_there(config, runs):
        return "there"
    return "started" if (runs / config.run_path / FOLDER).is_dir() else "missing"


def keep_record(config: RunConfig, runs: Path, records: Path) -> None:
    """Copy a run's record, without its weights, to the folder of the records."""
    source, target = runs / config.run_path / "record.json", records / config.run_path / "record.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        temporary.write_bytes(source.read_bytes())


def _print(text: str) -> None:
    print(text, flush=True)  # so that a log file shows at any moment how far the queue is


def run_queue(
    configs: Iterable[RunConfig],
    runs: str | Path,
    records: str | Path,
    minutes: float,
    workers: int = 1,
    nice: int = 10,
    say: Callable[[str], object] = _print,
) -> QueueResult:
    """Make the runs that have no record, ``workers`` at a time, for so many minutes; those begun before go first.

    Each run has its folder below ``runs``, and its record is copied below ``records`` when it ends. A run that fails
    does not stop the rest, and a missing dataset is reported once. Each process has the priority ``nice``, its share of
    the processors (unless OMP_NUM_THREADS states a number) and, on CUDA, one GPU in turn. ``say`` is called with a line
    about each run that begins or ends. Raises ValueError for less than one worker or no time.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    if minutes <= 0:
        raise ValueError(f"minutes must be above 0, got {minutes:g}")
    queue = _Queue(Path(runs).resolve(), Path(records).resolve(), workers, nice, say)
    queue.fill(configs)
    try:
        queue.work(time.monotonic() + 60 * minutes)
    finally:
        queue.stop()
    return queue.result


class _Queue:
    def __init__(self, runs: Path, records: Path, workers: int, nice: int, say: Callable[[str], object]) -> None:
        self.runs, self.records, self.workers, self.nice, self.say = runs, records, workers, nice, say
        self.environments = environments(workers)
        self.threads = 1 if torch.cuda.is_available() else int(self.environments[0]["OMP_NUM_THREADS"])
        self.waiting: list[RunConfig] = []
        self.running: dict[int, Child] = {}
        self.looked: dict[Path, float] = {}  # when another process was last seen to be making a run
        self.absent: set[str] = set()
        self.result = QueueResult()
        runs.mkdir(parents=True, exist_ok=True)
        self.durations = Durations([*read_records(records), *read_records(runs)])

    def fill(self, configs: Iterable[RunConfig]) -> None:
        """Leave out the runs that are there, and put those that were started before the others, in the given order."""
        unique = {config.run_path: config for config in configs}.values()
        states = {config.run_path: state_of(config, self.runs, self.records) for config in unique}
        for config in unique:
            if states[config.run_path] == "there":
                self._found(config)
        for state in ("started", "missing"):
            self.waiting += [config for config in unique if states[config.run_path] == state]

    def work(self, deadline: float) -> None:
        """Keep all workers busy until the deadline, or until nothing is left that this queue can do."""
        while time.monotonic() < deadline:
            for slot in range(self.workers):
                child = self.running.get(slot)
                if child and child.process.poll() is not None:
                    self._ended(self.running.pop(slot))
                if slot not in self.running and (config := self._next()):
                    self.running[slot] = self._start(config, slot)
            if not self.running:
                break
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """End the processes that still run, and count what is left."""
        for child in self.running.values():
            child.process.terminate()
        end = time.monotonic() + GRACE_SECONDS
        for child in self.running.values():
            try:
                child.process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            child.close()
            if is_there(child.config, self.runs):  # the run ended by itself just before it was stopped
                keep_record(child.config, self.runs, self.records)
                self.result.done += 1
            else:
                self.result.left += 1
                self.say(f"stopped {child.config.run_name}: it goes on next time")
        self.running.clear()
        elsewhere = sum(config.run_path in self.looked for config in self.waiting)
        self.result.elsewhere += elsewhere
        self.result.left += len(self.waiting) - elsewhere

    def _next(self) -> RunConfig | None:
        """Take the first waiting run that can be begun."""
        now = time.monotonic()
        for config in list(self.waiting):
            if config.dataset in self.absent:
                self.waiting.remove(config)
                self.result.without_data += 1
            elif is_there(config, self.runs):
                self.waiting.remove(config)
                self._found(config)
            elif now - self.looked.get(config.run_path, -BUSY_SECONDS) >= BUSY_SECONDS:
                try:
                    with hold_run(config, self.runs):
                        pass
                except BlockingIOError:
                    self.looked[config.run_path] = now
                    continue
                except OSError as error:
                    self.waiting.remove(config)
                    self.result.failed.append((config.run_name, f"{type(error).__name__}: {error}"))
                    self._tell(f"failed {config.run_name}: {error}")
                    continue
                self.looked.pop(config.run_path, None)
                self.waiting.remove(config)
                return config
        return None

    def _start(self, config: RunConfig, slot: int) -> Child:
        child = Child.begin(
            (*WORKER, config.model_dump_json(), str(self.runs), str(self.nice)), config, self.environments[slot]
        )
        seconds = self.durations.of(config)
        about = "" if seconds is None else f", about {spoken(seconds / self.threads)}"
        self._tell(f"began {config.run_name}{about}")
        return child

    def _ended(self, child: Child) -> None:
        config, status = child.config, child.process.returncode
        message = child.close()
        if is_there(config, self.runs):
            keep_record(config, self.runs, self.records)
            self.durations.add(read_record(self.records / config.run_path / "record.json", config))
            self.result.done += 1
            self._tell(f"done {config.run_name} in {spoken(time.monotonic() - child.began)}; {self._time_left()}")
        elif status == BUSY:
            self.looked[config.run_path] = time.monotonic()
            self.waiting.insert(0, config)
        elif status == NO_DATA:
            if config.dataset not in self.absent:
                self._tell(f"{config.dataset} is not run: {message}")
            self.absent.add(config.dataset)
            self.result.without_data += 1
        else:
            if status < 0:
                message = f"it was killed (signal {-status}), for want of memory perhaps"
            elif status == DONE:
                message = "it left no record"
            self.result.failed.append((config.run_name, one_line(message)))
            self._tell(f"failed {config.run_name}: {one_line(message)}")

    def _found(self, config: RunConfig) -> None:
        self.result.there += 1
        if not is_there(config, self.records):
            keep_record(config, self.runs, self.records)

    def _time_left(self) -> str:
        left = [*self.waiting, *(child.config for child in self.running.values())]
        seconds, unknown = self.durations.total(left)
        known = f", about {spoken(seconds / self.threads / self.workers)}" if len(left) > unknown else ""
        others = f" and {unknown} of unknown length" if unknown and known else ""
        return f"{len(left)} left{known}{others}"

    def _tell(self, text: str) -> None:
        self.say(f"{time.strftime('%H:%M')} {text}")

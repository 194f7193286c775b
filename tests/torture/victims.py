"""What is done in processes that are killed, and how they are started: from one that has imported torch, so at once."""

import json
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import torch

from patlib import datasets
from patlib.datasets import synthetic
from patlib.experiments import queue, runner
from patlib.files import write_json
from patlib.parent import stop_with_parent
from patlib.trainer import launch, loop
from patlib.trainer.config import RunConfig
from patlib.trainer.records import read_record

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([
    "patlib.trainer.launch", "patlib.experiments.queue", "patlib.experiments.runner", "patlib.datasets.synthetic",
])  # fmt: skip

HANGS_SECONDS = 600
"""How long something small may take on a busy machine before it is said to hang."""

ONE_OF_A_GROUP = 3
"""The exit status of a grid of which not this process was killed, but one of a group that it had started."""

TOUCHES = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.link", "shutil.rmtree"}
"""Audit events of what changes a disk, and of opening a file to read it."""


def watch_touches(below: str, act) -> None:
    """Call ``act`` with the number of each touch of the files below a folder, before it is made."""
    number = 0

    def hook(event, arguments):
        nonlocal number
        if (
            event in TOUCHES
            and isinstance(arguments[0], str | os.PathLike)
            and os.fspath(arguments[0]).startswith(below)
        ):
            number += 1
            act(number)

    sys.addaudithook(hook)


def start(function, *arguments, below=None, at=None, count=None):
    """A process that does something; it kills itself ``at`` a touch of what is ``below``, or writes their ``count``."""
    process = CONTEXT.Process(target=_begin, args=(function, arguments, below, at, count))
    process.start()
    return process


def _begin(function, arguments, below, at, count):
    torch.set_num_threads(1)
    synthetic.COUNTS.update(train=40, val=8, test=8)  # scenes: enough of them to be killed between two
    last = [0]

    def act(number):
        last[0] = number
        if number == at:
            os.kill(os.getpid(), signal.SIGKILL)

    if below is not None:
        watch_touches(str(below), act)
    function(*arguments)
    if count is not None:
        Path(count).write_text(str(last[0]))


def whole(function, folder, *arguments):
    """Let something be done to its end in a folder; returns how many touches and how many seconds it took."""
    began, count = time.monotonic(), folder.with_name("count")
    process = start(function, folder, *arguments, below=folder, count=count)
    process.join(HANGS_SECONDS)
    process.kill()
    process.join()
    assert process.exitcode == 0, f"exit status {process.exitcode}; it is killed after {HANGS_SECONDS} s"
    return int(count.read_text()), time.monotonic() - began


def killed(rng, touches, seconds, function, folder, *arguments):
    """Kill what is being done at a random touch or moment of those it takes; returns whether it had not ended."""
    by_touch = rng.random() < 0.6
    process = start(function, folder, *arguments, below=folder, at=rng.randint(1, touches) if by_touch else None)
    process.join(None if by_touch else rng.uniform(0, seconds))
    process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL, ONE_OF_A_GROUP)
    return process.exitcode != 0


def prepare(folder, size):
    """Draw the scenes, decode and keep them."""
    datasets.prepare("synthetic", size, cache=folder, progress=False)


def grid(folder, settings, cache, keep_seconds):
    """Runs as a grid makes them, one after another; the processes of a group are forks of this one."""
    os.environ["PATLIB_CACHE"] = str(cache)
    loop.KEEP_SECONDS = keep_seconds
    launch.subprocess = Forks
    failures = runner.run_grid([RunConfig(**each) for each in settings], folder, progress=False)
    if failures and all("died (exit status -9)" in error for _, error in failures):
        sys.exit(ONE_OF_A_GROUP)  # forks inherit the touch at which to die
    assert not failures, failures


class Forks:
    """In place of subprocess: ``python -m patlib.trainer.rank FOLDER`` without the seconds of its imports."""

    PIPE = launch.subprocess.PIPE

    @staticmethod
    def Popen(command, stdin, env, popen=launch.subprocess.Popen):
        def be_rank():
            os.closerange(3, 4096)  # whoever starts it waits until these are closed
            os.environ.clear()
            os.environ.update(env)
            stop_with_parent()
            from torchmetrics.utilities.prints import rank_zero_only

            from patlib.trainer import rank

            rank_zero_only.rank = int(env["RANK"])  # which it read when it was imported
            torch.set_num_threads(1)
            rank.main(command[-1])
            os._exit(0)

        return popen(command, stdin=stdin, env=env, preexec_fn=be_rank)


def again(folder, settings, cache):
    """A run that has its record, trained anew; goes on where that was killed before."""
    os.environ["PATLIB_CACHE"] = str(cache)
    config = RunConfig(**settings)
    launch.fit(config, folder / config.run_path, progress=False)


def queued(folder, settings):
    """Runs as a queue makes them, two at a time, by workers that train nothing."""
    queue.WORKER = (sys.executable, "-S", str(Path(__file__).parent / "quick_worker.py"))
    queue.POLL_SECONDS, queue.BUSY_SECONDS = 0.02, 0.1
    said = queue.run_queue(
        [RunConfig(**each) for each in settings], folder / "runs", folder / "records", 10, 2, 0, _mute
    )
    assert not said.failed and not said.left, said


def _mute(text):
    pass


def write_records(path, record, until):
    """Write a record over and over, each time another one of the same length."""
    number = 0
    while not Path(until).exists():
        number += 1
        write_json(Path(path), {**record, "writer": [os.getpid(), number]})


def read_records(path, until, answer):
    """Read a record over and over; how often, as JSON. Any that is not whole is an error."""
    number, writers = 0, set()
    while not Path(until).exists():
        read_record(path)
        writers.add(json.loads(Path(path).read_text())["writer"][0])
        number += 1
        Path(answer).touch()
    Path(answer).write_text(json.dumps([number, sorted(writers)]))

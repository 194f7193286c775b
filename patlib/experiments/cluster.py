"""Runs on Dask: on worker processes of this machine, or on the workers of any Dask scheduler.

The driver never hands out more runs than there are workers. Dask blames a run for the death of a worker to which it was
assigned, and with one run to a worker that is the run that the worker was making.
"""

from __future__ import annotations

import os
import queue
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from logging import CRITICAL
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patlib.experiments.cell import Job, Outcome, failed, run_cell
from patlib.trainer.config import RunConfig

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 20
POLL_SECONDS = 2.0  # how long a worker that joined may wait for its first run
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
Started = Callable[[str], object]


@contextmanager
def open_cluster(workers: int | None, scheduler: str | None, configs: Sequence[RunConfig]) -> Iterator[Client]:
    """A client of ``workers`` new processes on this machine, or of the scheduler at an address, closed at the end.

    With CUDA each local worker has as many GPUs of its own as a run takes, and otherwise its share of the processors.
    Raises ValueError if Dask is not installed or this machine has too few GPUs, and ConnectionError if the scheduler
    does not answer or has no workers.
    """
    try:
        import distributed
        from distributed.utils import silence_logging_cmgr
    except ImportError as error:
        raise ValueError(
            "workers and schedulers need Dask, which is not installed: pip install 'patlib[cluster]'"
        ) from error
    if scheduler is None:
        with _local_cluster(workers or 1, configs) as cluster, distributed.Client(cluster) as client:
            yield client
        return
    try:
        client = distributed.Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TypeError) as error:
        raise ConnectionError(
            f"no Dask scheduler answers at {scheduler!r}: expected an address such as tcp://host:8786, which "
            f"`dask scheduler` prints when it starts ({error})"
        ) from error
    # The exceptions raised here say what went wrong; Dask would print tracebacks of its own across the display.
    with silence_logging_cmgr(CRITICAL), client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError as error:
            raise ConnectionError(
                f"the scheduler at {scheduler} has no workers: start some with "
                f"`dask worker {scheduler} --nthreads 1`, and add --resources GPU=1 for one with a GPU"
            ) from error
        yield client


@contextmanager
def _local_cluster(workers: int, configs: Sequence[RunConfig]) -> Iterator[Any]:
    import dask
    from dask.system import CPU_COUNT
    from distributed import Nanny, Scheduler, SpecCluster

    devices = _cuda_devices() if any(config.accelerator in ("auto", "cuda") for config in configs) else []
    if not devices and any(config.accelerator == "cuda" for config in configs):
        raise ValueError("accelerator 'cuda', but torch finds no CUDA device here: use the accelerator 'cpu'")
    each = _devices_of_a_cell(configs)
    if devices and workers * each > len(devices):
        raise ValueError(
            f"{workers} workers, but {len(devices)} CUDA device(s) here, and each worker needs {each} of its own: "
            f"use at most {len(devices) // each} workers, or the accelerator 'cpu'"
        )
    threads = os.environ.get("OMP_NUM_THREADS", str(max(1, CPU_COUNT // workers)))
    quiet = {"host": "127.0.0.1", "dashboard": False, "dashboard_address": "127.0.0.1:0"}  # any free port
    common = {**quiet, "nthreads": 1, "memory_limit": 0, "silence_logs": CRITICAL}
    own = [
        {"env": {"CUDA_VISIBLE_DEVICES": ",".join(devices[first : first + each])}, "resources": {"GPU": each}}
        for first in range(0, len(devices), each or 1)
    ]
    specification = {
        index: {"cls": Nanny, "options": {**common, **(own[index] if own else {})}} for index in range(workers)
    }
    before = dict(os.environ)
    # The variables are set before a worker starts, because libraries read them on import. Dask would set them to 1.
    environment = {"distributed.nanny.pre-spawn-environ": dict.fromkeys(THREADS, threads)}
    try:
        with (
            dask.config.set(environment),
            SpecCluster(
                scheduler={"cls": Scheduler, "options": {**quiet, "port": 0}},
                workers=specification,
                silence_logs=CRITICAL,
            ) as cluster,
        ):
            yield cluster
    finally:
        # Dask changes the environment of this process for its children, and does not change it back.
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


def _cuda_devices() -> list[str]:
    """For each device that this process sees, the value of CUDA_VISIBLE_DEVICES that shows this device alone."""
    import torch

    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    numbers = [str(number) for number in range(torch.cuda.device_count())]
    return visible[: len(numbers)] or numbers


def run_cells(
    client: Client, job: Job, configs: Iterable[RunConfig], folder: Path, started: Started
) -> Iterator[tuple[RunConfig, Outcome]]:
    """Make runs on a cluster; yields each with its outcome as it ends. ``started`` is called with each that begins.

    A run whose worker dies is made again elsewhere; one that takes down several workers is reported as failed. Raises
    ValueError before anything is run if a worker is not fit for the runs, and ConnectionError if the scheduler is gone.
    """
    configs = list(configs)
    gpus, each = _check_workers(client, configs, folder), _devices_of_a_cell(configs)
    topic = f"patlib-{uuid.uuid4().hex}"
    client.subscribe_topic(topic, lambda event: started(event[1]))
    waiting = configs[::-1]
    running: dict[Future[Outcome], RunConfig] = {}
    ended: queue.SimpleQueue[Future[Outcome]] = queue.SimpleQueue()
    while waiting or running:
        while waiting and len(running) < _slots(client, each if gpus else 0):
            config = waiting.pop()
            needs = {"GPU": config.devices} if gpus and config.accelerator in ("auto", "cuda") else {}
            key = f"{config.run_name}-{uuid.uuid4().hex}"
            future = client.submit(_work, job, config, folder, topic, key=key, pure=False, resources=needs)
            running[future] = config
            future.add_done_callback(ended.put)
        try:
            future = ended.get(timeout=POLL_SECONDS)
        except queue.Empty:
            continue
        config = running.pop(future)
        yield config, _outcome(future, config, folder)
    client.unsubscribe_topic(topic)


def _work(job: Job, config: RunConfig, folder: Path, topic: str) -> Outcome:
    import distributed

    worker = distributed.get_worker()
    _fit_for_work(worker, folder)
    return run_cell(job, config, folder, lambda name: worker.log_event(topic, name))


def _fit_for_work(dask_worker: Any, path: Path) -> None:
    if not path.exists():
        raise ValueError(f"it does not see {path}: the results must lie on a file system that all machines share")
    if dask_worker.state.nthreads != 1:
        raise ValueError(
            f"it has {dask_worker.state.nthreads} threads, and runs in one process share their random state: "
            "start it with --nthreads 1"
        )


def _check_workers(client: Client, configs: Sequence[RunConfig], folder: Path) -> bool:
    """Whether the runs are to ask for GPUs; ValueError, which names the worker, if one cannot make them."""
    seen = folder / f".grid-{uuid.uuid4().hex}"  # a folder of the same name could be another machine's own
    seen.touch()
    try:
        answers = client.run(_fit_for_work, path=seen, on_error="return")
    finally:
        seen.unlink()
    for address, answer in answers.items():
        if isinstance(answer, ImportError):
            raise ValueError(f"the worker at {address} cannot import patlib ({answer}): install it there, too")
        if isinstance(answer, ValueError):  # an error of the connection only means that a worker has just gone
            raise ValueError(f"the worker at {address} is not fit for this grid: {answer}")
    gpus = any("GPU" in worker["resources"] for worker in _workers(client))
    if not gpus and any(config.accelerator == "cuda" for config in configs):
        raise ValueError(
            "accelerator 'cuda', but no worker declares a GPU: start the workers with --resources GPU=1 where there is "
            "one, or use the accelerator 'cpu'"
        )
    largest = max((worker["resources"].get("GPU", 0) for worker in _workers(client)), default=0)
    if gpus and largest < _devices_of_a_cell(configs):
        raise ValueError(
            f"devices is {_devices_of_a_cell(configs)}, but no worker declares more than {largest:g} GPU: start the "
            f"workers with --resources GPU={_devices_of_a_cell(configs)}"
        )
    return gpus


def _workers(client: Client) -> list[dict[str, Any]]:
    return list(client.scheduler_info(n_workers=-1)["workers"].values())


def _devices_of_a_cell(configs: Iterable[RunConfig]) -> int:
    """The number of GPUs that a run asks for where there are any; 0 if all runs are to be made on CPUs."""
    return max((config.devices for config in configs if config.accelerator in ("auto", "cuda")), default=0)


def _slots(client: Client, gpus: int) -> int:
    """How many runs can be made at this moment, one to a worker, if each takes this many GPUs."""
    return sum(worker["resources"].get("GPU", 0) >= gpus for worker in _workers(client))


def _outcome(future: Future[Outcome], config: RunConfig, folder: Path) -> Outcome:
    from distributed import KilledWorker

    if future.status == "finished":
        outcome: Outcome = future.result()
        return outcome
    error = future.exception() if future.status == "error" else None
    if error is None:
        raise ConnectionError(
            "the connection to the Dask scheduler is lost. What has a record is kept: give the same command to go on"
        )
    if isinstance(error, KilledWorker):
        return failed(config, folder, "KilledWorker: every worker that ran it died (out of memory?)", str(error))
    return failed(config, folder, f"{type(error).__name__}: {error}", str(error))

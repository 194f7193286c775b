"""Many runs of a grid, one after another or side by side, each in a folder of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from patlib.experiments.cell import Job, Outcome, is_there, run_cell
from patlib.experiments.progress import GridProgress, one_line
from patlib.trainer.config import RunConfig

BUSY_SECONDS = 1.0  # between two looks at the runs that another process is making
Execute = Callable[[list[RunConfig], Path, Callable[[str], object]], Iterator[tuple[RunConfig, Outcome]]]


def run_grid(
    configs: Iterable[RunConfig],
    folder: str | Path,
    progress: bool = True,
    job: Job | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
) -> list[tuple[str, str]]:
    """Run each configuration in its own folder below ``folder``, unless it has a record there.

    A run that fails leaves ``error.txt`` with its traceback and does not stop the rest. Returns (run name, most telling
    line of the error) of the runs that failed. Several processes may share a folder: a run that another process has
    made is not repeated, and one that another process is making is looked at again at the end.

    ``job`` makes a run: :func:`plain_cell` if None, or :func:`~patlib.experiments.report.report_cell`, or any function
    that can be pickled. The runs are made one after another in this process, or on ``workers`` processes of this
    machine (then a script needs ``if __name__ == "__main__":``), or on the workers of the Dask ``scheduler`` at an
    address. Raises ValueError or ConnectionError as :mod:`patlib.experiments.cluster` does.
    """
    if workers is not None and scheduler is not None:
        raise ValueError("--workers starts processes here and --scheduler names a cluster: give one of them")
    if workers is not None and workers < 1:
        raise ValueError(f"--workers must be at least 1, got {workers}")
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    cells = list(configs)
    left = [config for config in cells if not is_there(config, folder)]
    if not left:
        return []
    failures = []
    with (
        _executor(job, left, workers, scheduler, progress) as execute,
        GridProgress(len(cells), len(cells) - len(left), progress) as shown,
    ):
        while left:
            busy = []
            for config, outcome in execute(left, folder, shown.started):
                shown.finished(config.run_name, outcome)
                if outcome.state == "failed":
                    failures.append((config.run_name, one_line(outcome.error)))
                elif outcome.state == "busy":
                    busy.append(config)
            left = busy
            if left:
                time.sleep(BUSY_SECONDS)
                shown.retrying()
    return failures


@contextmanager
def _executor(
    job: Job | None, configs: list[RunConfig], workers: int | None, scheduler: str | None, progress: bool
) -> Iterator[Execute]:
    """A function that makes runs where they are to be made, and yields each with its outcome."""
    if workers is None and scheduler is None:
        yield partial(_one_after_another, job or partial(plain_cell, progress=progress))
        return
    from patlib.experiments import cluster

    with cluster.open_cluster(workers, scheduler, configs) as client:
        yield partial(cluster.run_cells, client, job or plain_cell)


def _one_after_another(
    job: Job, configs: Iterable[RunConfig], folder: Path, started: Callable[[str], object]
) -> Iterator[tuple[RunConfig, Outcome]]:
    for config in configs:
        yield config, run_cell(job, config, folder, started)


def plain_cell(config: RunConfig, folder: Path, progress: bool = False) -> None:
    """Train in this process, and leave the record and the weights."""
    from patlib.trainer import fit

    fit(config, folder / config.run_path, progress=progress)

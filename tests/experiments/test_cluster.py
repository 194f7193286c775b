"""Cells on real Dask workers, which train nothing."""

import os
import signal
import sys
import threading
from types import SimpleNamespace

import pytest
from alive import is_alive
from grid_cells import (
    CONFIGS,
    first_fails,
    first_kills_its_worker,
    noted,
    notes_its_gpu,
    quick,
    wait_until,
    waiting,
)
from test_cell import start_driver

from patlib.experiments import cell, cluster, runner
from patlib.install import MissingExtraError
from patlib.trainer.config import RunConfig

# Dask leaves sockets and event loops to the garbage collector when it closes.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def scheduler():
    """The address of a scheduler with two workers, where a cell may kill one worker but not two."""
    import dask

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        cluster._local_cluster(2, CONFIGS) as two,
    ):
        yield two.scheduler_address


class Grid(threading.Thread):
    """run_grid in the background."""

    def __init__(self, folder, cell, **options):
        super().__init__(daemon=True)
        self.arguments, self.options = (CONFIGS, folder, False, cell), options
        self.start()

    def run(self):
        try:
            self.answer = runner.run_grid(*self.arguments, **self.options)
        except Exception as error:
            self.answer = error

    def wait(self):
        self.join(600)
        return self.answer


def times_begun(folder):
    return [len(noted(config, folder)) for config in CONFIGS]


def test_cells_run_on_the_workers_of_a_scheduler_and_failures_are_reported(scheduler, tmp_path):
    failures = runner.run_grid(CONFIGS, tmp_path, False, first_fails, scheduler=scheduler)
    assert failures == [(CONFIGS[0].run_name, "OSError: the disk")]
    assert "in first_fails" in (tmp_path / CONFIGS[0].run_path / "error.txt").read_text()
    assert times_begun(tmp_path) == [0, 1, 1, 1, 1, 1]
    pids = {pid for config in CONFIGS for pid in noted(config, tmp_path)}
    assert len(pids) == 2 and str(os.getpid()) not in pids


def test_a_killed_worker_costs_the_cell_it_ran_and_no_other(scheduler, tmp_path):
    grid = Grid(tmp_path, waiting, scheduler=scheduler)
    wait_until(lambda: times_begun(tmp_path) == [1, 1, 0, 0, 0, 0])
    os.kill(int(noted(CONFIGS[0], tmp_path)[0]), signal.SIGKILL)
    wait_until(lambda: len(noted(CONFIGS[0], tmp_path)) == 2)
    (tmp_path / "go").touch()
    assert grid.wait() == []
    assert times_begun(tmp_path) == [2, 1, 1, 1, 1, 1]
    assert all(cell.is_there(config, tmp_path) for config in CONFIGS)


def test_a_cell_that_kills_every_worker_is_reported_and_stops_no_other(scheduler, tmp_path):
    failures = runner.run_grid(CONFIGS, tmp_path, False, first_kills_its_worker, scheduler=scheduler)
    assert [name for name, _ in failures] == [CONFIGS[0].run_name]
    assert "every worker that ran it died" in failures[0][1]
    assert (tmp_path / CONFIGS[0].run_path / "error.txt").exists()
    assert times_begun(tmp_path) == [0, 1, 1, 1, 1, 1]


def test_two_drivers_on_one_scheduler_repeat_nothing(scheduler, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "BUSY_SECONDS", 0.05)
    first, second = (Grid(tmp_path, quick, scheduler=scheduler) for _ in range(2))
    assert first.wait() == second.wait() == []
    assert times_begun(tmp_path) == [1] * len(CONFIGS)


def test_a_killed_driver_takes_its_workers_along_and_is_continued(tmp_path):
    driver = start_driver(tmp_path, waiting, 2)
    wait_until(lambda: times_begun(tmp_path)[:2] == [1, 1])
    driver.kill()
    driver.wait()
    pids = [int(noted(config, tmp_path)[0]) for config in CONFIGS[:2]]
    wait_until(lambda: not any(is_alive(pid) for pid in pids))
    assert runner.run_grid(CONFIGS, tmp_path, False, quick) == []
    assert times_begun(tmp_path) == [2, 2, 1, 1, 1, 1]


def test_each_local_worker_has_a_gpu_of_its_own_and_cells_ask_for_one(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_cuda_devices", lambda: ["5", "7"])
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("PYTHONHASHSEED", "0")  # which Dask changes
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    configs = [RunConfig(seed=seed) for seed in range(4)]
    before = dict(os.environ)
    assert runner.run_grid(configs, tmp_path, False, notes_its_gpu, workers=2) == []
    assert dict(os.environ) == before
    # The device, how many are free while the cell runs, and the threads that the user asked for.
    assert {tuple(noted(config, tmp_path)) for config in configs} == {("5", "0", "3"), ("7", "0", "3")}


def test_more_workers_than_gpus_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_cuda_devices", lambda: ["0"])
    with pytest.raises(ValueError, match=r"2 workers, but 1 CUDA device\(s\) here"):
        runner.run_grid([RunConfig()], tmp_path, False, quick, workers=2)


def test_a_cell_on_two_gpus_gets_both_of_its_worker(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_cuda_devices", lambda: ["0", "1", "2", "3"])
    configs = [RunConfig(seed=seed, devices=2) for seed in range(3)]
    assert runner.run_grid(configs, tmp_path, False, notes_its_gpu, workers=2) == []
    assert {tuple(noted(config, tmp_path)[:2]) for config in configs} == {("0,1", "0"), ("2,3", "0")}
    with pytest.raises(ValueError, match="each worker needs 2 of its own: use at most 2 workers"):
        runner.run_grid([RunConfig(devices=2)], tmp_path, False, quick, workers=3)


def test_gpus_that_no_worker_has_are_refused_and_cells_on_cpus_need_none(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_workers", lambda client: [{"resources": {"GPU": 1}}])
    assert cluster._devices_of_a_cell([RunConfig(devices=2, accelerator="cpu")]) == 0
    assert cluster._slots(None, 0) == 1

    class Client:
        run = staticmethod(lambda *arguments, **named: {})

    with pytest.raises(ValueError, match=r"devices is 2, but no worker declares more than 1 GPU: .*GPU=2"):
        cluster._check_workers(Client(), [RunConfig(devices=2)], tmp_path)
    assert cluster._check_workers(Client(), [RunConfig()], tmp_path)


@pytest.mark.parametrize(("visible", "names"), [("", ["0", "1"]), ("4,6", ["4", "6"])])
def test_a_device_is_named_as_this_process_was_told(monkeypatch, visible, names):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert cluster._cuda_devices() == names


def test_cuda_without_a_worker_that_declares_a_gpu_is_refused(scheduler, tmp_path):
    with pytest.raises(ValueError, match=r"no worker declares a GPU.*--resources GPU=1"):
        runner.run_grid([RunConfig(accelerator="cuda")], tmp_path, False, quick, scheduler=scheduler)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense"])
def test_a_scheduler_that_does_not_answer_is_named(tmp_path, monkeypatch, address):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    with pytest.raises(ConnectionError, match=f"no Dask scheduler answers at '{address}'.*tcp://host:8786"):
        runner.run_grid(CONFIGS, tmp_path, False, quick, scheduler=address)


def test_a_scheduler_without_workers_is_named(tmp_path, monkeypatch):
    import distributed

    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0") as empty,
        pytest.raises(ConnectionError, match="has no workers: start some with `dask worker"),
    ):
        runner.run_grid(CONFIGS, tmp_path, False, quick, scheduler=empty.scheduler_address)


def test_a_scheduler_that_goes_away_ends_the_grid(tmp_path):
    import distributed

    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp://", dashboard_address="127.0.0.1:0"
    ) as lost:
        grid = Grid(tmp_path, waiting, scheduler=lost.scheduler_address)
        wait_until(lambda: noted(CONFIGS[0], tmp_path))
        threading.Timer(2, (tmp_path / "go").touch).start()  # a worker in this process waits for its cell
    answer = grid.wait()
    assert isinstance(answer, ConnectionError) and "give the same command to go on" in str(answer)


def test_a_worker_with_several_threads_or_another_file_system_is_refused(tmp_path):
    one, two = (SimpleNamespace(state=SimpleNamespace(nthreads=number)) for number in (1, 2))
    cluster._fit_for_work(one, tmp_path)
    with pytest.raises(ValueError, match=r"has 2 threads.*--nthreads 1"):
        cluster._fit_for_work(two, tmp_path)
    with pytest.raises(ValueError, match="file system that all machines share"):
        cluster._fit_for_work(one, tmp_path / "elsewhere")


def test_an_unfit_worker_is_named_before_anything_runs(tmp_path):
    import distributed

    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, protocol="tcp://", dashboard_address="127.0.0.1:0"
        ) as wide,
        pytest.raises(ValueError, match=r"worker at tcp://.* is not fit for this grid: it has 2 threads"),
    ):
        runner.run_grid(CONFIGS, tmp_path, False, quick, scheduler=wide.scheduler_address)
    assert not list(tmp_path.iterdir())


def test_without_dask_only_a_cluster_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'patlib\[cluster\]'"):
        runner.run_grid(CONFIGS, tmp_path, False, quick, workers=2)
    assert runner.run_grid(CONFIGS, tmp_path, False, quick) == []

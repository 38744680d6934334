"""A Dask scheduler and worker processes on loopback, which end with the block."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))


class Cluster:
    """A scheduler with its workers.

    Attributes:
        address: Address of the scheduler.
        workers: The worker processes.
    """

    def __init__(self, address: str, folder: str) -> None:
        self.address, self._folder = address, folder
        self.workers: list[subprocess.Popen] = []

    def add_worker(self) -> None:
        """Start a worker; it has no nanny that would start it again."""
        self.workers.append(
            _start(
                self._folder,
                *("worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard"),
                *("--local-directory", self._folder),
            )
        )

    def wait_for(self, count: int) -> None:
        """Wait until so many workers have joined."""
        import distributed

        with distributed.Client(self.address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)


@contextlib.contextmanager
def dask_cluster(folder, workers: int = 2) -> Iterator[Cluster]:
    """Start a scheduler and workers, and end them after the block."""
    pytest.importorskip("distributed", reason="Dask is not installed (the extra [beam])")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    scheduler = _start(
        str(folder), "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"
    )
    cluster = Cluster(f"tcp://127.0.0.1:{port}", str(folder))
    try:
        for _ in range(workers):
            cluster.add_worker()
        cluster.wait_for(workers)
        yield cluster
    finally:
        for process in [*cluster.workers, scheduler]:
            process.terminate()
        for process in [*cluster.workers, scheduler]:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until(condition, seconds: float = 60.0) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to this"
        time.sleep(0.05)


def _start(folder: str, *arguments: str) -> subprocess.Popen:
    with open(os.path.join(folder, f"dask-{arguments[0]}-{time.time_ns()}.log"), "wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": ROOT},
            stdout=log,
            stderr=subprocess.STDOUT,
        )

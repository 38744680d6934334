"""A pool of workers that stay: items are distributed, and a worker that hangs or dies is replaced."""

from __future__ import annotations

import collections
import functools
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import connection
from types import TracebackType
from typing import Any

from rl_tuner.common.workers import Outcome, Worker


class WorkerPool:
    """Worker processes for one function; use it as a context manager, or call `close`.

    Args:
        function: called on every item; it and the items are pickled.
        num_processes: largest number of workers; each starts when there is work for it.
        prepare: called once in each worker before its first item, outside the time limit.
        memory_mb: limit on the address space of a worker in MiB; 0 for no limit.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        num_processes: int,
        prepare: Callable[[], None] | None = None,
        memory_mb: int = 0,
    ) -> None:
        self._start = functools.partial(Worker, function, prepare, memory_mb)
        self._num_processes = num_processes
        self._workers: list[Worker] = []

    def __enter__(self) -> WorkerPool:
        """Return the pool."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the pool."""
        self.close()

    def close(self) -> None:
        """Kill the workers; the next call starts new ones."""
        for worker in self._workers:
            worker.kill()
        self._workers = []

    def outcomes(self, items: Iterable[Any], timeout_seconds: float) -> Iterator[Outcome]:
        """Yield the outcome of every item, in the order of the items.

        Args:
            items: the items.
            timeout_seconds: time limit of one item, after which its worker is killed.

        Raises:
            RuntimeError: a worker cannot start.
        """
        waiting = collections.deque(enumerate(items))
        count = len(waiting)
        done: dict[int, Outcome] = {}
        is_complete = False
        try:
            missing = min(self._num_processes, count) - len(self._workers)
            self._workers += [self._start() for _ in range(missing)]
            self._give(waiting, timeout_seconds)
            for wanted in range(count):
                while wanted not in done:
                    self._step(waiting, done, timeout_seconds)
                yield done.pop(wanted)
            is_complete = True
        finally:
            # Workers that are still at work would answer the next call.
            if not is_complete:
                self.close()

    def _give(self, waiting: collections.deque[tuple[int, Any]], timeout_seconds: float) -> None:
        for worker in self._workers:
            if waiting and worker.is_idle:
                index, item = waiting.popleft()
                worker.assign(index, item, timeout_seconds)

    def _step(
        self,
        waiting: collections.deque[tuple[int, Any]],
        done: dict[int, Outcome],
        timeout_seconds: float,
    ) -> None:
        """Wait for the next event of a worker and handle it."""
        deadline = min(worker.deadline for worker in self._workers)
        pipes = [worker.pipe for worker in self._workers]
        wait = None if deadline == float("inf") else max(0.0, deadline - time.monotonic())
        ready = connection.wait(pipes, timeout=wait)
        for worker in list(self._workers):
            if worker.pipe in ready:
                index, outcome = worker.collect()
            elif worker.deadline <= time.monotonic():
                index, outcome = worker.expire()
            else:
                continue
            if index is not None and outcome is not None:
                done[index] = outcome
            if not worker.is_alive:
                self._workers.remove(worker)
                self._workers += [self._start()] if waiting else []
        self._give(waiting, timeout_seconds)

"""Application of a function to many items in worker processes that can be killed.

A worker that exceeds the time limit, even in C code that ignores signals, or that dies is replaced;
only its item is lost.
"""

import collections
import functools
import importlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing import connection
from typing import Any

from rl_tuner.common.workers import Outcome, Worker


def map_isolated(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    *,
    num_processes: int,
    timeout_seconds: float,
    memory_mb: int = 0,
    preload: Sequence[str] = (),
) -> Iterator[Outcome]:
    """Yield the outcome of function(item) for every item, in the order of the items.

    Args:
        function: Function that can be imported by its module and name; it and the items are pickled.
        items: The items.
        num_processes: Number of workers.
        timeout_seconds: Time limit of one call, after which its worker is killed.
        memory_mb: Limit on the address space of a worker in MiB; 0 for no limit.
        preload: Modules that a worker imports before its first item, outside the time limit.

    Raises:
        RuntimeError: if a worker cannot start.
    """
    waiting = collections.deque(enumerate(items))
    num_items = len(waiting)
    done: dict[int, Outcome] = {}
    prepare = functools.partial(_import_all, tuple(preload)) if preload else None
    start = functools.partial(Worker, function, prepare, memory_mb)
    workers: list[Worker] = []
    try:
        workers += [start() for _ in range(min(num_processes, num_items))]
        for wanted in range(num_items):
            while wanted not in done:
                _step(workers, waiting, done, timeout_seconds, start)
            yield done.pop(wanted)
    finally:
        for worker in workers:
            worker.kill()


def map_in_chunks(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    chunk_size: int,
    **options: Any,
) -> Iterator[Outcome]:
    """Yield the outcome of function(item) for every item, for calls that take less time than transport.

    Items are sent in chunks, and a chunk has the time limit of one item. The items of a chunk that
    fails are tried again one at a time, after all others, so that only the item at fault is lost. The
    order is the same for any number of processes, unless a time limit is exceeded.

    Args:
        function: Function as in `map_isolated`.
        items: The items.
        chunk_size: Number of items per chunk.
        **options: The options of `map_isolated`.

    Raises:
        RuntimeError: if a worker cannot start.
    """
    chunks = [items[i : i + chunk_size] for i in range(0, len(items), chunk_size)]
    again = []
    for outcome in map_isolated(functools.partial(_call_on_all, function), chunks, **options):
        if outcome.failure:
            again += outcome.item
        else:
            yield from map(Outcome, outcome.item, outcome.value)
    yield from map_isolated(function, again, **options)


def _call_on_all(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    return [function(item) for item in items]


def _step(
    workers: list[Worker],
    waiting: collections.deque[tuple[int, Any]],
    done: dict[int, Outcome],
    timeout_seconds: float,
    start: Callable[[], Worker],
) -> None:
    """Wait for the next event of a worker and handle it."""
    deadline = min(worker.deadline for worker in workers)
    pipes = [worker.pipe for worker in workers]
    ready = connection.wait(pipes, timeout=max(0.0, deadline - time.monotonic()))
    for worker in list(workers):
        if worker.pipe in ready:
            index, outcome = worker.collect()
        elif worker.deadline <= time.monotonic():
            index, outcome = worker.expire()
        else:
            continue
        if index is not None and outcome is not None:
            done[index] = outcome
        if not worker.is_alive:
            workers.remove(worker)
            if waiting:
                workers.append(start())
        elif waiting:
            index, item = waiting.popleft()
            worker.assign(index, item, timeout_seconds)


def _import_all(modules: Sequence[str]) -> None:
    for module in modules:
        importlib.import_module(module)

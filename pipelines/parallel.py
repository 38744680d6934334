"""Application of a function to many items in worker processes that can be killed.

A worker that exceeds the time limit, even in C code that ignores signals, or that dies is replaced;
only its item is lost.
"""

import functools
import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from rl_tuner.common.worker_pool import WorkerPool
from rl_tuner.common.workers import Outcome


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
    prepare = functools.partial(_import_all, tuple(preload)) if preload else None
    with WorkerPool(function, num_processes, prepare, memory_mb) as pool:
        yield from pool.outcomes(items, timeout_seconds)


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


def _import_all(modules: Sequence[str]) -> None:
    for module in modules:
        importlib.import_module(module)

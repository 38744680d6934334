"""A function over many items in worker processes that can be killed.

Each worker is a fresh interpreter, so nothing is forked from a parent that may hold TensorFlow,
and the parent's main module is not imported again. A worker that outlives the time limit, even
in C code that no signal reaches, or that dies is replaced; only its item is lost.
"""

import collections
import contextlib
import ctypes
import dataclasses
import functools
import importlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing import connection
from typing import Any

TIMED_OUT = "timed out"
CRASHED = "worker crashed"
FAILED = "failed"

_BOOTSTRAP = (
    "import sys; sys.path[:] = {path!r};"
    " from pipelines import parallel; parallel.serve({descriptor})"
)
_START_SECONDS = 120.0
_PR_SET_PDEATHSIG = 1


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one item: a value, or why there is none.

    Attributes:
        item: The item.
        value: What the function returned.
        failure: None, or TIMED_OUT, CRASHED or FAILED.
        detail: What is particular to this failure, in one line.
    """

    item: Any
    value: Any = None
    failure: str | None = None
    detail: str = ""


def available_processors() -> int:
    """Returns how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_isolated(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    *,
    num_processes: int,
    timeout_seconds: float,
    memory_mb: int = 0,
    preload: Sequence[str] = (),
) -> Iterator[Outcome]:
    """Yields the outcome of function(item) for every item, in the order of the items.

    Args:
        function: Importable by its module and name; it and the items travel by pickle.
        items: What to call it on.
        num_processes: How many workers run at once.
        timeout_seconds: How long one call may take before its worker is killed.
        memory_mb: The address space of a worker in MiB; 0 for no limit.
        preload: Modules that a worker imports before its first item, outside the time limit.

    Raises:
        RuntimeError: if a worker cannot start.
    """
    waiting = collections.deque(enumerate(items))
    num_items = len(waiting)
    done: dict[int, Outcome] = {}
    start = functools.partial(_Worker, function, preload, memory_mb)
    workers: list[_Worker] = []
    try:
        workers += [start() for _ in range(min(num_processes, num_items))]
        for wanted in range(num_items):
            while wanted not in done:
                _step(workers, waiting, done, timeout_seconds, start)
            yield done.pop(wanted)
    finally:
        for worker in workers:
            worker.kill()


def _step(
    workers: list["_Worker"],
    waiting: collections.deque,
    done: dict[int, Outcome],
    timeout_seconds: float,
    start: Callable[[], "_Worker"],
) -> None:
    """Waits until something happens to a worker, and deals with it."""
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
        if index is not None:
            done[index] = outcome
        if not worker.is_alive:
            workers.remove(worker)
            if waiting:
                workers.append(start())
        elif waiting:
            worker.assign(*waiting.popleft(), timeout_seconds)


class _Worker:
    """One worker process and the item it is at."""

    def __init__(self, function: Callable, preload: Sequence[str], memory_mb: int):
        self.pipe, theirs = connection.Pipe()
        code = _BOOTSTRAP.format(path=sys.path, descriptor=theirs.fileno())
        # Workers are the parallelism: more threads in each would only fight over the cores.
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        theirs.close()
        self.is_alive = True
        self.deadline = time.monotonic() + _START_SECONDS
        self._index: int | None = None
        self._item: Any = None
        self._is_ready = False
        with contextlib.suppress(OSError):
            self.pipe.send((function, tuple(preload), memory_mb))

    def assign(self, index: int, item: Any, timeout_seconds: float) -> None:
        """Sends the next item; a worker that died while idle is found out by `collect`."""
        self._index, self._item = index, item
        self.deadline = time.monotonic() + timeout_seconds
        with contextlib.suppress(OSError):
            self.pipe.send(item)

    def collect(self) -> tuple[int | None, Outcome | None]:
        """Returns the index and outcome that the worker has ready; no index if it only started."""
        try:
            failure, payload = self.pipe.recv()
        except (EOFError, OSError):
            return self._bury(CRASHED)
        if not self._is_ready:
            if failure:
                raise RuntimeError(f"a worker cannot start: {payload}")
            self._is_ready = True
            self.deadline = float("inf")
            return None, None
        index, item = self._index, self._item
        self._index, self._item, self.deadline = None, None, float("inf")
        if failure:
            return index, Outcome(item, failure=failure, detail=payload)
        return index, Outcome(item, value=payload)

    def expire(self) -> tuple[int | None, Outcome | None]:
        """Kills the worker, whose time is over."""
        return self._bury(TIMED_OUT)

    def _bury(self, failure: str) -> tuple[int | None, Outcome | None]:
        if not self._is_ready:
            self.kill()
            raise RuntimeError(f"a worker cannot start: {failure}")
        detail = ""
        if failure == CRASHED:
            # The pipe closes a moment before the process ends.
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._process.wait(timeout=5)
                detail = f"signal {-code}" if code < 0 else f"exit code {code}"
        self.kill()
        if self._index is None:
            return None, None
        return self._index, Outcome(self._item, failure=failure, detail=detail)

    def kill(self) -> None:
        """Ends the process for good and reaps it."""
        self.is_alive = False
        self._process.kill()
        self._process.wait()
        self.pipe.close()


def serve(descriptor: int) -> None:
    """Runs in a worker: answers every item from the pipe until the parent closes it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    pipe = connection.Connection(descriptor)
    try:
        function, preload, memory_mb = pipe.recv()
        for module in preload:
            importlib.import_module(module)
        if memory_mb:
            limit = memory_mb * 2**20
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except Exception as error:
        pipe.send((FAILED, _one_line(error)))
        return
    pipe.send((None, None))
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        try:
            answer = (None, function(item))
        except Exception as error:
            answer = (FAILED, _one_line(error))
        try:
            pipe.send(answer)
        except OSError:
            return
        except Exception as error:
            pipe.send((FAILED, _one_line(error)))


def _die_with_parent() -> None:
    """Asks Linux to kill this process when its parent dies, even in code that never returns."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]

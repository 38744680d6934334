"""Worker processes that can be killed; each works on one item at a time.

Each worker is a fresh interpreter: nothing is forked from a parent that may have loaded TensorFlow,
and the parent's main module is not imported again. A worker that exceeds its time limit, even in C
code that ignores signals, or that dies is detected, so that its owner can replace it.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import connection
from typing import Any

from rl_tuner.common.errors import class_and_message

TIMED_OUT = "timed out"
CRASHED = "worker crashed"
FAILED = "failed"

_BOOTSTRAP = (
    "import sys; sys.path[:] = {path!r};"
    " from rl_tuner.common import workers; workers.serve({descriptor})"
)
_START_SECONDS = 120.0
_PR_SET_PDEATHSIG = 1


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of one item: a value or a failure.

    Attributes:
        item: the item.
        value: return value of the function.
        failure: None, or TIMED_OUT, CRASHED or FAILED.
        detail: details of the failure, in one line.
    """

    item: Any
    value: Any = None
    failure: str | None = None
    detail: str = ""


def available_processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Worker:
    """One worker process and the item it is working on.

    Linux ends the process when the thread that created it ends, so that no worker outlives its owner.

    Args:
        function: called on every item; it and the items are pickled.
        prepare: called once before the first item, outside the time limit.
        memory_mb: limit on the address space of the process in MiB; 0 for no limit.

    Attributes:
        pipe: readable when there is something for `collect`.
        deadline: the `time.monotonic()` at which the time limit of the item, or of the start, expires.
        is_alive: False once the process has been found dead or has been killed.
        is_ready: whether the process has started.
        is_idle: whether the worker can be given an item.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        prepare: Callable[[], None] | None = None,
        memory_mb: int = 0,
    ):
        self.pipe, theirs = connection.Pipe()
        code = _BOOTSTRAP.format(path=sys.path, descriptor=theirs.fileno())
        # One thread per worker: the workers already occupy all cores.
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
        self.is_ready = False
        self.deadline = time.monotonic() + _START_SECONDS
        self._index: int | None = None
        self._item: Any = None
        with contextlib.suppress(OSError):
            self.pipe.send((function, prepare, memory_mb))

    @property
    def is_idle(self) -> bool:
        """Whether the worker can be given an item."""
        return self.is_alive and self.is_ready and self._index is None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def assign(self, index: int, item: Any, timeout_seconds: float) -> None:
        """Send the next item; if the worker died while idle, `collect` detects it."""
        self._index, self._item = index, item
        self.deadline = time.monotonic() + timeout_seconds
        with contextlib.suppress(OSError):
            self.pipe.send(item)

    def collect(self) -> tuple[int | None, Outcome | None]:
        """Return the index and outcome of the finished item; (None, None) if the worker only started.

        Raises:
            RuntimeError: the worker cannot start.
        """
        try:
            failure, payload = self.pipe.recv()
        except (EOFError, OSError):
            return self._bury(CRASHED)
        if not self.is_ready:
            if failure:
                self.kill()
                raise RuntimeError(f"a worker cannot start: {payload}")
            self.is_ready = True
            self.deadline = float("inf")
            return None, None
        index, item = self._index, self._item
        self._index, self._item, self.deadline = None, None, float("inf")
        if failure:
            return index, Outcome(item, failure=failure, detail=payload)
        return index, Outcome(item, value=payload)

    def expire(self) -> tuple[int | None, Outcome | None]:
        """Kill the worker, whose time limit has expired; return as `collect` does.

        Raises:
            RuntimeError: the worker had not even started.
        """
        return self._bury(TIMED_OUT)

    def _bury(self, failure: str) -> tuple[int | None, Outcome | None]:
        detail = ""
        if failure == CRASHED:
            # The pipe closes a moment before the process ends.
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._process.wait(timeout=5)
                detail = f"signal {-code}" if code < 0 else f"exit code {code}"
        self.kill()
        if not self.is_ready:
            raise RuntimeError(f"a worker cannot start: {failure} {detail}".rstrip())
        if self._index is None:
            return None, None
        return self._index, Outcome(self._item, failure=failure, detail=detail)

    def kill(self) -> None:
        """Kill the process and reap it."""
        self.is_alive = False
        self._process.kill()
        self._process.wait()
        self.pipe.close()


def serve(descriptor: int) -> None:
    """Answer every item from the pipe until the parent closes it; runs in the worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    pipe = connection.Connection(descriptor)
    try:
        function, prepare, memory_mb = pipe.recv()
        if prepare:
            prepare()
        if memory_mb:
            limit = memory_mb * 2**20
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except Exception as error:
        pipe.send((FAILED, class_and_message(error)))
        return
    pipe.send((None, None))
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        try:
            answer: tuple[str | None, Any] = (None, function(item))
        except Exception as error:
            answer = (FAILED, class_and_message(error))
        try:
            pipe.send(answer)
        except OSError:
            return
        except Exception as error:
            pipe.send((FAILED, class_and_message(error)))


def _die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies, even in code that never returns."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

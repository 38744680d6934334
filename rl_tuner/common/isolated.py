"""A user's function in processes of its own: whatever it does, it ends neither the program nor its work."""

from __future__ import annotations

import atexit
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cloudpickle

from rl_tuner.common.own_code import missing_module
from rl_tuner.common.worker_pool import WorkerPool
from rl_tuner.common.workers import Outcome

# What a worker process has loaded, by the bytes it was sent.
_LOADED: dict[bytes, Callable[[Any], Any]] = {}


class IsolatedFunction:
    """A function that is called in worker processes.

    What it prints is not shown. A call that exceeds its time or memory, or ends its process, fails alone.

    Args:
        function: the function of one argument; also a lambda or a function of a notebook, which is then sent
            with what it refers to.
        home: name of the module that defines it.
        keywords: further arguments of every call.
        num_processes: number of processes.
        memory_mb: limit on the address space of a process in MiB; 0 for no limit.

    Raises:
        TypeError: the function refers to something that cannot be sent to another process.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        home: str,
        keywords: Mapping[str, Any],
        num_processes: int,
        memory_mb: int,
    ) -> None:
        payload = _pickled((function, dict(keywords)), home)
        self._pool = WorkerPool(_Call(payload), num_processes, _Load(payload), memory_mb)
        atexit.register(self.close)

    def close(self) -> None:
        """End the processes; the next call starts new ones."""
        self._pool.close()

    def outcomes(self, arguments: Sequence[Any], timeout_seconds: float) -> list[Outcome]:
        """Return the outcome of a call with each argument, in order.

        Raises:
            RuntimeError: a process cannot start, for example because an import of the function fails.
        """
        return list(self._pool.outcomes(arguments, timeout_seconds))


class _Load:
    """Loads the function in a worker, outside the time limit of its calls."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload

    def __call__(self) -> None:
        function, keywords = pickle.loads(self._payload)
        _LOADED[self._payload] = lambda argument: function(argument, **keywords)


class _Call:
    """Calls the loaded function in a worker."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload

    def __call__(self, argument: Any) -> Any:
        return _LOADED[self._payload](argument)


def _pickled(value: tuple[Callable[..., Any], dict[str, Any]], home: str) -> bytes:
    """Pickle a function by its name where another process finds its module, else by its content."""
    module = sys.modules.get(home)
    if module is None or home == "__main__" or _can_be_found(home):
        return cloudpickle.dumps(value)
    cloudpickle.register_pickle_by_value(module)
    try:
        return cloudpickle.dumps(value)
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def _can_be_found(name: str) -> bool:
    module = sys.modules.pop(name)
    try:
        return missing_module(name) is None
    finally:
        sys.modules[name] = module

"""A user's function in processes of its own: whatever it does, it ends neither the program nor its work."""

from __future__ import annotations

import atexit
import pickle
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cloudpickle

from rl_tuner.common.own_code import is_own_module, missing_module
from rl_tuner.common.worker_pool import WorkerPool
from rl_tuner.common.workers import Outcome

# What a worker process has loaded, by the bytes it was sent.
_LOADED: dict[bytes, Callable[[Any], Any]] = {}
# The processes of an executor's worker, see `remote_call`.
_POOLS: dict[tuple[bytes, int, int], WorkerPool] = {}


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
        payload = pickled_function(function, keywords, home)
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


def pickled_function(
    function: Callable[..., Any], keywords: Mapping[str, Any], home: str | None
) -> bytes:
    """Return a function and further arguments of its calls as bytes.

    Args:
        function: the function.
        keywords: the arguments.
        home: name of the module that defines it: the function is sent by its name where another process finds
            this module, else by its content. None always sends the user's own modules by their content, for
            machines that do not have them.
    """
    value = (function, dict(keywords))
    if home is not None:
        names = (
            [] if home == "__main__" or home not in sys.modules or _can_be_found(home) else [home]
        )
    else:
        names = [name for name in _homes(function) if name != "__main__" and is_own_module(name)]
    modules = [sys.modules[name] for name in names if name in sys.modules]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        return cloudpickle.dumps(value)
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def remote_call(
    payload: bytes, argument: Any, timeout_seconds: float, memory_mb: int
) -> tuple[Any, str | None, str]:
    """Call a function of `pickled_function` in a process of this worker, which stays for the next call.

    Returns:
        Value, failure and detail of the `Outcome`.
    """
    # Several threads of a worker must not share a process.
    key = payload, memory_mb, threading.get_ident()
    if key not in _POOLS:
        _POOLS[key] = WorkerPool(_Call(payload), 1, _Load(payload), memory_mb)
        atexit.register(_POOLS[key].close)
    (outcome,) = _POOLS[key].outcomes([argument], timeout_seconds)
    return outcome.value, outcome.failure, outcome.detail


def _homes(function: Any) -> set[str]:
    """Return the modules of a function and of what it is a part of."""
    parts = (function, *getattr(function, "args", ()), getattr(function, "func", None))
    homes = {getattr(part, "__module__", None) or type(part).__module__ for part in parts if part}
    return homes - {"functools", "builtins"}


def _can_be_found(name: str) -> bool:
    module = sys.modules.pop(name)
    try:
        return missing_module(name) is None
    finally:
        sys.modules[name] = module

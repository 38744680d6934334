"""Executors, where calls run that need not run here: anything with the interface of `concurrent.futures`.

| name | executor |
|---|---|
| `processes` or `processes:8` | processes on this machine, one per core or as many as the number says |
| `dask://host:8786` | the workers of a Dask scheduler (the extra `[dask]`) |
| `my_cluster.executor` | what this function of your own returns, such as mpi4py's or Parsl's executor |
"""

from __future__ import annotations

import concurrent.futures
import importlib.util
import inspect
import multiprocessing
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from rl_tuner.common.errors import UserError, class_and_message
from rl_tuner.common.extras import install_hint
from rl_tuner.common.isolated import pickled_function, remote_call
from rl_tuner.common.own_code import import_function, missing_function
from rl_tuner.common.workers import CRASHED, FAILED, Outcome, available_processors

_PROCESSES = re.compile(r"processes(?::([1-9]\d*))?$")
_DASK = "dask://"
_FORMS = "'processes:8', 'dask://host:8786' or a function of your own such as 'my_cluster.executor'"


class Executor(Protocol):
    """What `concurrent.futures.Executor` and its like have."""

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Start a call and return its future, with the method `result`."""
        ...


ExecutorLike = Executor | Callable[[], Executor]


def check_executor(executor: ExecutorLike | str | None) -> None:
    """Make sure, as far as can be known without starting it, that there is such an executor.

    Raises:
        ValueError: a name has an unknown form, its function or package does not exist, or an object is no
            executor.
    """
    if executor is None or (not isinstance(executor, str) and callable(executor)):
        return
    if not isinstance(executor, str):
        if not hasattr(executor, "submit"):
            raise ValueError(
                f"executor must be an executor or its name, {_FORMS}, not {executor!r}"
            )
    elif executor.startswith(_DASK):
        if not re.match(r"[^/\s]+:\d+$", executor.removeprefix(_DASK)):
            raise ValueError(f"executor {executor!r} must be written dask://host:port")
        if importlib.util.find_spec("distributed") is None:
            raise ValueError(f"executor {executor!r} needs Dask: {install_hint('dask')}")
    elif not _PROCESSES.match(executor) and (why := missing_function(executor)):
        raise ValueError(f"executor must be {_FORMS}; {executor!r}: {why}")


class OpenExecutor:
    """An executor that is open; use it as a context manager, or call `close`.

    Args:
        executor: an executor, a function that returns one, or its name.

    Raises:
        UserError: the executor cannot be opened.
    """

    def __init__(self, executor: ExecutorLike | str) -> None:
        self._client: Any = None
        self._is_ours = isinstance(executor, str) or not hasattr(executor, "submit")
        self._executor: Any = self._open(executor)

    def __enter__(self) -> OpenExecutor:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self.close()

    def submit(self, function: Any, /, *args: Any) -> Any:
        """Start a call and return its future."""
        return self._executor.submit(function, *args)

    def close(self) -> None:
        """Close what was opened here; an executor that was given as an object stays open."""
        if self._is_ours and self._executor is not None:
            options = inspect.signature(self._executor.shutdown).parameters
            cancel = {"cancel_futures": True} if "cancel_futures" in options else {}
            self._executor.shutdown(wait=False, **cancel)
        if self._client is not None:
            self._client.close()
        self._executor = self._client = None

    def _open(self, executor: ExecutorLike | str) -> Any:
        if not isinstance(executor, str):
            return executor if hasattr(executor, "submit") else executor()
        try:
            if match := _PROCESSES.match(executor):
                # A fork of a process with TensorFlow's threads may wait for ever.
                return concurrent.futures.ProcessPoolExecutor(
                    int(match[1] or available_processors()), multiprocessing.get_context("spawn")
                )
            if not executor.startswith(_DASK):
                return import_function(executor)()
            import distributed

            address = f"tcp://{executor.removeprefix(_DASK)}"
            self._client = distributed.Client(address, timeout=20, set_as_default=False)
            return self._client.get_executor(pure=False)
        except Exception as error:
            raise UserError(f"executor {executor!r}: {class_and_message(error)}") from error


class SpreadFunction:
    """A function that an executor calls, each time in a process of its own with limits of time and memory.

    It has the methods of `isolated.IsolatedFunction`. An executor whose workers are lost may call again, so
    that only a worker's end is repeated, never an error of the function.

    Args:
        executor: an executor, a function that returns one, or its name.
        function: the function of one argument.
        keywords: further arguments of every call.
        memory_mb: limit on the address space of the process in MiB; 0 for no limit.

    Raises:
        UserError: the executor cannot be opened.
        TypeError: the function refers to something that cannot be sent to another process.
    """

    def __init__(
        self,
        executor: ExecutorLike | str,
        function: Callable[..., Any],
        keywords: Mapping[str, Any],
        memory_mb: int,
    ) -> None:
        self._payload = pickled_function(function, keywords, home=None)
        self._named, self._memory_mb = executor, memory_mb
        self._open: OpenExecutor | None = None

    def close(self) -> None:
        """Close the executor; the next call opens it again."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def outcomes(self, arguments: Sequence[Any], timeout_seconds: float) -> list[Outcome]:
        """Return the outcome of a call with each argument, in order.

        Raises:
            RuntimeError: the executor no longer works.
        """
        return list(self.iterate(arguments, timeout_seconds))

    def iterate(self, arguments: Sequence[Any], timeout_seconds: float) -> Iterator[Outcome]:
        """Yield what `outcomes` returns, each as soon as it and those before it are there."""
        if self._open is None:
            self._open = OpenExecutor(self._named)
        futures = [
            self._open.submit(
                remote_call, self._payload, argument, timeout_seconds, self._memory_mb
            )
            for argument in arguments
        ]
        for argument, future in zip(arguments, futures):
            yield self._outcome(argument, future)

    def _outcome(self, argument: Any, future: Any) -> Outcome:
        try:
            value, failure, detail = future.result()
        except concurrent.futures.BrokenExecutor as error:
            self.close()
            raise RuntimeError(f"the executor is broken: {class_and_message(error)}") from error
        except Exception as error:
            # The executor gave this call up, such as Dask after several lost workers.
            failure = CRASHED if type(error).__name__ == "KilledWorker" else FAILED
            return Outcome(argument, failure=failure, detail=class_and_message(error))
        return Outcome(argument, value, failure, detail)

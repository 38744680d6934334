"""Changes of several threads in one transaction: those who wait for the disk wait together."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

T = TypeVar("T")


class GroupCommit:
    """Makes the changes that arrive during one commit in the next one, all together.

    Args:
        transaction: returns a context that yields a connection and commits at its end.
    """

    def __init__(self, transaction: Callable[[], AbstractContextManager[Any]]) -> None:
        self._transaction = transaction
        self._waiting: list[tuple[Callable[[Any], Any], concurrent.futures.Future[Any]]] = []
        self._adding, self._committing = threading.Lock(), threading.Lock()

    def do(self, change: Callable[[Any], T]) -> T:
        """Make a change, and return its result once it is committed.

        If a change of the group fails, none of the group is made, and each of them raises the error.

        Args:
            change: takes the connection.
        """
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        with self._adding:
            self._waiting.append((change, future))
        with self._committing:
            # Whoever committed before may have made this change too.
            if not future.done():
                self._commit()
        return future.result()

    def _commit(self) -> None:
        with self._adding:
            group, self._waiting = self._waiting, []
        try:
            with self._transaction() as connection:
                results = [change(connection) for change, _ in group]
        except BaseException as error:
            for _, future in group:
                future.set_exception(error)
            raise
        for (_, future), result in zip(group, results):
            future.set_result(result)

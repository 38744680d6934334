"""Measurement of molecules in worker processes while the learner continues."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing import connection
from typing import Any

from rdkit import Chem

from rl_tuner.common import workers
from rl_tuner.tasks.molecule import chemistry
from rl_tuner.tasks.molecule.chemistry import Probe, Properties
from rl_tuner.tasks.molecule.score_book import Question, ScoreBook, Ticket

_START_ATTEMPTS = 3


class ScoringPool:
    """Worker processes that parse and measure SMILES strings.

    A string is parsed once, and each molecule is measured once, from its canonical SMILES: results do
    not depend on the other strings, the number of processes or their speed. The exception is a
    molecule that exceeds the time limit, or whose worker dies twice: it counts as invalid and is
    logged, and its worker is replaced.

    A thread distributes the work and collects the answers, so that `submit` returns immediately and
    workers continue while the main thread does something else. Workers are fresh interpreters that
    never import TensorFlow; they end with the pool, and with this process, however it ends.

    Args:
        num_processes: number of workers; 0 is one per processor.
        timeout_seconds: time limit for one molecule.
        cache_size: number of strings, and number of molecules, that are remembered; the least
            recently used is forgotten first.
        wanted: properties to compute, see `chemistry.properties`.
        probes: additional numbers to measure.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        num_processes: int = 0,
        timeout_seconds: float = 10.0,
        cache_size: int = 200_000,
        wanted: frozenset[str] = chemistry.DEFAULT_WANTED,
        probes: Sequence[Probe] = (),
    ) -> None:
        if num_processes < 0:
            raise ValueError(f"num_processes must be at least 0, not {num_processes}")
        if not timeout_seconds > 0:
            raise ValueError(f"timeout_seconds must be above 0, not {timeout_seconds}")
        if cache_size < 1:
            raise ValueError(f"cache_size must be at least 1, not {cache_size}")
        if unknown := wanted - chemistry.ALL_WANTED:
            raise ValueError(f"unknown properties {sorted(unknown)}")
        self.num_processes = num_processes or workers.available_processors()
        self._timeout = timeout_seconds
        self._start = functools.partial(
            workers.Worker,
            functools.partial(answer, wanted=wanted, probes=tuple(probes)),
            functools.partial(chemistry.prepare, wanted, tuple(probes)),
        )
        self._book = ScoreBook(cache_size)
        self._lock = threading.Lock()
        self._error: Exception | None = None
        self._is_closing = self._is_closed = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._workers: list[workers.Worker] = []
        self._failed_starts = 0
        self._thread = threading.Thread(target=self._run, name="scoring", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    @property
    def num_scored(self) -> int:
        """The number of molecules measured so far; a forgotten molecule may count again."""
        return self._book.num_scored

    def submit(self, strings: Sequence[str]) -> Ticket:
        """Start measuring strings and return immediately.

        Raises:
            RuntimeError: the pool is closed, or its workers cannot start.
        """
        ticket = Ticket(strings)
        with self._lock:
            self._check()
            self._book.enter(ticket)
            self._wake()
        return ticket

    def result(self, ticket: Ticket) -> list[Properties | None]:
        """Wait for the strings of a ticket.

        Returns:
            the properties of the molecule of each string, in order; None for an invalid one.

        Raises:
            RuntimeError: the pool was closed before the work was done, or its workers cannot start.
        """
        ticket.done.wait()
        if ticket.missing:
            with self._lock:
                self._check()
        return [ticket.answers[string] for string in ticket.strings]

    def score(self, strings: Sequence[str]) -> list[Properties | None]:
        """Submit strings and wait for their properties, see `result`."""
        return self.result(self.submit(strings))

    def close(self) -> None:
        """End the workers; closing twice is harmless."""
        atexit.unregister(self.close)
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = self._is_closing = True
            self._wake()
        self._thread.join()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def __enter__(self) -> ScoringPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check(self) -> None:
        if self._error:
            raise RuntimeError(f"molecules cannot be scored: {self._error}") from self._error
        if self._is_closing:
            raise RuntimeError("the scoring pool is closed")

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b".")

    def _run(self) -> None:
        try:
            # Workers die with the thread that created them, so this thread creates all of them.
            self._workers += [self._start() for _ in range(self.num_processes)]
            while not self._is_closing:
                self._step()
        except Exception as error:
            self._error = error
        finally:
            for worker in self._workers:
                worker.kill()
            with self._lock:
                self._is_closing = True
                self._book.abandon()

    def _step(self) -> None:
        """Wait for the next event and handle it."""
        deadline = min(worker.deadline for worker in self._workers)
        timeout = None if deadline == float("inf") else max(0.0, deadline - time.monotonic())
        waited: list[Any] = [self._wake_read, *(worker.pipe for worker in self._workers)]
        ready = connection.wait(waited, timeout)
        if self._wake_read in ready:
            os.read(self._wake_read, 65536)
        for place, worker in enumerate(self._workers):
            if worker.pipe in ready:
                self._listen(place, worker.collect)
            elif worker.deadline <= time.monotonic():
                self._listen(place, worker.expire)
        for worker in self._workers:
            if worker.is_idle:
                with self._lock:
                    number, questions = self._book.take(self.num_processes)
                if questions:
                    worker.assign(number, questions, self._timeout)

    def _listen(self, place: int, collect: Callable) -> None:
        """Collect the outcome of a worker; replace the worker if it has died."""
        worker = self._workers[place]
        try:
            number, outcome = collect()
            self._failed_starts = 0
        except RuntimeError:
            self._failed_starts += 1
            if self._failed_starts >= _START_ATTEMPTS:
                raise
            number = None
        if not worker.is_alive:
            self._workers[place] = self._start()
        if number is not None:
            with self._lock:
                self._book.settle(number, outcome)


def answer(
    questions: Sequence[Question], wanted: frozenset[str], probes: Sequence[Probe]
) -> list[Properties | str | None]:
    """Return the properties of each string, or its canonical SMILES if different; runs in a worker."""
    replies: list[Properties | str | None] = []
    for string, is_canonical in questions:
        mol = chemistry.parse(string)
        if mol is None:
            replies.append(None)
            continue
        canonical = string if is_canonical else Chem.MolToSmiles(mol)
        is_canonical = canonical == string
        replies.append(
            chemistry.measure(mol, canonical, wanted, probes) if is_canonical else canonical
        )
    return replies

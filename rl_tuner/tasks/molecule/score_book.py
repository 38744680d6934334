"""Bookkeeping of the scoring pool: known molecules, open questions and the tickets that wait for them."""

from __future__ import annotations

import collections
import threading
from collections.abc import Sequence
from typing import Any

from rl_tuner.common import workers
from rl_tuner.common.progress import warn
from rl_tuner.tasks.molecule.chemistry import Properties

_CHUNK = 32

# A question is a string, and whether it is a canonical SMILES to be measured without a check. The
# reply is its properties, its canonical SMILES if that is a different string, or None if invalid.
Question = tuple[str, bool]
Reply = Properties | str | None


class Ticket:
    """Submitted strings; `ScoringPool.result` exchanges it for their properties.

    Attributes:
        strings: the submitted strings.
        answers: the answers so far, by string.
        missing: the strings without an answer.
        done: set when all strings are answered, or when the pool has closed.
    """

    def __init__(self, strings: Sequence[str]):
        self.strings = list(strings)
        self.answers: dict[str, Properties | None] = {}
        self.missing = set(self.strings)
        self.done = threading.Event()


class ScoreBook:
    """The open tickets and their questions for workers; it is independent of the processes.

    A string is asked only once, and so is its canonical SMILES, however many tickets wait for it. The
    book is not thread-safe: its owner must hold a lock.

    Args:
        cache_size: number of strings, and number of molecules, that are remembered.

    Attributes:
        num_scored: number of molecules measured.
    """

    def __init__(self, cache_size: int):
        self.num_scored = 0
        self._canonical = _Cache(cache_size)
        self._properties = _Cache(cache_size)
        self._waiting: dict[Question, list[tuple[Ticket, str]]] = {}
        self._queue: collections.deque[Question] = collections.deque()
        # Questions of a failed chunk are asked again one by one, to find the one that fails.
        self._alone: collections.deque[tuple[Question, int]] = collections.deque()
        self._asked: dict[int, tuple[list[Question], int]] = {}
        self._number = 0

    def enter(self, ticket: Ticket) -> None:
        """Answer the known strings of a ticket and queue the others."""
        if not ticket.missing:
            ticket.done.set()
        for string in dict.fromkeys(ticket.strings):
            if string in self._canonical:
                self._resolve(self._canonical[string], ticket, string)
            else:
                self._ask((string, False), ticket, string)

    def take(self, num_processes: int) -> tuple[int, list[Question]]:
        """Return the number of the next chunk of questions, and the questions, empty if none are left."""
        failures = 0
        if self._alone:
            question, failures = self._alone.popleft()
            questions = [question]
        else:
            share = -(-len(self._queue) // num_processes)
            questions = [self._queue.popleft() for _ in range(min(_CHUNK, share))]
        self._number += 1
        if questions:
            self._asked[self._number] = (questions, failures)
        return self._number, questions

    def settle(self, number: int, outcome: workers.Outcome) -> None:
        """Process the outcome of a chunk of questions, given its number."""
        questions, failures = self._asked.pop(number)
        if outcome.failure is None:
            for question, reply in zip(questions, outcome.value, strict=True):
                self._reply(question, reply)
        elif len(questions) > 1:
            self._alone += [(question, 0) for question in questions]
        elif outcome.failure == workers.CRASHED and not failures:
            # Something else may have killed the worker, so the molecule gets a second chance.
            self._alone.append((questions[0], 1))
        else:
            reason = f"{outcome.failure} {outcome.detail}".rstrip()
            warn(f"{questions[0][0]} counts as invalid: {reason}")
            self._reply(questions[0], None)

    def abandon(self) -> None:
        """Wake all waiting threads, without answers."""
        for waiting in self._waiting.values():
            for ticket, _ in waiting:
                ticket.done.set()

    def _ask(self, question: Question, ticket: Ticket, string: str) -> None:
        if question not in self._waiting:
            self._waiting[question] = []
            self._queue.append(question)
        self._waiting[question].append((ticket, string))

    def _reply(self, question: Question, reply: Reply) -> None:
        asked, is_canonical = question
        if not is_canonical:
            self._canonical[asked] = reply.canonical if isinstance(reply, Properties) else reply
        if is_canonical or isinstance(reply, Properties):
            self._properties[asked] = reply
            self.num_scored += reply is not None
        for ticket, string in self._waiting.pop(question):
            if isinstance(reply, str) and string == asked:
                self._resolve(reply, ticket, string)
            elif isinstance(reply, str):
                # The ticket waits for `asked` as the canonical form of its string, although parsing
                # `asked` again gave another canonical form: measure it as it is.
                self._ask((asked, True), ticket, string)
            else:
                self._answer(ticket, string, reply)

    def _resolve(self, canonical: str | None, ticket: Ticket, string: str) -> None:
        """Answer a string whose canonical SMILES is known, or ask for its properties."""
        if canonical is None:
            self._answer(ticket, string, None)
        elif canonical in self._properties:
            self._answer(ticket, string, self._properties[canonical])
        else:
            on_its_way = (canonical, False) in self._waiting
            self._ask((canonical, not on_its_way), ticket, string)

    def _answer(self, ticket: Ticket, string: str, properties: Properties | None) -> None:
        ticket.answers[string] = properties
        ticket.missing.discard(string)
        if not ticket.missing:
            ticket.done.set()


class _Cache:
    """A dictionary of bounded size that forgets the least recently used item."""

    def __init__(self, size: int):
        self._size = size
        self._items: collections.OrderedDict[str, Any] = collections.OrderedDict()

    def __contains__(self, key: str) -> bool:
        return key in self._items

    def __getitem__(self, key: str) -> Any:
        self._items.move_to_end(key)
        return self._items[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._items[key] = value
        self._items.move_to_end(key)
        if len(self._items) > self._size:
            self._items.popitem(last=False)

"""Progress of long work: a bar with rate and remaining time on a terminal, plain lines in a log."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, TextIO, TypeVar

from absl import logging

# The first line of a log does not wait for the first unit of work, which may take minutes.
_SECONDS_TO_FIRST_LINE = 2.5
_SECONDS_BETWEEN_LINES = 10.0
_TICK = 0.5

T = TypeVar("T")


class Progress:
    """A progress display on a stream; use it as a context manager.

    Args:
        total: total number of units of work.
        description: name of the work.
        unit: name of a unit, for the rate.
        initial: units already done by an earlier run.
        stream: stream to write to; None is stderr.
    """

    def __init__(
        self,
        total: int,
        description: str,
        unit: str = "",
        initial: int = 0,
        stream: TextIO | None = None,
    ) -> None:
        self._stream = stream or sys.stderr
        self._total, self._description, self._unit = total, description, unit
        self._initial = self._done = initial
        self._note = ""
        self._start = time.monotonic()
        self._next_line = self._start + _SECONDS_TO_FIRST_LINE
        self._lock = threading.Lock()
        self._bar = self._new_bar() if self._stream.isatty() else None
        self._heartbeat = _Heartbeat(self._beat)

    def __enter__(self) -> Progress:
        """Return itself."""
        self._heartbeat.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the bar."""
        self._heartbeat.stop()
        if self._bar is not None:
            self._bar.close()

    def update(self, count: int, note: str = "") -> None:
        """Count `count` more units as done; `note` is shown beside, such as the latest loss."""
        with self._lock:
            self._done += count
            self._note = note
            if self._bar is not None:
                self._bar.set_postfix_str(note, refresh=False)
                self._bar.update(count)
                return
            long = time.monotonic() - self._start > _SECONDS_TO_FIRST_LINE
            self._print_when_due(finished=long and self._done >= self._total)

    def _beat(self) -> None:
        with self._lock:
            if self._bar is not None:
                self._bar.refresh()
            else:
                self._print_when_due()

    def _print_when_due(self, finished: bool = False) -> None:
        now = time.monotonic()
        if now < self._next_line and not finished:
            return
        self._next_line = now + _SECONDS_BETWEEN_LINES
        parts = [f"{self._done:,}/{self._total:,}{self._unit and ' ' + self._unit}"]
        if self._done > self._initial:
            rate = (self._done - self._initial) / max(now - self._start, 1e-9)
            left = max(0, self._total - self._done) / max(rate, 1e-9)
            parts.append(f"{rate:,.0f}/s" if rate >= 2 else f"{1 / max(rate, 1e-9):.1f} s each")
            parts.append(f"{left:.0f} s left")
        else:
            parts.append(f"{now - self._start:.0f} s so far")
        parts += [self._note] if self._note else []
        print(f"{self._description}: {', '.join(parts)}", file=self._stream, flush=True)

    def _new_bar(self) -> Any:
        import tqdm

        return tqdm.tqdm(
            total=self._total,
            desc=self._description,
            unit=f" {self._unit}" if self._unit else "",
            unit_scale=True,
            initial=self._initial,
            file=self._stream,
            dynamic_ncols=True,
        )


class _Heartbeat:
    """A thread that makes a call twice a second until it is stopped."""

    def __init__(self, call: Any) -> None:
        self._call, self._done = call, threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(_TICK):
            self._call()


@contextlib.contextmanager
def working(description: str, stream: TextIO | None = None) -> Iterator[None]:
    """Print how long work without countable units has taken, if it takes more than a moment.

    Args:
        description: name of the work.
        stream: stream to write to; None is stderr.
    """
    stream = stream or sys.stderr
    start = time.monotonic()
    next_line = start + _SECONDS_TO_FIRST_LINE

    def beat() -> None:
        nonlocal next_line
        now = time.monotonic()
        if now >= next_line:
            next_line = now + _SECONDS_BETWEEN_LINES
            print(f"{description}: {now - start:.0f} s so far", file=stream, flush=True)

    heartbeat = _Heartbeat(beat)
    heartbeat.start()
    try:
        yield
    finally:
        heartbeat.stop()


def say(line: str) -> None:
    """Print a line to stderr and flush it."""
    print(line, file=sys.stderr, flush=True)


def warn(line: str) -> None:
    """Print a warning to stderr, unless --log hides warnings."""
    if logging.get_verbosity() >= logging.WARNING:
        say(f"warning: {line}")


def track(
    items: Iterable[T], *, total: int, description: str, stream: TextIO | None = None
) -> Iterator[T]:
    """Yield the items and show how many of `total` are done."""
    with Progress(total, description, stream=stream) as progress:
        for item in items:
            yield item
            progress.update(1)

"""Progress of long work: a living line on a terminal, plain lines in a log.

Work may contain other work; the innermost is shown. One thread keeps the time, so that something is shown
every few seconds even while a single call compiles or imports.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TextIO, TypeVar

from absl import logging

_TICK = 0.25
# A terminal shows work that takes longer than this; shorter work would only flicker.
_SECONDS_TO_LIVING_LINE = 0.8
# A log gets its first lines soon; once work is long, one now and then is enough.
_SECONDS_BETWEEN_FIRST_LINES = 2.5
_SECONDS_BETWEEN_LINES = 10.0

T = TypeVar("T")


class Progress:
    """A display of countable work; use it as a context manager.

    Args:
        total: total number of units of work.
        description: name of the work.
        unit: name of a unit.
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
        self._total, self._description, self._unit = total, description, unit
        self._initial = self._done = initial
        self._note = ""
        self._first_update: tuple[float, int] | None = None
        self.start = time.monotonic()
        self.stream = stream or sys.stderr

    def __enter__(self) -> Progress:
        """Show it, and return itself."""
        self.start = time.monotonic()
        _DISPLAY.begin(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the last state as a line; in a log, only that of long and finished work."""
        begun = self._done > self._initial and _is_terminal(self.stream)
        _DISPLAY.end(self, leave=begun or self._done >= self._total)

    def update(self, count: int, note: str = "") -> None:
        """Count `count` more units as done; `note` is shown beside, such as the latest loss."""
        if self._first_update is None:
            self._first_update = time.monotonic(), self._done + count
        self._done, self._note = self._done + count, note

    def line(self) -> str:
        """Return the state as a line of a log."""
        now, shown = time.monotonic(), self._shown()
        parts = [f"{shown:,}/{self._total:,}{self._unit and ' ' + self._unit}"]
        rate = self._rate(now)
        if rate:
            parts.append(f"{rate:,.0f}/s" if rate >= 2 else f"{1 / rate:.1f} s each")
            parts.append(f"{(self._total - shown) / rate:.0f} s left")
        else:
            parts.append(f"{now - self.start:.0f} s so far")
        parts += [self._note] if self._note else []
        return f"{self._description}: {', '.join(parts)}"

    def living_line(self, columns: int) -> str:
        """Return the state as a bar for a terminal."""
        from tqdm import tqdm

        now = time.monotonic()
        return tqdm.format_meter(
            self._shown(),
            self._total,
            now - self.start,
            ncols=columns,
            prefix=self._description,
            ascii="utf" not in str(getattr(self.stream, "encoding", "")).lower(),
            unit=f" {self._unit}" if self._unit else "",
            unit_scale=self._total >= 10_000,
            rate=self._rate(now),
            postfix=self._note or None,
            initial=self._initial,
        )

    def _shown(self) -> int:
        # The last unit of work may do more than was asked for.
        return min(self._done, self._total)

    def _rate(self, now: float) -> float | None:
        """Return the units per second; None before the first is done."""
        if self._first_update is None or self._done <= self._initial:
            return None
        since, counted = self._first_update
        # The first unit also compiles: it counts only as long as little else does.
        if now - since < 1.0 or self._done == counted:
            since, counted = self.start, self._initial
        return (self._done - counted) / max(now - since, 1e-9)


class _Working:
    """Work without countable units: only its time is shown."""

    def __init__(self, description: str, stream: TextIO | None) -> None:
        self._description, self.stream = description, stream or sys.stderr
        self.start = time.monotonic()

    def line(self) -> str:
        return f"{self._description}: {time.monotonic() - self.start:.0f} s so far"

    def living_line(self, columns: int) -> str:
        return self.line()[:columns]


class _Display:
    """What is being worked on, and the thread that shows it; only one line is alive at a time."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._works: list[Progress | _Working] = []
        self._thread: threading.Thread | None = None
        self._quiet_since = 0.0
        self._living: tuple[TextIO, int] | None = None

    def begin(self, work: Progress | _Working) -> None:
        """Show work until its `end`."""
        with self._lock:
            if not self._works:
                self._quiet_since = time.monotonic()
            self._works.append(work)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
                self._thread.start()

    def end(self, work: Progress | _Working, leave: bool = False) -> None:
        """Stop showing work; `leave` its last state as a line."""
        with self._lock:
            self._erase()
            if work in self._works:
                self._works.remove(work)
            if leave and _is_terminal(work.stream):
                self.say(work.living_line(_columns(work.stream)), work.stream)
            elif leave and time.monotonic() - work.start > _SECONDS_BETWEEN_FIRST_LINES:
                self.say(work.line(), work.stream)

    def say(self, line: str, stream: TextIO | None) -> None:
        """Print a line that stays, in the place of the living one."""
        with self._lock:
            self._erase()
            self._quiet_since = time.monotonic()
            _write(stream, f"{line}\n")

    def _run(self) -> None:
        try:
            while True:
                time.sleep(_TICK)
                with self._lock:
                    if not self._works:
                        # Set under the lock, so that work that begins now starts another thread.
                        self._thread = None
                        return
                    self._show(self._works[-1])
        except BaseException:
            self._thread = None
            raise

    def _show(self, work: Progress | _Working) -> None:
        now = time.monotonic()
        silence = now - self._quiet_since
        if _is_terminal(work.stream):
            if silence > _SECONDS_TO_LIVING_LINE:
                self._draw(work.stream, work.living_line(_columns(work.stream)))
            return
        is_long = now - work.start > _SECONDS_BETWEEN_LINES
        if silence > (_SECONDS_BETWEEN_LINES if is_long else _SECONDS_BETWEEN_FIRST_LINES):
            self.say(work.line(), work.stream)

    def _draw(self, stream: TextIO, text: str) -> None:
        if self._living and self._living[0] is not stream:
            self._erase()
        width = self._living[1] if self._living else 0
        # The cursor waits at the start of the line, so that the output of others replaces it.
        _write(stream, f"\r{text.ljust(width)}\r")
        self._living = stream, len(text)

    def _erase(self) -> None:
        if self._living:
            stream, width = self._living
            self._living = None
            _write(stream, f"\r{' ' * width}\r")


_DISPLAY = _Display()


@contextlib.contextmanager
def working(description: str, stream: TextIO | None = None) -> Iterator[None]:
    """Show how long the work of this block has taken, if it takes more than a moment.

    Args:
        description: name of the work.
        stream: stream to write to; None is stderr.
    """
    work = _Working(description, stream)
    try:
        _DISPLAY.begin(work)
        yield
    finally:
        _DISPLAY.end(work)


def say(line: str) -> None:
    """Print a line to stderr and flush it."""
    _DISPLAY.say(line, sys.stderr)


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


def _write(stream: TextIO | None, text: str) -> None:
    # Without a standard error, Python has no stream for it.
    if stream is not None and not stream.closed:
        stream.write(text)
        stream.flush()


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


def _columns(stream: TextIO) -> int:
    """Return the number of columns that a line may fill without a break."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return (columns or 80) - 1

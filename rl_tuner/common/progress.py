"""How far long work is: a bar with rate and time left on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TextIO, TypeVar

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_WITHOUT_A_LINE = 3.0
_MARGIN = 0.5

T = TypeVar("T")


class Progress:
    """Shows progress on a stream; use it as a context manager.

    Args:
        total: units of work in all.
        description: what is done.
        unit: name of a unit, for the rate.
        initial: units done before, by an earlier run.
        stream: where to write; stderr by default.
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
        self._start = self._last_line = time.monotonic()
        self._bar = None
        if self._stream.isatty():
            import tqdm

            self._bar = tqdm.tqdm(
                total=total,
                desc=description,
                unit=f" {unit}" if unit else "",
                unit_scale=True,
                initial=initial,
                file=self._stream,
                dynamic_ncols=True,
            )

    def __enter__(self) -> Progress:
        """Returns itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the bar."""
        if self._bar is not None:
            self._bar.close()

    def update(self, count: int, note: str = "") -> None:
        """Counts `count` more units as done; `note` is shown beside, such as the latest loss."""
        self._done += count
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(count)
            return
        now = time.monotonic()
        finished = self._done >= self._total and now - self._start > _SECONDS_WITHOUT_A_LINE
        if now - self._last_line < _SECONDS_BETWEEN_LINES and not finished:
            return
        self._last_line = now
        rate = (self._done - self._initial) / max(now - self._start, 1e-9)
        left = max(0, self._total - self._done) / max(rate, 1e-9)
        unit = f" {self._unit}" if self._unit else ""
        speed = f"{rate:,.0f}/s" if rate >= 2 else f"{1 / max(rate, 1e-9):.1f} s each"
        print(
            f"{self._description}: {self._done:,}/{self._total:,}{unit}, {speed}, "
            f"{left:.0f} s left{', ' + note if note else ''}",
            file=self._stream,
            flush=True,
        )


def say(line: str) -> None:
    """Shows one line on stderr at once."""
    print(line, file=sys.stderr, flush=True)


def track(
    items: Iterable[T], *, total: int, description: str, stream: TextIO | None = None
) -> Iterator[T]:
    """Yields the items and shows how many of `total` are done."""
    with Progress(total, description, stream=stream) as progress:
        for item in items:
            yield item
            progress.update(1)


@contextlib.contextmanager
def working(description: str, stream: TextIO | None = None) -> Iterator[None]:
    """Show that work without a countable end is under way: after 3 seconds, then every 10.

    Args:
        description: what is done.
        stream: where to write; stderr by default.
    """
    stream = stream or sys.stderr
    done = threading.Event()
    start = time.monotonic()

    def report() -> None:
        wait = _SECONDS_WITHOUT_A_LINE - _MARGIN
        while not done.wait(wait):
            seconds = time.monotonic() - start
            print(f"{description}: {seconds:.0f} s so far", file=stream, flush=True)
            wait = _SECONDS_BETWEEN_LINES

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()

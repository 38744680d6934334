"""Ctrl-C and SIGTERM in long work: the first lets it finish and save, the second ends it at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, NoReturn

from rl_tuner.common.progress import say

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived."""


def raise_terminated(number: int, frame: FrameType | None) -> NoReturn:
    """Handle SIGTERM outside of work that can save itself."""
    raise Terminated


def send_again(ignored: UnraisableHookArgs) -> None:
    """Send a signal again whose exception was raised in a destructor, where Python drops it.

    Made to be `sys.unraisablehook`; what is not a signal is told as ever.
    """
    if not issubclass(ignored.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(ignored)
        return
    number = signal.SIGTERM if issubclass(ignored.exc_type, Terminated) else signal.SIGINT
    # A little later, when the destructor has returned.
    again = threading.Timer(0.1, os.kill, (os.getpid(), number))
    again.daemon = True
    again.start()


class Deferred:
    """A context in which the first signal is only noted, so that the work can save its state.

    Python's handlers wait for the end of a TensorFlow call, so a second signal is left to the system,
    which ends the process at once. Outside of the main thread, signals stay as they are.

    Args:
        work: name of the work, for the message.
    """

    def __init__(self, work: str) -> None:
        self._work = work
        self._arrived: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Deferred:
        """Take over the signals."""
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the signals back; one that arrived after the last `stop` is raised here."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        if kind is None:
            self.stop()

    @property
    def arrived(self) -> bool:
        """Whether a signal has arrived: save, then call `stop`."""
        return self._arrived is not None

    def stop(self) -> None:
        """Raise what the signal would have raised, if one has arrived.

        Raises:
            Terminated: it was SIGTERM.
            KeyboardInterrupt: it was SIGINT.
        """
        if self._arrived is not None:
            raise Terminated if self._arrived == signal.SIGTERM else KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._arrived = number
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        say(
            f"{self._work}: finishing the current iterations and saving; a second signal ends at once"
        )

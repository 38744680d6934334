"""Conversion of the times of a NoteSequence into beats, and its bar lines on the grid of steps."""

import bisect
import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from rl_tuner.tasks.melody.grid import COMMON_TIME, Metre

if TYPE_CHECKING:
    import note_seq

_DEFAULT_QPM = 120.0


def to_step(quarters: float, steps_per_quarter: int) -> int:
    """Return the nearest step; the later one if two are equally near."""
    return int(quarters * steps_per_quarter + 0.5)


def quarters_of(sequence: "note_seq.NoteSequence") -> Callable[[float], float]:
    """Return the function from a sequence's seconds to quarters.

    A missing tempo, or one that is not positive, means 120 quarters per minute.
    """
    changes = sorted(
        (max(t.time, 0.0), t.qpm if t.qpm > 0 else _DEFAULT_QPM) for t in sequence.tempos
    )
    if not changes or changes[0][0] > 0:
        changes.insert(0, (0.0, _DEFAULT_QPM))
    if len({qpm for _, qpm in changes}) == 1:
        per_second = changes[0][1] / 60.0
        return lambda seconds: seconds * per_second
    starts = [0.0]
    for (time, qpm), (following, _) in itertools.pairwise(changes):
        starts.append(starts[-1] + (following - time) * qpm / 60.0)

    times = [time for time, _ in changes]

    def quarters(seconds: float) -> float:
        index = max(0, bisect.bisect_right(times, seconds) - 1)
        time, qpm = changes[index]
        # Rounding undoes the rounding errors of the conversion to seconds.
        return round(starts[index] + (seconds - time) * qpm / 60.0, 6)

    return quarters


@dataclasses.dataclass(frozen=True)
class Metres:
    """The time signatures of a stretch of music on the grid.

    Attributes:
        changes: (step, steps per bar), by step, the first at step 0.
        names: (step, time signature), by step.
    """

    changes: tuple[tuple[int, float], ...]
    names: tuple[tuple[int, Metre], ...] = ((0, COMMON_TIME),)

    def prevailing(self, end_step: int) -> float:
        """Return the steps per bar in effect for the longest time before a step, the earliest of equals."""
        return _longest(self.changes, end_step)

    def prevailing_name(self, end_step: int) -> Metre:
        """Return the time signature in effect for the longest time before a step."""
        return _longest(self.names, end_step)

    def bar_line(self, step: int) -> int:
        """Return the last bar line that is not after a step."""
        first, steps_per_bar = next(c for c in reversed(self.changes) if c[0] <= step)
        return first + int((step - first) // steps_per_bar * steps_per_bar)


_Value = TypeVar("_Value", float, Metre)


def _longest(changes: Sequence[tuple[int, _Value]], end_step: int) -> _Value:
    lengths: dict[_Value, int] = {}
    ends = [step for step, _ in changes[1:]] + [end_step]
    for (step, value), end in zip(changes, ends):
        lengths[value] = lengths.get(value, 0) + max(0, min(end, end_step) - step)
    return max(lengths, key=lambda value: lengths[value])


def metres_of(
    sequence: "note_seq.NoteSequence", quarters: Callable[[float], float], steps_per_quarter: int
) -> Metres:
    """Return the metres of a sequence, without invalid time signatures."""
    changes = [(0, _steps_per_bar(*COMMON_TIME, steps_per_quarter))]
    names = [(0, COMMON_TIME)]
    for signature in sorted(sequence.time_signatures, key=lambda s: s.time):
        numerator, denominator = signature.numerator, signature.denominator
        if numerator <= 0 or denominator <= 0 or denominator & (denominator - 1):
            continue
        step, steps_per_bar = (
            to_step(quarters(signature.time), steps_per_quarter),
            _steps_per_bar(numerator, denominator, steps_per_quarter),
        )
        if step <= names[-1][0]:
            names.pop()
        names.append((max(step, 0) if names else 0, (numerator, denominator)))
        if step <= changes[-1][0]:
            changes[-1] = (changes[-1][0], steps_per_bar)
        elif steps_per_bar != changes[-1][1]:
            changes.append((step, steps_per_bar))
    return Metres(tuple(_merged(changes)), tuple(names))


def _merged(changes: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    merged = list(changes[:1])
    for change in changes[1:]:
        if change[1] != merged[-1][1]:
            merged.append(change)
    return merged


def _steps_per_bar(numerator: int, denominator: int, steps_per_quarter: int) -> float:
    return numerator * 4 * steps_per_quarter / denominator

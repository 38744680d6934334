"""The notes of one instrument to one line of melody, on the grid of steps."""

import collections
import dataclasses

from rl_tuner.datasets.writer import RejectedError

POLYPHONY_CHOICES = ("skyline", "skip")

UNDER_HIGHER = "notes under a higher one dropped"
TOO_FAST = "notes too fast for the grid dropped"


@dataclasses.dataclass(slots=True)
class StepNote:
    """A note in quarters, and in whole steps."""

    start: float
    end: float
    pitch: int
    start_step: int
    end_step: int


def one_line(
    notes: list[StepNote], polyphony: str, counts: collections.Counter[str]
) -> list[StepNote]:
    """Return the notes of an instrument that make one line of melody, by start.

    Of notes that fall on one step though they follow one another (an ornament too fast for the
    grid) the longest stays. Skyline keeps the highest of the notes that start together and
    drops notes that lie wholly under a higher one; a note that outlasts the higher one stays,
    for such is the legato of a single line.

    Args:
        notes: The notes, in any order.
        polyphony: "skyline" or "skip".
        counts: Where dropped notes are counted.

    Raises:
        RejectedError: if notes start together and polyphony is "skip".
    """
    line: list[StepNote] = []
    for note in sorted(notes, key=lambda n: (n.start_step, n.start, -n.pitch)):
        last = line[-1] if line else None
        if last is None or last.start_step < note.start_step:
            line.append(note)
        elif note.start >= last.end - 1e-6:
            counts[TOO_FAST] += 1
            if note.end - note.start > (last.end - last.start) * 1.001:
                line[-1] = note
        elif polyphony == "skip":
            raise RejectedError("polyphonic")
        else:
            counts[UNDER_HIGHER] += 1
            if note.pitch > last.pitch:
                line[-1] = note
    return line if polyphony == "skip" else _skyline(line, counts)


def _skyline(line: list[StepNote], counts: collections.Counter[str]) -> list[StepNote]:
    skyline: list[StepNote] = []
    sounding: list[StepNote] = []
    for note in line:
        sounding = [n for n in sounding if n.end_step > note.start_step]
        if any(n.pitch > note.pitch and n.end_step >= note.end_step for n in sounding):
            counts[UNDER_HIGHER] += 1
        else:
            skyline.append(note)
            sounding.append(note)
    return skyline

"""Reduction of the notes of one instrument to a single line of melody, on the grid of steps."""

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
    """Return the notes of an instrument that form a single line of melody, sorted by start.

    If consecutive notes fall on the same step (an ornament too fast for the grid), the longest is
    kept. Skyline keeps the highest of the notes that start together and drops notes that sound
    entirely below a higher note; a note that outlasts the higher note is kept, because legato in a
    single line looks like that.

    Args:
        notes: The notes, in any order.
        polyphony: "skyline" or "skip".
        counts: Receives the numbers of dropped notes.

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

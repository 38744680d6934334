"""Extraction of melodies from NoteSequences: quantised on beats, monophonic, transposed, as classes."""

import collections
import dataclasses
import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pipelines.melody import beats, keys
from pipelines.melody.lines import POLYPHONY_CHOICES, StepNote, one_line
from rl_tuner.datasets.writer import RejectedError
from rl_tuner.tasks.melody import encoding
from rl_tuner.tasks.melody.grid import COMMON_TIME, DEFAULT_GRID, Grid, Metre

if TYPE_CHECKING:
    import note_seq

__all__ = [
    "POLYPHONY_CHOICES",
    "SPLIT_CHOICES",
    "Extraction",
    "ExtractionSettings",
    "Melody",
    "extract_melodies",
]

SPLIT_CHOICES = ("none", "metre")

# 100,000 steps are 3.5 hours at 120 quarters per minute, which can only result from a stray event.
_MAX_TUNE_STEPS = 100_000
_NO_EVENT, _NOTE_OFF = -2, -1

DRUMS = "drum notes left out"
SILENT = "notes without length, velocity or possible pitch"
FOLDED = "notes moved by octaves"
CUT = "melodies cut to max_steps"


@dataclasses.dataclass(frozen=True)
class ExtractionSettings:
    """Settings of the extraction; see `settings.MelodySettings`."""

    polyphony: str
    gap_bars: float
    min_bars: int
    min_unique_pitches: int
    max_steps: int
    split: str = "none"
    max_moved: float = 0.03
    grid: Grid = DEFAULT_GRID
    metre: str = ""
    mode: str = ""
    transpose: str = "major"


@dataclasses.dataclass(frozen=True)
class Melody:
    """A melody.

    Attributes:
        classes: The class of each step, one byte per step.
        steps_per_bar: Number of steps per bar.
        metre: The time signature.
        key: The key of the tune before it was transposed.
    """

    classes: bytes
    steps_per_bar: int
    metre: Metre = COMMON_TIME
    key: keys.KeyName = (0, "major")


@dataclasses.dataclass
class Extraction:
    """The melodies of a score.

    Attributes:
        melodies: The melodies, in order.
        rejections: The rejections of other candidates.
        counts: Numbers of dropped and moved notes, by reason.
    """

    melodies: list[Melody] = dataclasses.field(default_factory=list)
    rejections: list[RejectedError] = dataclasses.field(default_factory=list)
    counts: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


@dataclasses.dataclass(frozen=True)
class _Candidate:
    """Notes that may be a melody, with their first bar line and the prevailing metre.

    Attributes:
        notes: The notes, a single line.
        start: The bar line at the beginning, in steps.
        steps_per_bar: Number of steps per bar.
        cause: Why the notes are separated from the rest of their tune; "" if they are the whole tune.
        metre: The prevailing time signature.
        stated: The key that the file states; None for none.
    """

    notes: list[StepNote]
    start: int
    steps_per_bar: int
    cause: str
    metre: Metre = COMMON_TIME
    stated: keys.KeyName | None = None


def extract_melodies(sequence: "note_seq.NoteSequence", settings: ExtractionSettings) -> Extraction:
    """Return the melodies of a score, in order; each instrument is searched separately."""
    result = Extraction()
    quarters = beats.quarters_of(sequence)
    instruments = _instruments(sequence, quarters, settings.grid.steps_per_quarter, result.counts)
    if not instruments:
        result.rejections.append(RejectedError("no notes"))
        return result
    last = max(note.end_step for notes in instruments.values() for note in notes)
    if last > _MAX_TUNE_STEPS:
        result.rejections.append(RejectedError("too long", f"{last} steps"))
        return result
    metres = beats.metres_of(sequence, quarters, settings.grid.steps_per_quarter)
    stated = _stated_keys(sequence, quarters, settings.grid.steps_per_quarter)
    for first, stretch, stretch_metres, cause in _stretches(instruments, metres, settings):
        for _, notes in sorted(stretch.items()):
            try:
                line = one_line(notes, settings.polyphony, result.counts)
                candidates = list(_between_gaps(line, stretch_metres, settings.gap_bars, cause))
                candidates = [_with_key(candidate, first, stated) for candidate in candidates]
            except RejectedError as error:
                result.rejections.append(error)
                continue
            for candidate in candidates:
                try:
                    result.melodies.append(_encode(candidate, settings, result.counts))
                except RejectedError as error:
                    result.rejections.append(error)
    return result


def _instruments(
    sequence: "note_seq.NoteSequence",
    quarters: Callable[[float], float],
    steps_per_quarter: int,
    counts: collections.Counter[str],
) -> dict[int, list[StepNote]]:
    """Return the quantised notes of each instrument, without drums and silent notes."""
    instruments: dict[int, list[StepNote]] = {}
    for note in sequence.notes:
        start_time, end_time = note.start_time, note.end_time
        if note.is_drum:
            counts[DRUMS] += 1
        elif not note.velocity or not 0 <= start_time < end_time or not 0 <= note.pitch < 128:
            counts[SILENT] += 1
        else:
            start, end = quarters(start_time), quarters(end_time)
            first = beats.to_step(start, steps_per_quarter)
            last = max(first + 1, beats.to_step(end, steps_per_quarter))
            step_note = StepNote(start, end, note.pitch, first, last)
            instruments.setdefault(note.instrument, []).append(step_note)
    return instruments


def _stretches(
    instruments: dict[int, list[StepNote]], metres: beats.Metres, settings: ExtractionSettings
) -> Iterator[tuple[int, dict[int, list[StepNote]], beats.Metres, str]]:
    """Yield the whole score, or the notes between changes of metre, cut off at the changes.

    Each has the step at which it begins; its notes and metres count from there.
    """
    if settings.split == "none" or len(metres.changes) == 1:
        yield 0, instruments, metres, ""
        return
    ends = [step for step, _ in metres.changes[1:]] + [_MAX_TUNE_STEPS + 1]
    for (start, steps_per_bar), end in zip(metres.changes, ends):
        shift = start / settings.grid.steps_per_quarter
        stretch = {
            instrument: [
                StepNote(
                    note.start - shift,
                    note.end - shift,
                    note.pitch,
                    note.start_step - start,
                    min(note.end_step, end) - start,
                )
                for note in notes
                if start <= note.start_step < end
            ]
            for instrument, notes in instruments.items()
        }
        stretch = {instrument: notes for instrument, notes in stretch.items() if notes}
        name = next(metre for step, metre in reversed(metres.names) if step <= start)
        own = beats.Metres(((0, steps_per_bar),), ((0, name),))
        yield start, stretch, own, "between changes of metre"


def _stated_keys(
    sequence: "note_seq.NoteSequence", quarters: Callable[[float], float], steps_per_quarter: int
) -> list[tuple[int, keys.KeyName]]:
    return [
        (beats.to_step(quarters(time), steps_per_quarter), key)
        for time, key in keys.signatures_of(sequence)
    ]


def _with_key(
    candidate: _Candidate, first: int, stated: list[tuple[int, keys.KeyName]]
) -> _Candidate:
    """Return a candidate with the key in effect at its first note, or else the first of the file."""
    start = first + candidate.notes[0].start_step
    before = [key for step, key in stated if step <= start]
    found = before[-1] if before else next((key for _, key in stated), None)
    return dataclasses.replace(candidate, stated=found)


def _between_gaps(
    line: list[StepNote], metres: beats.Metres, gap_bars: float, cause: str
) -> Iterator[_Candidate]:
    """Yield the notes between silences of at least `gap_bars` bars.

    Raises:
        RejectedError: if a bar is not a whole number of steps.
    """
    steps_per_bar = metres.prevailing(line[-1].end_step)
    if steps_per_bar % 1:
        raise RejectedError(
            "bar is not a whole number of steps", f"{steps_per_bar:g} steps per bar"
        )
    groups = [[line[0]]]
    for previous, note in itertools.pairwise(line):
        if note.start_step - previous.end_step >= gap_bars * steps_per_bar:
            groups.append([])
        groups[-1].append(note)
    if len(groups) > 1:
        cause = "between silences"
    for notes in groups:
        start = metres.bar_line(notes[0].start_step)
        metre = metres.prevailing_name(line[-1].end_step)
        yield _Candidate(notes, start, int(steps_per_bar), cause, metre)


def _events(candidate: _Candidate) -> list[int]:
    """Return the events of a melody in note-seq's encoding, up to the end of its last bar."""
    events = [_NO_EVENT] * (candidate.notes[-1].end_step - candidate.start)
    for note, following in zip(candidate.notes, [*candidate.notes[1:], None]):
        events[note.start_step - candidate.start] = note.pitch
        if following is not None and note.end_step < following.start_step:
            events[note.end_step - candidate.start] = _NOTE_OFF
    padding = -len(events) % candidate.steps_per_bar
    return events + [_NOTE_OFF, *[_NO_EVENT] * padding][:padding]


def _encode(
    candidate: _Candidate, settings: ExtractionSettings, counts: collections.Counter[str]
) -> Melody:
    import note_seq

    steps_per_bar = candidate.steps_per_bar
    events = _events(candidate)
    if len(events) < settings.min_bars * steps_per_bar:
        reason = f"too few bars {candidate.cause}".rstrip()
        raise RejectedError(reason, f"{len(events) // steps_per_bar} bars")
    key = _check_kind(candidate, settings)
    grid = settings.grid
    max_steps = settings.max_steps * grid.steps_per_quarter // encoding.STEPS_PER_QUARTER
    if max_steps and len(events) > max_steps:
        counts[CUT] += 1
        del events[max(1, max_steps // steps_per_bar) * steps_per_bar :]
    pitches = [event for event in events if event >= 0]
    unique = len({pitch % 12 for pitch in pitches})
    if unique < settings.min_unique_pitches:
        raise RejectedError("too few unique pitches", f"{unique} pitch classes")
    melody = note_seq.Melody(
        events, steps_per_bar=steps_per_bar, steps_per_quarter=grid.steps_per_quarter
    )
    shift = _transpose(melody, key, settings)
    moved = sum(not grid.min_pitch <= p + shift <= grid.max_pitch for p in pitches)
    if moved > settings.max_moved * len(pitches):
        where = "" if settings.transpose == "none" else " in C"
        detail = f"{moved} of {len(pitches)} notes outside {_size(grid)}{where}"
        raise RejectedError("range too wide", detail)
    counts[FOLDED] += moved
    return Melody(bytes(grid.encode_events(melody)), steps_per_bar, candidate.metre, key)


def _size(grid: Grid) -> str:
    return "three octaves" if grid.num_pitches == 36 else f"{grid.num_pitches} semitones"


def _check_kind(candidate: _Candidate, settings: ExtractionSettings) -> keys.KeyName:
    """Return the key of a candidate.

    Raises:
        RejectedError: if it is not in the metre or the mode that the settings ask for.
    """
    metre = "{}/{}".format(*candidate.metre)
    if settings.metre and metre != settings.metre:
        raise RejectedError("in another metre", metre)
    durations = [0] * 12
    for note in candidate.notes:
        durations[note.pitch % 12] += note.end_step - note.start_step
    key = keys.choose(candidate.stated, durations)
    if settings.mode and key[1] != settings.mode:
        raise RejectedError("in another mode", keys.name_of(key))
    return key


def _transpose(melody: "note_seq.Melody", key: keys.KeyName, settings: ExtractionSettings) -> int:
    """Transpose a melody in place, as near as possible to the middle of the range; return the semitones.

    Notes outside the range are moved by octaves.
    """
    low, high = settings.grid.min_pitch, settings.grid.max_pitch
    if settings.transpose == "major":
        return int(melody.squash(low, high + 1, encoding.TRANSPOSE_TO_KEY))
    pitches = [event for event in melody if event >= 0]
    shift = 0
    if settings.transpose != "none":
        shift = keys.target_tonic(key[1], settings.transpose) - key[0]
    is_inside = settings.transpose == "none" and all(low <= p <= high for p in pitches)
    if not is_inside:
        middle = (min(pitches) + max(pitches)) / 2 + shift
        shift += 12 * round(((low + high) / 2 - middle) / 12)
    melody.transpose(shift, low, high + 1)
    return shift

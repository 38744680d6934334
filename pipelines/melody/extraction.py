"""NoteSequences to melodies: quantised, monophonic, in C, as classes."""

import dataclasses
from typing import TYPE_CHECKING

from pipelines import errors
from rl_tuner.tasks.melody import encoding

if TYPE_CHECKING:
    import note_seq

POLYPHONY_CHOICES = ("skyline", "skip")

# 100,000 steps are 3.5 hours at 120 quarters a minute: nobody's tune, but a stray event's.
_MAX_TUNE_STEPS = 100_000


@dataclasses.dataclass(frozen=True)
class ExtractionSettings:
    """What counts as a melody; `melody_dataset.build_melody_dataset` explains each."""

    polyphony: str
    gap_bars: float
    min_bars: int
    min_unique_pitches: int
    max_steps: int


@dataclasses.dataclass(frozen=True)
class Melody:
    """A melody in C: one byte a step, its class; and how many steps a bar has."""

    classes: bytes
    steps_per_bar: int


def extract_melodies(
    sequence: "note_seq.NoteSequence", settings: ExtractionSettings
) -> tuple[list[Melody], list[errors.RejectedError]]:
    """Returns every melody of a score, in order, and why other candidates are none.

    The score is split where its tempo or meter changes; every instrument of every piece is
    searched on its own.
    """
    from note_seq import sequences_lib

    sequence = _without_silent_notes(sequence)
    if not sequence.notes:
        return [], [errors.RejectedError("no notes")]
    melodies: list[Melody] = []
    rejections: list[errors.RejectedError] = []
    for piece in sequences_lib.split_note_sequence_on_time_changes(sequence):
        if not piece.notes:
            continue
        try:
            tracks = _quantised_tracks(piece)
        except errors.RejectedError as error:
            rejections.append(error)
            continue
        for track in tracks:
            try:
                found, refused = _track_melodies(track, settings)
            except errors.RejectedError as error:
                rejections.append(error)
            else:
                melodies += found
                rejections += refused
    return melodies, rejections


def _without_silent_notes(sequence: "note_seq.NoteSequence") -> "note_seq.NoteSequence":
    """Returns a copy without drums, notes of no velocity and notes of no length."""
    copy = type(sequence)()
    copy.CopyFrom(sequence)
    del copy.notes[:]
    copy.notes.extend(
        note
        for note in sequence.notes
        if not note.is_drum and note.velocity and note.end_time > note.start_time
    )
    copy.total_time = max((note.end_time for note in copy.notes), default=0)
    return copy


def _quantised_tracks(piece: "note_seq.NoteSequence") -> list["note_seq.NoteSequence"]:
    """Returns the quantised notes of each instrument as a sequence of their own."""
    import note_seq

    try:
        quantised = note_seq.quantize_note_sequence(piece, encoding.STEPS_PER_QUARTER)
    except (
        note_seq.BadTimeSignatureError,
        note_seq.MultipleTimeSignatureError,
        note_seq.MultipleTempoError,
        note_seq.NegativeTimeError,
    ) as error:
        raise errors.RejectedError("cannot be quantised", str(error)) from error
    if quantised.total_quantized_steps > _MAX_TUNE_STEPS:
        raise errors.RejectedError("too long", f"{quantised.total_quantized_steps} steps")
    tracks = []
    for instrument in sorted({note.instrument for note in quantised.notes}):
        track = type(quantised)()
        track.CopyFrom(quantised)
        del track.notes[:]
        track.notes.extend(n for n in quantised.notes if n.instrument == instrument)
        tracks.append(track)
    return tracks


def _track_melodies(
    track: "note_seq.NoteSequence", settings: ExtractionSettings
) -> tuple[list[Melody], list[errors.RejectedError]]:
    import note_seq

    notes = _one_line(list(track.notes), settings.polyphony)
    instrument = notes[0].instrument
    del track.notes[:]
    track.notes.extend(notes)
    melodies: list[Melody] = []
    rejections: list[errors.RejectedError] = []
    search_start = 0
    while True:
        melody = note_seq.Melody()
        try:
            melody.from_quantized_sequence(
                track,
                search_start_step=search_start,
                instrument=instrument,
                gap_bars=settings.gap_bars,
                ignore_polyphonic_notes=True,
                pad_end=True,
            )
        except note_seq.NonIntegerStepsPerBarError as error:
            raise errors.RejectedError("bar is not a whole number of steps", str(error)) from error
        if not len(melody):
            return melodies, rejections
        # The search goes on at the next bar.
        search_start = melody.end_step + (search_start - melody.end_step) % melody.steps_per_bar
        try:
            melodies.append(_encode(melody, settings))
        except errors.RejectedError as error:
            rejections.append(error)


def _one_line(notes: list, polyphony: str) -> list:
    """Returns the notes of a track that make one line of melody, by start.

    Of notes that fall on one step though they follow one another (an ornament too fast for the
    grid) the longest stays. Skyline keeps the highest of the notes that start together and
    drops notes that lie wholly under a higher one; a note that outlasts the higher one stays,
    for such is the legato of a single line.

    Raises:
        RejectedError: if notes start together and polyphony is "skip".
    """
    notes = sorted(notes, key=lambda n: (n.quantized_start_step, n.start_time, -n.pitch))
    line: list = []
    for note in notes:
        last = line[-1] if line else None
        if last is None or last.quantized_start_step < note.quantized_start_step:
            line.append(note)
        elif note.start_time >= last.end_time - 1e-6:
            if _seconds(note) > _seconds(last) * 1.001:
                line[-1] = note
        elif polyphony == "skip":
            raise errors.RejectedError("polyphonic")
        elif note.pitch > last.pitch:
            line[-1] = note
    if polyphony == "skip":
        return line
    skyline: list = []
    sounding: list = []
    for note in line:
        sounding = [n for n in sounding if n.quantized_end_step > note.quantized_start_step]
        if not any(
            higher.pitch > note.pitch and higher.quantized_end_step >= note.quantized_end_step
            for higher in sounding
        ):
            skyline.append(note)
            sounding.append(note)
    return skyline


def _seconds(note: "note_seq.NoteSequence.Note") -> float:
    return note.end_time - note.start_time


def _encode(melody: "note_seq.Melody", settings: ExtractionSettings) -> Melody:
    steps_per_bar = melody.steps_per_bar
    if len(melody) < settings.min_bars * steps_per_bar:
        raise errors.RejectedError("too few bars", f"{len(melody) // steps_per_bar} bars")
    if settings.max_steps and len(melody) > settings.max_steps:
        melody.set_length(max(1, settings.max_steps // steps_per_bar) * steps_per_bar)
    unique = sum(1 for count in melody.get_note_histogram() if count)
    if unique < settings.min_unique_pitches:
        raise errors.RejectedError("too few unique pitches", f"{unique} pitch classes")
    melody.squash(encoding.MIN_NOTE, encoding.MAX_NOTE, encoding.TRANSPOSE_TO_KEY)
    return Melody(bytes(encoding.encode_events(melody)), steps_per_bar)

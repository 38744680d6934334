"""Reading of tunes of every format into note-seq NoteSequences.

Times are those of 120 quarters per minute, whatever the tempo of the score: a beat is half a second.
note-seq is imported where it is used, so that commands start fast.
"""

import collections
import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pipelines.melody import abc_tune, midi, musicxml, tempo, tunes, xml_files
from pipelines.melody.keys import UNSTATED, KeyName
from pipelines.melody.score import TICKS_PER_QUARTER, Part
from rl_tuner.common.errors import class_and_message
from rl_tuner.datasets import tfrecords
from rl_tuner.datasets.writer import RejectedError

if TYPE_CHECKING:
    import note_seq

_SECONDS_PER_QUARTER = 0.5
_VELOCITY = 100


@dataclasses.dataclass
class Reading:
    """The content of a tune.

    Attributes:
        sequences: The songs, only one unless it is a MIDI file of several; one instrument per line.
        counts: Numbers of repairs and omissions, by kind.
        qpm: The first tempo, in quarters per minute; None if there is none, or an absurd one.
    """

    sequences: list["note_seq.NoteSequence"]
    counts: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    qpm: float | None = None


def read_tune(tune: tunes.Tune, *, max_bytes: int) -> Reading:
    """Return the notes of a tune, one instrument per part and voice.

    Raises:
        RejectedError: if the tune is too large or cannot be read.
    """
    readers = {
        "midi": _read_midi,
        "abc": _read_abc,
        "musicxml": _read_musicxml,
        "notesequence": _read_notesequence,
    }
    if tune.size > max_bytes:
        raise RejectedError("too large", f"{tune.size} bytes")
    try:
        return readers[tune.format](tune, max_bytes)
    except RejectedError:
        raise
    except MemoryError as error:
        raise RejectedError("out of memory") from error
    except Exception as error:
        message = class_and_message(error)
        raise RejectedError(f"unreadable {tune.format}", message[:200]) from error


def _read_midi(tune: tunes.Tune, max_bytes: int) -> Reading:
    del max_bytes
    with open(tune.path, "rb") as file:
        songs, counts = midi.read_songs(file.read())
    sequences = [_sequence(s.notes, s.metres, s.keys, s.ticks_per_quarter) for s in songs]
    return Reading(sequences, counts, next((s.qpm for s in songs if s.qpm), None))


def _read_notesequence(tune: tunes.Tune, max_bytes: int) -> Reading:
    import note_seq

    del max_bytes
    record = tfrecords.read_record(tune.path, tune.offset)
    sequence = note_seq.NoteSequence.FromString(record)
    qpm = next((tempo.plausible(t.qpm) for t in sequence.tempos), None)
    return Reading([sequence], qpm=qpm)


def _read_musicxml(tune: tunes.Tune, max_bytes: int) -> Reading:
    with open(tune.path, "rb") as file:
        root = xml_files.read_root(file.read(), max_bytes)
    parts, counts = musicxml.read_parts(root)
    return Reading([_sequence_of_parts(parts)], counts, tempo.of_musicxml(root))


def _read_abc(tune: tunes.Tune, max_bytes: int) -> Reading:
    del max_bytes
    parts = abc_tune.read_tune(tune.text)
    return Reading([_sequence_of_parts(parts)], qpm=tempo.of_abc(tune.text))


def _sequence_of_parts(parts: list[Part]) -> "note_seq.NoteSequence":
    lines: dict[tuple[int, str], int] = {}
    notes = [
        (lines.setdefault((number, note.line), len(lines)), note.start, note.end, note.pitch)
        for number, part in enumerate(parts)
        for note in part.notes
    ]
    metres = next((part.metres for part in parts if part.metres), [])
    keys = next((part.keys for part in parts if part.keys), [])
    return _sequence(notes, [(tick, *metre) for tick, metre in metres], keys, TICKS_PER_QUARTER)


def _sequence(
    notes: Iterable[tuple[int, int, int, int]],
    metres: Iterable[tuple[int, int, int]],
    keys: Iterable[tuple[int, KeyName]],
    ticks_per_quarter: float,
) -> "note_seq.NoteSequence":
    """Make a NoteSequence of notes (instrument, start, end, pitch), metres (tick, n, d) and keys."""
    from note_seq.protobuf import music_pb2

    sequence = music_pb2.NoteSequence()
    for tick, numerator, denominator in metres:
        sequence.time_signatures.add(
            time=tick / ticks_per_quarter * _SECONDS_PER_QUARTER,
            numerator=numerator,
            denominator=denominator,
        )
    modes = music_pb2.NoteSequence.KeySignature.Mode
    for tick, (tonic, mode) in keys:
        sequence.key_signatures.add(
            time=tick / ticks_per_quarter * _SECONDS_PER_QUARTER,
            key=tonic,
            mode=modes.Value("NOT_SPECIFIED" if mode == UNSTATED else mode.upper()),
        )
    add = sequence.notes.add
    for instrument, start, end, pitch in notes:
        add(
            instrument=instrument,
            pitch=pitch,
            velocity=_VELOCITY,
            start_time=start / ticks_per_quarter * _SECONDS_PER_QUARTER,
            end_time=end / ticks_per_quarter * _SECONDS_PER_QUARTER,
        )
    return sequence

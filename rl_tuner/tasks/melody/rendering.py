"""Rendering of melodies as note sequences, MIDI files, sound and piano rolls."""

from __future__ import annotations

import io
import os
import warnings
import wave
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from rl_tuner.common.errors import first_line
from rl_tuner.common.files import replacing
from rl_tuner.tasks.melody.encoding import STEPS_PER_QUARTER, encode_events
from rl_tuner.tasks.melody.frame import DEFAULT_FRAME, Frame
from rl_tuner.tasks.melody.grid import DEFAULT_GRID, Grid
from rl_tuner.tasks.melody.notation import DEFAULT_QPM, Piece
from rl_tuner.tasks.melody.piano_roll import piano_roll_figure, piano_roll_image

if TYPE_CHECKING:
    from note_seq.protobuf import music_pb2

__all__ = [
    "audio",
    "midi_bytes",
    "piano_roll_figure",
    "piano_roll_image",
    "read_melody",
    "step_seconds",
    "to_note_sequence",
    "to_wav",
    "wav_bytes",
    "write_midi",
]

# A dependency of note-seq warns that ffmpeg is missing; it is only needed for compressed audio.
warnings.filterwarnings("ignore", "Couldn't find ffmpeg", RuntimeWarning)

# Every step of every grid is a whole number of ticks.
_TICKS_PER_QUARTER = 480
_VELOCITY = 90

# The synthesiser makes a plucked tone whose upper partials are weaker and decay faster.
_PARTIALS = 8
_ATTACK_SECONDS = 0.008
_RELEASE_SECONDS = 0.06
_DECAY_PER_SECOND = 1.5
_PEAK = 0.8


def step_seconds(qpm: float = DEFAULT_QPM, steps_per_quarter: int = STEPS_PER_QUARTER) -> float:
    """Return the length of a step in seconds, at `qpm` quarter notes per minute.

    Raises:
        ValueError: if `qpm` is not positive.
    """
    if not qpm > 0:
        raise ValueError(f"A tempo must be positive, not {qpm}.")
    return 60.0 / qpm / steps_per_quarter


def to_note_sequence(
    classes: Iterable[int],
    qpm: float = DEFAULT_QPM,
    program: int = 0,
    frame: Frame = DEFAULT_FRAME,
    title: str = "",
) -> music_pb2.NoteSequence:
    """Return a melody as a note-seq NoteSequence with tempo, key, metre and track name.

    Args:
        classes: the classes of one melody.
        qpm: quarter notes per minute.
        program: General MIDI program of the instrument, from 0.
        frame: grid and key.
        title: name of the track; "" for none.

    Returns:
        a NoteSequence whose `total_time` covers every step, including trailing silence.

    Raises:
        ValueError: if a class is unknown, `qpm` is not positive or `program` is not in 0 .. 127.
    """
    from note_seq.protobuf import music_pb2

    if not 0 <= program <= 127:
        raise ValueError(f"A MIDI program must be between 0 and 127, not {program}.")
    classes = [int(c) for c in classes]
    grid, key = frame.grid, frame.key
    seconds = step_seconds(qpm, grid.steps_per_quarter)
    sequence = music_pb2.NoteSequence(
        ticks_per_quarter=_TICKS_PER_QUARTER, total_time=len(classes) * seconds
    )
    sequence.tempos.add(qpm=qpm)
    sequence.time_signatures.add(numerator=grid.metre[0], denominator=grid.metre[1])
    # MIDI knows major and minor only: other modes have the major key of their signature.
    modes = music_pb2.NoteSequence.KeySignature
    is_minor = key.mode == "minor"
    tonic = key.tonic % 12 if is_minor else key.fifths * 7 % 12
    sequence.key_signatures.add(key=tonic, mode=modes.MINOR if is_minor else modes.MAJOR)
    if title:
        sequence.instrument_infos.add(instrument=0, name=title)
    for pitch, start, end in grid.notes(classes):
        sequence.notes.add(
            pitch=pitch,
            velocity=_VELOCITY,
            start_time=start * seconds,
            end_time=end * seconds,
            program=program,
        )
    return sequence


def write_midi(
    path: str,
    classes: Iterable[int],
    qpm: float = DEFAULT_QPM,
    program: int = 0,
    frame: Frame = DEFAULT_FRAME,
    title: str = "",
) -> None:
    """Write a melody as a MIDI file atomically.

    Args:
        path: the file to write; its folder exists.
        classes: the classes of one melody.
        qpm: quarter notes per minute.
        program: General MIDI program of the instrument, from 0.
        frame: grid and key.
        title: name of the track; "" for none.

    Raises:
        ValueError: if a class is unknown, `qpm` is not positive or `program` is not in 0 .. 127.
        OSError: if the file cannot be written.
    """
    data = _midi_bytes(to_note_sequence(classes, qpm, program, frame, title))
    with replacing(os.fspath(path)) as temporary, open(temporary, "wb") as file:
        file.write(data)


def midi_bytes(piece: Piece) -> bytes:
    """Return a melody as a MIDI file.

    Raises:
        ValueError: if a class is unknown, or the tempo is not positive.
    """
    return _midi_bytes(
        to_note_sequence(piece.classes, piece.qpm, frame=piece.frame, title=piece.title)
    )


def _midi_bytes(sequence: music_pb2.NoteSequence) -> bytes:
    from note_seq import midi_io

    buffer = io.BytesIO()
    midi_io.note_sequence_to_pretty_midi(sequence).write(buffer)
    return buffer.getvalue()


def wav_bytes(piece: Piece) -> bytes:
    """Return a melody as a WAV file; see `audio`.

    Raises:
        ValueError: if a class is unknown, or the tempo is not positive.
    """
    return to_wav(*audio(piece.classes, qpm=piece.qpm, grid=piece.frame.grid))


def to_wav(sound: np.ndarray, rate: int) -> bytes:
    """Return float samples between -1 and 1 as a WAV file, 16 bits, one channel."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(sound, -1.0, 1.0) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def read_melody(path: str) -> list[int]:
    """Return the classes of the first melody in a MIDI file, up to its last note.

    The melody consists of the highest notes of the first instrument that has notes, quantised to
    sixteenths, in its own key and octave; it starts with the bar of its first note.

    Raises:
        ValueError: if the file is not a MIDI file, its metre changes, it has no note, or a pitch has no
            class.
        OSError: if the file cannot be read.
    """
    with open(path, "rb") as file:
        data = file.read()
    if not data.startswith(b"MThd"):
        raise ValueError("it is not a MIDI file")
    from note_seq import events_lib, melodies_lib, midi_io, sequences_lib

    try:
        sequence = midi_io.midi_to_note_sequence(data)
        quantized = sequences_lib.quantize_note_sequence(sequence, STEPS_PER_QUARTER)
    except midi_io.MIDIConversionError as error:
        raise ValueError("the MIDI file is damaged") from error
    except (
        sequences_lib.BadTimeSignatureError,
        sequences_lib.MultipleTempoError,
        sequences_lib.MultipleTimeSignatureError,
        sequences_lib.NegativeTimeError,
    ) as error:
        raise ValueError(first_line(error)) from error
    for instrument in sorted({note.instrument for note in quantized.notes if not note.is_drum}):
        melody = melodies_lib.Melody()
        try:
            melody.from_quantized_sequence(
                quantized, instrument=instrument, ignore_polyphonic_notes=True, gap_bars=1e6
            )
        except events_lib.NonIntegerStepsPerBarError as error:
            raise ValueError(str(error)) from error
        if any(event >= 0 for event in melody):
            return encode_events(melody)
    raise ValueError("it contains no notes")


def audio(
    classes: Iterable[int],
    sample_rate: int = 16000,
    qpm: float = DEFAULT_QPM,
    grid: Grid = DEFAULT_GRID,
) -> tuple[np.ndarray, int]:
    """Return the sound of a melody, a plain additive tone for each note.

    Args:
        classes: the classes of one melody.
        sample_rate: samples per second.
        qpm: quarter notes per minute.
        grid: steps and range.

    Returns:
        float32 `[samples]` within -1 .. 1, beginning and ending in silence and longer than the melody
        by a short release; and the sample rate.

    Raises:
        ValueError: if a class is unknown, or `qpm` or `sample_rate` is not positive.
    """
    if sample_rate <= 0:
        raise ValueError(f"A sample rate must be positive, not {sample_rate}.")
    classes = [int(c) for c in classes]
    samples_per_step = step_seconds(qpm, grid.steps_per_quarter) * sample_rate
    release = int(_RELEASE_SECONDS * sample_rate)
    sound = np.zeros(round(len(classes) * samples_per_step) + release)
    for pitch, start_step, end_step in grid.notes(classes):
        start = round(start_step * samples_per_step)
        end = round(end_step * samples_per_step) + release
        sound[start:end] += _tone(pitch, end - start, sample_rate)
    peak = np.max(np.abs(sound), initial=0.0)
    return (sound * (_PEAK / peak if peak else 1.0)).astype(np.float32), sample_rate


def _tone(pitch: int, samples: int, sample_rate: int) -> np.ndarray:
    """Return one note of `samples` samples including its release, rising from 0 and falling back to 0."""
    seconds = np.arange(samples) / sample_rate
    frequency = 440.0 * 2 ** ((pitch - 69) / 12)
    tone = np.zeros(samples)
    for partial in range(1, _PARTIALS + 1):
        if partial * frequency < sample_rate / 2:
            decay = np.exp(-_DECAY_PER_SECOND * partial * seconds)
            tone += decay * np.sin(2 * np.pi * partial * frequency * seconds) / partial**1.5
    left = seconds[::-1]
    return tone * np.minimum(1, seconds / _ATTACK_SECONDS) * np.minimum(1, left / _RELEASE_SECONDS)

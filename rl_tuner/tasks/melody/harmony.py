"""Detectors of two further rules: chord tones on strong beats, and phrases that end on stable degrees."""

from __future__ import annotations

import re

import numpy as np
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.tasks.melody.encoding import NUM_SPECIAL_CLASSES
from rl_tuner.tasks.melody.frame import DEFAULT_FRAME, Frame
from rl_tuner.tasks.melody.key import parse_pitch
from rl_tuner.tasks.melody.timeline import sounding_pitch, to_timeline

_FIFTH = 7
# Semitones above the root.
QUALITIES = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "dim": (0, 3, 6),
    "dim7": (0, 3, 6, 9),
    "m7b5": (0, 3, 6, 10),
    "aug": (0, 4, 8),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
}


def parse_chords(text: str) -> tuple[frozenset[int], ...]:
    """Return the pitch classes of each chord of a progression such as "C F G7 C".

    Raises:
        UserError: a chord is unknown.
    """
    chords = []
    for name in text.split():
        found = re.fullmatch(r"([A-G][#♯b♭]?)(.*)", name)
        if found is None or found[2] not in QUALITIES:
            known = ", ".join(quality for quality in QUALITIES if quality)
            raise UserError(
                f"chords: {name!r} is unknown; use a note such as C or Bb with nothing or one of {known}"
            )
        root = parse_pitch(found[1]) % 12
        chords.append(frozenset((root + interval) % 12 for interval in QUALITIES[found[2]]))
    return tuple(chords)


def chord_tones(melody: tf.Tensor, chords: str, frame: Frame = DEFAULT_FRAME) -> tf.Tensor:
    """Return the notes that begin on a strong beat and belong to the chord of their bar.

    Strong are the first beat of a bar and, in bars of four beats and other even numbers above two, the one
    in its middle. There is one chord per bar; after the last, the first follows.

    Args:
        melody: integer `[B, T]`.
        chords: a progression such as "C F G7 C".
        frame: grid and key.

    Returns:
        bool `[B, T]`.

    Raises:
        UserError: a chord is unknown, or there is none.
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    progression = parse_chords(chords)
    if not progression:
        raise UserError("chords: there are none; give a progression such as 'C F G7 C'")
    x = to_timeline(melody)
    grid = frame.grid
    is_tone = np.zeros([len(progression), grid.num_classes], bool)
    for row, chord in zip(is_tone, progression):
        for k in range(NUM_SPECIAL_CLASSES, grid.num_classes):
            row[k] = (k + grid.pitch_offset) % 12 in chord
    step = tf.range(tf.shape(x)[0])
    beats = grid.steps_per_bar // grid.steps_per_beat
    strong = grid.steps_per_bar // 2 if beats > 2 and beats % 2 == 0 else grid.steps_per_bar
    bar = step // grid.steps_per_bar % len(progression)
    place = (bar * grid.num_classes)[:, tf.newaxis] + tf.cast(x, tf.int32)
    is_strong = (step % strong == 0)[:, tf.newaxis]
    return tf.transpose(is_strong & tf.gather(is_tone.ravel(), place))


def stable_endings(
    melody: tf.Tensor, phrase_bars: int = 2, frame: Frame = DEFAULT_FRAME
) -> tf.Tensor:
    """Return the last steps of phrases whose last note is the tonic, the third or the fifth.

    Args:
        melody: integer `[B, T]`.
        phrase_bars: bars of a phrase.
        frame: grid and key.

    Returns:
        bool `[B, T]`.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    x = to_timeline(melody)
    latest = tf.cast(sounding_pitch(x), tf.int32)
    table = frame.pitches_of((0, frame.key.third, _FIFTH))
    phrase = phrase_bars * frame.grid.steps_per_bar
    is_last = tf.range(1, tf.shape(x)[0] + 1) % phrase == 0
    return tf.transpose(is_last[:, tf.newaxis] & tf.gather(table, latest))

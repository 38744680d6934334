"""Detectors of the music-theory rules about intervals: interval weights and the outcome of leaps.

See `rules` for the terms used here and for the source.
"""

import functools

import numpy as np
import tensorflow as tf

from rl_tuner.tasks.melody.encoding import NO_EVENT, NOTE_OFF, NUM_SPECIAL_CLASSES
from rl_tuner.tasks.melody.frame import DEFAULT_FRAME, Frame
from rl_tuner.tasks.melody.grid import MAX_PITCHES
from rl_tuner.tasks.melody.timeline import (
    delay,
    latest_pitch,
    pitched,
    running_max,
    steps,
    to_timeline,
)

LEAP_SEMITONES = 7
QUICK_SIXTEENTHS = 6

_OCTAVE = 12
_FIFTH = 7
_BEYOND = float(NUM_SPECIAL_CLASSES + MAX_PITCHES)  # further from zero than any class


@functools.lru_cache
def _interval_table(frame: Frame) -> np.ndarray:
    """Return the weights as `[latest pitch, class]`; latest pitch 0 means none."""
    by_size = {2: 0.08, 4: 0.09, 5: 0.07, 7: 0.02, 9: 0.05, 11: -0.3}
    num_classes, third = frame.grid.num_classes, frame.key.third
    table = np.zeros((num_classes, num_classes), np.float32)
    for latest in range(NUM_SPECIAL_CLASSES, num_classes):
        degree = frame.degree(latest)
        stable = degree in (0, _FIFTH)
        table[latest, NO_EVENT] = 0.3 if stable else 0.075
        table[latest, NOTE_OFF] = 0.15 if stable else 0.05
        for pitch in range(NUM_SPECIAL_CLASSES, num_classes):
            size = abs(pitch - latest)
            if size == _FIFTH and stable:
                weight = 0.1
            elif size == third and degree in (0, third):
                weight = 0.15
            elif size > _OCTAVE:
                weight = -1.0
            else:
                weight = by_size.get(size, 0.0)
            table[latest, pitch] = weight
    return table


def interval_weight(melody: tf.Tensor, frame: Frame = DEFAULT_FRAME) -> tf.Tensor:
    """Return the weight of the interval from the latest pitch before each step.

    Args:
        melody: integer `[B, T]`.
        frame: grid and key.

    Returns:
        float32 `[B, T]`; 0 where no pitch came before.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    x = to_timeline(melody)
    latest, _ = latest_pitch(x)
    place = tf.cast(latest * frame.grid.num_classes + x, tf.int32)
    return tf.transpose(tf.gather(_interval_table(frame).ravel(), place))


def leaps(melody: tf.Tensor, frame: Frame = DEFAULT_FRAME) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the steps at which a leap is resolved, and those at which it is doubled.

    A leap is a move of 7 semitones or more from the latest pitch, its origin. It opens if no leap
    is open. While a leap is open, a further leap in the same direction doubles it; a leap in the
    other direction closes it, and resolves it if there are more than 6 sixteenths between it and the
    latest leap; any other pitch at the origin or beyond it resolves and closes it.

    Args:
        melody: integer `[B, T]`.
        frame: grid and key.

    Returns:
        resolved and doubled, each bool `[B, T]`.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    x = to_timeline(melody)
    is_pitched = pitched(x)
    latest, latest_step = latest_pitch(x)
    move = tf.where(is_pitched & (latest_step >= 0), x - latest, 0)
    is_leap = tf.abs(move) >= LEAP_SEMITONES
    # A leap is represented by its origin: positive if it goes up, negative if down, 0 for none.
    leap = tf.where(is_leap, tf.sign(move) * latest, 0)
    # An open upward leap closes when `floor` reaches its origin, a downward one when `ceiling` does.
    floor = tf.where(leap < 0, -_BEYOND, tf.where(is_pitched, x, _BEYOND))
    ceiling = tf.where(leap > 0, _BEYOND, tf.where(is_pitched, x, -_BEYOND))

    before = _open_leaps(leap, floor, -ceiling)
    closed = tf.where(before > 0, floor, -ceiling) <= before
    step = steps(x)
    latest_leap = delay(running_max(tf.where(is_leap, step, 0)), 1)
    slow = step - 1 - latest_leap > frame.sixteenths * QUICK_SIXTEENTHS
    resolved = (before != 0) & closed & (slow | ~is_leap)
    doubled = before * leap > 0
    return tf.transpose(resolved), tf.transpose(doubled)


def _open_leaps(leap, floor, ceiling):
    """Return the open leap before each step, as its signed origin; 0 for none.

    This is the only rule with a loop over steps: whether a leap opens or closes another depends
    on all leaps before it.
    """

    def advance(open_leap, now):
        leap, floor, ceiling = now
        kept = tf.where(tf.where(open_leap > 0, floor, ceiling) <= open_leap, 0.0, open_leap)
        return tf.where(open_leap == 0, leap, kept)

    after = tf.scan(advance, (leap, floor, ceiling), initializer=tf.zeros_like(leap[0]))
    return delay(after, 1)

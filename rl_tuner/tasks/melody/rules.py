"""Detectors of the music-theory rules: stateless functions of a batch of melodies.

A *melody* is an integer tensor `[B, T]` of classes, one per sixteenth-note step (see
`encoding`). A *special* is class 0 (`NO_EVENT`, no change) or 1 (`NOTE_OFF`); a *pitch* is any
other class and begins a note. Intervals are measured in classes, which are semitones. The key is
C major; its *tonic* is middle C.

A detector's result for step t depends only on steps 0 .. t (for `tonic_in_place`, `unique_max` and
`unique_min` also on the end of the melody). Applied to a finished melody, a detector therefore
returns in one pass the results that it would have returned as each class was chosen. Reward and
metrics share these functions and those in `intervals`.

All run eagerly, inside a `tf.function` and under XLA, for any B and T, known or not when traced.
Time grows about linearly in T; the counts are exact for any T below 10,000.

Source: the rules are those of Jaques et al. (2017), "Sequence Tutor", section 5, after Gauldin
(1995); the magnitudes are those of the paper's public reference implementation.
"""

import numpy as np
import tensorflow as tf

from rl_tuner.tasks.melody.encoding import (
    MAJOR_SCALE,
    NO_EVENT,
    NOTE_OFF,
    NUM_CLASSES,
    NUM_SPECIAL_CLASSES,
    TONIC_PITCH,
    is_pitch,
    pitch_to_class,
)
from rl_tuner.tasks.melody.timeline import (
    delay,
    latest_pitch,
    pitched,
    running_max,
    running_sum,
    steps,
    to_timeline,
)

TONIC = pitch_to_class(TONIC_PITCH)
AUTOCORRELATION_LAGS = (1, 2, 3)
MOTIF_STEPS = 8
MOTIF_PITCHES = 3

_OCTAVE = 12
_BEYOND = float(NUM_CLASSES)  # further from zero than any class


def pitch_class(melody_class: int) -> int:
    """Return the pitch class of a pitch: 0 is C, 11 is B."""
    return (melody_class - NUM_SPECIAL_CLASSES) % _OCTAVE


_IN_KEY_TABLE = np.array(
    [not is_pitch(k) or pitch_class(k) in MAJOR_SCALE for k in range(NUM_CLASSES)]
)


def in_key(melody: tf.Tensor) -> tf.Tensor:
    """Return which steps are in C major; specials count as in key.

    Args:
        melody: integer `[B, T]`.

    Returns:
        bool `[B, T]`.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    x = tf.cast(to_timeline(melody), tf.int32)
    return tf.transpose(tf.gather(_IN_KEY_TABLE, x))


def tonic_in_place(melody: tf.Tensor) -> tf.Tensor:
    """Return the steps with the tonic in its place at the start and before the end.

    These are the tonic at t = 0 and at t = T-4, a hold at t = T-3, and specials after that.

    Args:
        melody: integer `[B, T]`, whole melodies.

    Returns:
        bool `[B, T]`.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    x = to_timeline(melody)
    step = steps(x)
    to_end = tf.cast(tf.shape(x)[0], tf.float32) - step
    return tf.transpose(
        (((step == 0) | (to_end == 4)) & (x == TONIC))
        | ((to_end == 3) & (x == NO_EVENT))
        | ((to_end < 3) & ~pitched(x))
    )


def excessively_repeated(melody: tf.Tensor) -> tf.Tensor:
    """Return the steps that repeat their class too often.

    Let a be the class at step t. Walk back from step t-1 while steps are special or equal to a, and
    count the steps equal to a. A NOTE_OFF is a break and a NO_EVENT is a hold, unless it equals a.
    More than 4 repetitions are too many; with a break or a hold among them, more than 6; if a is
    NOTE_OFF, more than 1.

    No loop is needed: for a special the walk ends at the latest pitch, for a pitch at the latest
    *different* pitch, and the count in between is a difference of running counts.

    Args:
        melody: integer `[B, T]`.

    Returns:
        bool `[B, T]`.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    x = to_timeline(melody)
    is_pitched, off = pitched(x), x == NOTE_OFF
    step = steps(x)
    latest, latest_step = latest_pitch(x)

    offs_so_far = running_sum(tf.cast(off, tf.float32))
    offs_at_latest = delay(running_max(tf.where(is_pitched, offs_so_far, 0)), 1)
    offs = delay(offs_so_far, 1) - offs_at_latest
    holds = step - 1 - latest_step - offs
    too_many_holds = holds > tf.where(offs > 0, 6.0, 4.0)

    # The run of equal pitches before step t begins where the pitch last changed.
    changed = is_pitched & (x != latest)
    pitches_before = delay(running_sum(tf.cast(is_pitched, tf.float32)), 1)
    pitches = pitches_before - running_max(tf.where(changed, pitches_before, 0))
    other_step = running_max(tf.where(changed, latest_step + 1, 0)) - 1
    specials = step - 1 - other_step - pitches
    too_many_pitches = pitches > tf.where(specials > 0, 6.0, 4.0)

    return tf.transpose(
        tf.where(is_pitched, too_many_pitches, tf.where(off, offs > 1, too_many_holds))
    )


def autocorrelation_so_far(melody: tf.Tensor, lag: int) -> tf.Tensor:
    """Return the autocorrelation of each melody so far.

    With x_0 .. x_{n-1} the n = t+1 classes up to step t,
        r_k = (1/n) sum_{i < n-k} (x_i - mean)(x_{i+k} - mean) / variance,
    and variance = (1/n) sum_i (x_i - mean)^2. Multiplied out, with S = sum_i x_i, Q = sum_i x_i^2,
    P = sum_i x_i x_{i+k}, A and B the sums of all but the last and all but the first k classes,
        r_k = (n^2 P - n S (A + B) + (n - k) S^2) / (n (n Q - S^2)).
    Numerator and denominator are integers that float64 represents exactly, so that r_k is correctly
    rounded: a constant melody gives exactly 0, and a coefficient of 3/20 compares equal to .15.

    Args:
        melody: integer `[B, T]`.
        lag: k, at least 1.

    Returns:
        float64 `[B, T]`; 0 where the melody so far is constant or no longer than `lag`.

    Raises:
        ValueError: if `melody` is not of rank 2, or `lag` is below 1.
        TypeError: if `melody` is not of an integer type.
    """
    if lag < 1:
        raise ValueError(f"A lag must be at least 1, not {lag}.")
    x = to_timeline(melody)
    n = tf.cast(steps(x) + 1, tf.float64)
    total = running_sum(x)
    ends = delay(total, lag) + total - tf.reduce_sum(x[:lag], axis=0)
    ends, products, squares, total = (
        tf.cast(s, tf.float64)
        for s in (ends, running_sum(x * delay(x, lag)), running_sum(x * x), total)
    )
    square_of_total = total * total  # a power is not exact
    numerator = n * (n * products - total * ends) + (n - lag) * square_of_total
    denominator = n * (n * squares - square_of_total)
    coefficient = tf.math.divide_no_nan(numerator, denominator)
    return tf.transpose(coefficient * tf.cast(n > lag, tf.float64))


def changes(so_far: tf.Tensor) -> tf.Tensor:
    """Return the changes of a value so far at each step, float32 `[B, T]`; their sum is the last value."""
    return so_far - tf.pad(so_far[:, :-1], [[0, 0], [1, 0]])


def motif(melody: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the steps at which the last 8 steps are a motif: they contain at least 3 distinct pitches.

    Args:
        melody: integer `[B, T]`.

    Returns:
        bool `[B, T]`, and the number of distinct pitches in the last 8 steps, float32 `[B, T]`; 0
        for the first 7 steps.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    x = to_timeline(melody)
    # One bit per pitch; windows of doubling width collect the bits of the last 8 steps.
    bit_of_class = [2**k if is_pitch(k) else 0 for k in range(NUM_CLASSES)]
    pitches = tf.gather(tf.constant(bit_of_class, tf.int64), tf.cast(x, tf.int32))
    for width in (1, 2, 4):
        pitches = tf.bitwise.bitwise_or(pitches, delay(pitches, width))
    distinct = tf.cast(tf.raw_ops.PopulationCount(x=pitches), tf.float32)
    distinct *= tf.cast(steps(x) >= MOTIF_STEPS - 1, tf.float32)
    distinct = tf.transpose(distinct)
    return distinct >= MOTIF_PITCHES, distinct


def repeated_motif(melody: tf.Tensor) -> tf.Tensor:
    """Return the steps at which the last 8 steps are a motif that occurred earlier, without overlap.

    The 8 classes of a window are read as one number. Sorting these numbers with their steps puts
    equal windows next to each other, the earliest first.

    Args:
        melody: integer `[B, T]`.

    Returns:
        bool `[B, T]`.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    is_motif, _ = motif(melody)
    x = to_timeline(melody)
    # Digits start from 1, so that an incomplete window at the start never equals a complete one.
    base = NUM_CLASSES + 1
    window = x + 1
    for width in (1, 2):
        window += base**width * delay(window, width)
    window = tf.cast(window, tf.int64)
    window = tf.transpose(window + base**4 * delay(window, 4))

    step = tf.range(tf.shape(window, out_type=tf.int64)[1])
    length = tf.shape(window, out_type=tf.int64)[1]
    dated = tf.sort(window * length + step, axis=1)
    place = tf.searchsorted(dated, window * length)
    earliest = tf.gather(dated, place, batch_dims=1) - window * length
    return is_motif & (earliest <= step - MOTIF_STEPS)


def longest_repeat_so_far(melody: tf.Tensor) -> tf.Tensor:
    """Return how near each melody so far has come to a repeated motif.

    At a step at which the last 8 steps are a motif, count for how many steps up to it the melody repeats
    what it played 8 or more steps before, at most 8. The result is the largest count so far.

    Args:
        melody: integer `[B, T]`; memory grows with T^2.

    Returns:
        float32 `[B, T]`, 0 to 8; 8 from the first step of `repeated_motif` on.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    is_motif, _ = motif(melody)
    x = to_timeline(melody)
    length = tf.shape(x)[0]
    source = (
        tf.range(length) - tf.range(MOTIF_STEPS, tf.maximum(length, MOTIF_STEPS + 1))[:, tf.newaxis]
    )
    earlier = tf.gather(x, tf.maximum(source, 0))
    equal = tf.cast((source >= 0)[..., tf.newaxis] & (earlier == x), tf.float32)
    count = equal
    for _ in range(MOTIF_STEPS - 1):
        count = equal * (1 + tf.pad(count[:, :-1], [[0, 0], [1, 0], [0, 0]]))
    count = tf.reduce_max(count, axis=0) * tf.cast(tf.transpose(is_motif), tf.float32)
    return tf.transpose(running_max(count))


def unique_max(melody: tf.Tensor) -> tf.Tensor:
    """Return which melodies contain their highest class (pitch or special) exactly once.

    Args:
        melody: integer `[B, T]`, whole melodies.

    Returns:
        bool `[B]`.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    x = to_timeline(melody)
    highest = tf.reduce_max(x, axis=0)
    return tf.math.count_nonzero(x == highest, axis=0) == 1


def unique_min(melody: tf.Tensor) -> tf.Tensor:
    """Return which melodies contain their lowest pitch exactly once; False for one without pitches.

    Args:
        melody: integer `[B, T]`, whole melodies.

    Returns:
        bool `[B]`.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    x = to_timeline(melody)
    pitches = tf.where(pitched(x), x, _BEYOND)
    lowest = tf.reduce_min(pitches, axis=0)
    return tf.math.count_nonzero(x == lowest, axis=0) == 1


def unique_max_so_far(melody: tf.Tensor) -> tf.Tensor:
    """Return for each step whether the highest class so far (pitch or special) has occurred once.

    Args:
        melody: integer `[B, T]`.

    Returns:
        bool `[B, T]`; its last column is `unique_max`.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    counts = _counts_so_far(to_timeline(melody))
    highest = tf.reduce_max(tf.where(counts > 0, tf.range(NUM_CLASSES), -1), axis=-1)
    return tf.transpose(tf.gather(counts, highest, batch_dims=2) == 1)


def unique_min_so_far(melody: tf.Tensor) -> tf.Tensor:
    """Return for each step whether the lowest pitch so far has occurred once; False before any pitch.

    Args:
        melody: integer `[B, T]`.

    Returns:
        bool `[B, T]`; its last column is `unique_min`.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    counts = _counts_so_far(to_timeline(melody))
    classes = tf.range(NUM_CLASSES)
    is_there = (counts > 0) & pitched(classes)
    lowest = tf.reduce_min(tf.where(is_there, classes, NUM_CLASSES - 1), axis=-1)
    once = tf.gather(counts, lowest, batch_dims=2) == 1
    return tf.transpose(once & tf.reduce_any(is_there, axis=-1))


def _counts_so_far(x: tf.Tensor) -> tf.Tensor:
    """Return how often each class occurred up to each step: classes `[T, B]` -> int32 `[T, B, A]`."""
    return tf.cumsum(tf.one_hot(tf.cast(x, tf.int32), NUM_CLASSES, dtype=tf.int32), axis=0)

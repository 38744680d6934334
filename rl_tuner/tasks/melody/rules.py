"""Detectors of the music-theory rules: stateless functions of a batch of melodies.

A *melody* is an integer tensor `[B, T]` of classes, one per step (see `encoding`). A *special* is
class 0 (`NO_EVENT`, no change) or 1 (`NOTE_OFF`); a *pitch* is any other class and begins a note.
Intervals are measured in classes, which are semitones. Steps, range, metre and key are those of a
`Frame`: by default sixteenths of 4/4 in C major, whose *tonic* is middle C. Lengths that the source
gives in sixteenths are scaled to other steps, lags of the autocorrelation excepted.

A detector's result for step t depends only on steps 0 .. t (for `tonic_in_place`, `unique_max` and
`unique_min` also on the end of the melody). Applied to a finished melody, a detector therefore
returns in one pass the results that it would have returned as each class was chosen. Reward and
metrics share these functions and those in `intervals`.

All run eagerly, inside a `tf.function` and under XLA, for any B and T, known or not when traced.
Time grows about linearly in T; the counts are exact for any T below 10,000.

Source: the rules are those of Jaques et al. (2017), "Sequence Tutor", section 5, after Gauldin
(1995); the magnitudes are those of the paper's public reference implementation.
"""

import tensorflow as tf

from rl_tuner.tasks.melody.encoding import NO_EVENT, NOTE_OFF, NUM_SPECIAL_CLASSES
from rl_tuner.tasks.melody.frame import DEFAULT_FRAME, Frame
from rl_tuner.tasks.melody.grid import MAX_PITCHES
from rl_tuner.tasks.melody.timeline import (
    delay,
    latest_pitch,
    pitched,
    running_max,
    running_sum,
    steps,
    to_timeline,
)

AUTOCORRELATION_LAGS = (1, 2, 3)
MOTIF_PITCHES = 3

_MAX_CLASSES = NUM_SPECIAL_CLASSES + MAX_PITCHES
_BEYOND = float(_MAX_CLASSES)  # further from zero than any class


def in_key(melody: tf.Tensor, frame: Frame = DEFAULT_FRAME) -> tf.Tensor:
    """Return which steps are in key; specials count as in key.

    Args:
        melody: integer `[B, T]`.
        frame: grid and key.

    Returns:
        bool `[B, T]`.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    x = tf.cast(to_timeline(melody), tf.int32)
    table = frame.pitches_of(frame.key.scale)
    table[:NUM_SPECIAL_CLASSES] = True
    return tf.transpose(tf.gather(table, x))


def tonic_in_place(melody: tf.Tensor, frame: Frame = DEFAULT_FRAME) -> tf.Tensor:
    """Return the steps with the tonic in its place at the start and before the end.

    These are the tonic at t = 0 and on the last beat (at t = T-4 in sixteenths of 4/4), a hold at the
    step after it, and specials after that.

    Args:
        melody: integer `[B, T]`, whole melodies.
        frame: grid and key.

    Returns:
        bool `[B, T]`.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    x = to_timeline(melody)
    step = steps(x)
    to_end = tf.cast(tf.shape(x)[0], tf.float32) - step
    beat = frame.grid.steps_per_beat
    return tf.transpose(
        (((step == 0) | (to_end == beat)) & (x == frame.tonic_class))
        | ((to_end == beat - 1) & (x == NO_EVENT))
        | ((to_end < beat - 1) & ~pitched(x))
    )


def excessively_repeated(melody: tf.Tensor, frame: Frame = DEFAULT_FRAME) -> tf.Tensor:
    """Return the steps that repeat their class too often.

    Let a be the class at step t. Walk back from step t-1 while steps are special or equal to a, and
    count the steps equal to a. A NOTE_OFF is a break and a NO_EVENT is a hold, unless it equals a.
    More than 4 repetitions are too many; with a break or a hold among them, more than 6; if a is
    NOTE_OFF, more than 1. These limits on holds are in sixteenths.

    No loop is needed: for a special the walk ends at the latest pitch, for a pitch at the latest
    *different* pitch, and the count in between is a difference of running counts.

    Args:
        melody: integer `[B, T]`.
        frame: grid and key.

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
    too_many_holds = holds > frame.sixteenths * tf.where(offs > 0, 6.0, 4.0)

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


def motif(melody: tf.Tensor, frame: Frame = DEFAULT_FRAME) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the steps at which the last two beats are a motif: they contain at least 3 distinct pitches.

    Args:
        melody: integer `[B, T]`.
        frame: grid and key; two beats are its `motif_steps`, 8 in sixteenths of 4/4.

    Returns:
        bool `[B, T]`, and the number of distinct pitches in the last two beats, float32 `[B, T]`; 0
        for the steps before these are complete.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    x = to_timeline(melody)
    # One bit per pitch; windows of doubling width collect the bits of the last two beats.
    bit_of_class = [2**k if k >= NUM_SPECIAL_CLASSES else 0 for k in range(frame.grid.num_classes)]
    pitches = tf.gather(tf.constant(bit_of_class, tf.int64), tf.cast(x, tf.int32))
    for shift in _doubling_shifts(1, frame.motif_steps):
        pitches = tf.bitwise.bitwise_or(pitches, delay(pitches, shift))
    distinct = tf.cast(tf.raw_ops.PopulationCount(x=pitches), tf.float32)
    distinct *= tf.cast(steps(x) >= frame.motif_steps - 1, tf.float32)
    distinct = tf.transpose(distinct)
    return distinct >= MOTIF_PITCHES, distinct


def _doubling_shifts(width: int, goal: int) -> list[int]:
    """Return the delays with which windows of `width` steps combine to windows of `goal` steps."""
    shifts = []
    while width < goal:
        shifts.append(min(width, goal - width))
        width += shifts[-1]
    return shifts


def repeated_motif(melody: tf.Tensor, frame: Frame = DEFAULT_FRAME) -> tf.Tensor:
    """Return the steps at which the last two beats are a motif that occurred earlier, without overlap.

    The classes of a window are read as one number, or the windows are numbered. Sorting these numbers
    with their steps puts equal windows next to each other, the earliest first.

    Args:
        melody: integer `[B, T]`.
        frame: grid and key.

    Returns:
        bool `[B, T]`.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    is_motif, _ = motif(melody, frame)
    # Digits start from 1, so that an incomplete window at the start never equals a complete one.
    digits = to_timeline(melody) + 1
    base = frame.grid.num_classes + 1
    widest = min(4, 2 ** (frame.motif_steps.bit_length() - 1))
    for shift in _doubling_shifts(1, widest):
        digits += base**shift * delay(digits, shift)
    window = tf.cast(digits, tf.int64)
    if frame.motif_steps == 2 * widest:
        window = tf.transpose(window + base**widest * delay(window, widest))
    else:
        for shift in _doubling_shifts(widest, frame.motif_steps):
            earliest = _earliest_equal(tf.transpose(window))
            number = tf.transpose(earliest) + 1
            length = tf.shape(number, out_type=tf.int64)[0]
            window = number + (length + 1) * delay(number, shift)
        window = tf.transpose(window)
    step = tf.range(tf.shape(window, out_type=tf.int64)[1])
    return is_motif & (_earliest_equal(window) <= step - frame.motif_steps)


def _earliest_equal(numbers: tf.Tensor) -> tf.Tensor:
    """Return the first step of each melody with the same number: int64 `[B, T]` -> int64 `[B, T]`."""
    length = tf.shape(numbers, out_type=tf.int64)[1]
    dated = tf.sort(numbers * length + tf.range(length), axis=1)
    place = tf.searchsorted(dated, numbers * length)
    return tf.gather(dated, place, batch_dims=1) - numbers * length


def longest_repeat_so_far(melody: tf.Tensor, frame: Frame = DEFAULT_FRAME) -> tf.Tensor:
    """Return how near each melody so far has come to a repeated motif.

    At a step at which the last two beats are a motif, count for how many steps up to it the melody
    repeats what it played that long or longer before, at most so many. The result is the largest count
    so far.

    Args:
        melody: integer `[B, T]`; memory grows with T^2.
        frame: grid and key.

    Returns:
        float32 `[B, T]`, 0 to `frame.motif_steps`, which it has from the first step of `repeated_motif`
        on.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    is_motif, _ = motif(melody, frame)
    x = to_timeline(melody)
    length = tf.shape(x)[0]
    least = frame.motif_steps
    source = tf.range(length) - tf.range(least, tf.maximum(length, least + 1))[:, tf.newaxis]
    earlier = tf.gather(x, tf.maximum(source, 0))
    equal = tf.cast((source >= 0)[..., tf.newaxis] & (earlier == x), tf.float32)
    count = equal
    for _ in range(least - 1):
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


def unique_max_so_far(melody: tf.Tensor, frame: Frame = DEFAULT_FRAME) -> tf.Tensor:
    """Return for each step whether the highest class so far (pitch or special) has occurred once.

    Args:
        melody: integer `[B, T]`.
        frame: grid and key.

    Returns:
        bool `[B, T]`; its last column is `unique_max`.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    counts = _counts_so_far(to_timeline(melody), frame.grid.num_classes)
    highest = tf.reduce_max(tf.where(counts > 0, tf.range(frame.grid.num_classes), -1), axis=-1)
    return tf.transpose(tf.gather(counts, highest, batch_dims=2) == 1)


def unique_min_so_far(melody: tf.Tensor, frame: Frame = DEFAULT_FRAME) -> tf.Tensor:
    """Return for each step whether the lowest pitch so far has occurred once; False before any pitch.

    Args:
        melody: integer `[B, T]`.
        frame: grid and key.

    Returns:
        bool `[B, T]`; its last column is `unique_min`.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    counts = _counts_so_far(to_timeline(melody), frame.grid.num_classes)
    classes = tf.range(frame.grid.num_classes)
    is_there = (counts > 0) & pitched(classes)
    lowest = tf.reduce_min(tf.where(is_there, classes, frame.grid.num_classes - 1), axis=-1)
    once = tf.gather(counts, lowest, batch_dims=2) == 1
    return tf.transpose(once & tf.reduce_any(is_there, axis=-1))


def _counts_so_far(x: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Return how often each class occurred up to each step: classes `[T, B]` -> int32 `[T, B, A]`."""
    return tf.cumsum(tf.one_hot(tf.cast(x, tf.int32), num_classes, dtype=tf.int32), axis=0)

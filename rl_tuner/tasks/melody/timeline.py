"""Running sums, maxima and latest pitches of batches of melodies, without a loop over the steps.

A *timeline* is a float32 tensor `[T, B]` with the steps first: shifting it in time shifts whole rows,
which makes running sums and maxima several times faster than on `[B, T]`. Its values are integers
below 2^24, which float32 represents exactly, and float32 kernels exist on every device.
"""

from collections.abc import Callable

import tensorflow as tf

from rl_tuner.tasks.melody.encoding import NUM_SPECIAL_CLASSES

_DATE = 64.0  # a power of two above any class, so that dates divide out exactly


def to_timeline(melody: tf.Tensor) -> tf.Tensor:
    """Return the classes of `melody`, integer `[B, T]`, as a timeline.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    melody = tf.convert_to_tensor(melody)
    if not melody.dtype.is_integer:
        raise TypeError(f"A melody must contain integer classes, not {melody.dtype.name}.")
    if melody.shape.rank != 2:
        raise ValueError(f"Melodies must have the shape [B, T], not {melody.shape}.")
    return tf.transpose(tf.cast(melody, tf.float32))


def steps(timeline: tf.Tensor) -> tf.Tensor:
    """Return the step numbers 0 .. T-1: float32 `[T, 1]`."""
    return tf.cast(tf.range(tf.shape(timeline)[0])[:, tf.newaxis], tf.float32)


def delay(x: tf.Tensor, by: int | tf.Tensor, fill: float = 0) -> tf.Tensor:
    """Return `x`, `[T, B]`, shifted `by` steps later; the first `by` steps are `fill`."""
    length = x.shape[0] or tf.shape(x)[0]
    return tf.pad(x, [[by, 0], [0, 0]], constant_values=fill)[:length]


def running_sum(x: tf.Tensor) -> tf.Tensor:
    """Return the sum of steps 0 .. t for every step t: `[T, B]`."""
    return _running(tf.add, x, 0)


def running_max(x: tf.Tensor) -> tf.Tensor:
    """Return the maximum of steps 0 .. t for every step t, and at least 0: `[T, B]`."""
    return _running(tf.maximum, x, 0)


def _running(combine: Callable, x: tf.Tensor, neutral: float) -> tf.Tensor:
    """Combine steps 0 .. t for every t, with windows of doubling width."""

    def double(width, x):
        return 2 * width, combine(x, delay(x, width, neutral))

    if x.shape[0] is None:
        length = tf.shape(x)[0]
        return tf.while_loop(lambda width, _: width < length, double, (tf.constant(1), x))[1]
    width = 1
    while width < x.shape[0]:
        width, x = double(width, x)
    return x


def pitched(x: tf.Tensor) -> tf.Tensor:
    """Return the steps of a timeline of classes at which a note begins."""
    return x >= NUM_SPECIAL_CLASSES


def latest_pitch(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the latest pitch before each step of a timeline, and its step; 0 and -1 for none."""
    dated = tf.where(pitched(x), (steps(x) + 1) * _DATE + x, 0)
    latest = delay(running_max(dated), 1)
    date = tf.floor(latest / _DATE)
    return latest - date * _DATE, date - 1


def sounding_pitch(x: tf.Tensor) -> tf.Tensor:
    """Return the latest pitch at or before each step of a timeline; 0 for none."""
    before, _ = latest_pitch(x)
    return tf.where(pitched(x), x, before)

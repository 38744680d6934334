"""Features of melodies, as targets can bound them: the metrics of the paper's Table 1, and the last note."""

from __future__ import annotations

import tensorflow as tf

from rl_tuner.core.features import Feature, per_step
from rl_tuner.tasks.melody import intervals, rules
from rl_tuner.tasks.melody.frame import DEFAULT_FRAME, Frame
from rl_tuner.tasks.melody.timeline import sounding_pitch, to_timeline

ENDS_ON_TONIC = "ends_on_tonic"


@tf.function(autograph=False, reduce_retracing=True)
def table1_features(melody: tf.Tensor, frame: Frame = DEFAULT_FRAME) -> dict[str, Feature]:
    """Return the metrics of `metrics.table1` as features; a feature's value equals the metric.

    Repeated motifs are rare, and a melody that has many of them has little else: their handle is how
    near a melody has come to one, the square of `rules.longest_repeat_so_far` as a share.

    Args:
        melody: integer `[B, T]`, whole melodies.
        frame: grid and key.

    Returns:
        One `Feature` for each of `metrics.TABLE1_METRICS`.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    steps = tf.ones_like(melody, tf.float32)
    length = tf.shape(melody)[1]
    at_end = steps * tf.one_hot(length - 1, length)
    is_motif, _ = rules.motif(melody, frame)
    nearness = tf.square(rules.longest_repeat_so_far(melody, frame) / frame.motif_steps)
    resolved, doubled = intervals.leaps(melody, frame)
    starts = tf.cast(melody[:, :1] == frame.tonic_class, tf.float32)
    at_start = steps * tf.one_hot(0, length)
    return {
        "repeated_notes": per_step(rules.excessively_repeated(melody, frame), steps),
        **{
            f"autocorrelation_lag_{lag}": Feature(
                _whole(melody, lag)[:, tf.newaxis] * at_end, at_end
            )
            for lag in rules.AUTOCORRELATION_LAGS
        },
        "not_in_key": per_step(~rules.in_key(melody, frame), steps),
        "starts_with_tonic": Feature(starts * at_start, at_start),
        "leaps_resolved": Feature(_float(resolved), _float(resolved | doubled)),
        "unique_max": Feature(
            rules.changes(_float(rules.unique_max_so_far(melody, frame))), at_end
        ),
        "unique_min": Feature(
            rules.changes(_float(rules.unique_min_so_far(melody, frame))), at_end
        ),
        "motif": per_step(is_motif, steps),
        "repeated_motif": per_step(rules.repeated_motif(melody, frame), steps)._replace(
            handle=rules.changes(nearness)
        ),
    }


def ends_on_tonic(melody: tf.Tensor, frame: Frame = DEFAULT_FRAME) -> Feature:
    """Return the feature "share of melodies whose last note is the tonic", in any octave.

    Args:
        melody: integer `[B, T]`, whole melodies.
        frame: grid and key.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    x = to_timeline(melody)
    last = tf.cast(sounding_pitch(x)[-1], tf.int32)
    length = tf.shape(melody)[1]
    at_end = tf.ones_like(melody, tf.float32) * tf.one_hot(length - 1, length)
    return Feature(_float(tf.gather(frame.pitches_of([0]), last))[:, tf.newaxis] * at_end, at_end)


def _float(values: tf.Tensor) -> tf.Tensor:
    return tf.cast(values, tf.float32)


def _whole(melody: tf.Tensor, lag: int) -> tf.Tensor:
    return _float(rules.autocorrelation_so_far(melody, lag)[:, -1])

"""Music-theory reward r_T of melodies: the sum of one weighted part per rule."""

import dataclasses
import math

import gin
import tensorflow as tf

from rl_tuner.tasks.melody import intervals, rules


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class MusicTheoryReward:
    """The task reward of a melody, with one part per rule.

    The defaults are the magnitudes of the paper's public reference implementation. A part whose
    weights are all 0 is not computed.

    Attributes:
        in_key: reward for a pitch that is not in C major.
        tonic: reward for the tonic in its place at the start and before the end.
        repetition: reward for an excessively repeated class.
        autocorrelation: factor of the absolute autocorrelation coefficient of the melody so far, for
            each of the lags 1, 2 and 3 whose coefficient exceeds `autocorrelation_threshold`.
        autocorrelation_threshold: absolute value above which a coefficient counts.
        lag_1: factor of the whole melody's signed coefficient of lag 1, at the last step: a multiplier
            that moves the mean coefficient of all melodies.
        lag_2: the same for lag 2.
        lag_3: the same for lag 3.
        motif: reward if the last 8 steps are a motif.
        motif_extra: reward for each distinct pitch of the motif beyond the third.
        repeated_motif: reward for a motif that occurred earlier in the melody.
        repeated_motif_extra: reward for each distinct pitch of the repeated motif beyond the third.
        interval: factor of the weight of the interval from the latest pitch.
        leap_resolved: reward for resolving a leap.
        leap_doubled: reward for doubling a leap.
        unique_max: reward at the last step if the highest class of the melody occurs once.
        unique_min: reward at the last step if the lowest pitch of the melody occurs once.
        extrema_as_they_change: whether `unique_max` and `unique_min` are paid as soon as an extremum
            becomes unique and taken back when it no longer is, instead of once at the last step. A
            melody's total is the same (potential-based shaping: Ng, Harada and Russell 1999), but the
            reward comes early enough for a small gamma.

    Raises:
        ValueError: if a weight is not a finite number, or the threshold is negative.
    """

    in_key: float = -1.0
    tonic: float = 3.0
    repetition: float = -100.0
    autocorrelation: float = -3.0
    autocorrelation_threshold: float = 0.15
    lag_1: float = 0.0
    lag_2: float = 0.0
    lag_3: float = 0.0
    motif: float = 3.0
    motif_extra: float = 0.3
    repeated_motif: float = 4.0
    repeated_motif_extra: float = 1.0
    interval: float = 5.0
    leap_resolved: float = 5.0
    leap_doubled: float = -5.0
    unique_max: float = 3.0
    unique_min: float = 3.0
    extrema_as_they_change: bool = False

    def __post_init__(self):
        for name, value in dataclasses.asdict(self).items():
            if not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ValueError(
                    f"MusicTheoryReward.{name} must be a finite number, not {value!r}."
                )
        if self.autocorrelation_threshold < 0:
            raise ValueError(
                "MusicTheoryReward.autocorrelation_threshold must be at least 0, not "
                f"{self.autocorrelation_threshold}."
            )

    @property
    def part_names(self) -> tuple[str, ...]:
        """The names of the parts, in the order of the rules' table."""
        return tuple(self._parts())

    @tf.function(autograph=False, reduce_retracing=True)
    def __call__(self, melody: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the reward of every step, part by part.

        Args:
            melody: integer `[B, T]`, whole melodies.

        Returns:
            one float32 `[B, T]` for each of `part_names`; zeros for a part whose weights are all 0.

        Raises:
            ValueError: if `melody` is not of rank 2.
            TypeError: if it is not of an integer type.
        """
        melody = tf.convert_to_tensor(melody)
        return {
            name: part(melody) if any(weights) else tf.zeros_like(melody, tf.float32)
            for name, (part, weights) in self._parts().items()
        }

    def _parts(self):
        """Return, for each part, the function that computes it and its weights."""
        return {
            "in_key": (self._in_key, [self.in_key]),
            "tonic": (self._tonic, [self.tonic]),
            "repetition": (self._repetition, [self.repetition]),
            "autocorrelation": (
                self._autocorrelation,
                [self.autocorrelation, *self._signed_lags()],
            ),
            "motif": (self._motif, [self.motif, self.motif_extra]),
            "repeated_motif": (
                self._repeated_motif,
                [self.repeated_motif, self.repeated_motif_extra],
            ),
            "interval": (self._interval, [self.interval]),
            "leap": (self._leap, [self.leap_resolved, self.leap_doubled]),
            "unique_extrema": (self._unique_extrema, [self.unique_max, self.unique_min]),
        }

    def _in_key(self, melody):
        return _where(~rules.in_key(melody), self.in_key)

    def _tonic(self, melody):
        return _where(rules.tonic_in_place(melody), self.tonic)

    def _repetition(self, melody):
        return _where(rules.excessively_repeated(melody), self.repetition)

    def _signed_lags(self):
        return [self.lag_1, self.lag_2, self.lag_3]

    def _autocorrelation(self, melody):
        found = [rules.autocorrelation_so_far(melody, k) for k in rules.AUTOCORRELATION_LAGS]
        sizes = [tf.abs(coefficient) for coefficient in found]
        counted = [tf.where(size > self.autocorrelation_threshold, size, 0.0) for size in sizes]
        signed = [w * coefficient for w, coefficient in zip(self._signed_lags(), found)]
        length = tf.shape(melody)[1]
        at_end = tf.one_hot(length - 1, length, dtype=tf.float64) * _sum(signed)
        return tf.cast(self.autocorrelation * _sum(counted) + at_end, tf.float32)

    def _motif(self, melody):
        is_motif, distinct = rules.motif(melody)
        return _where(is_motif, _motif_value(distinct, self.motif, self.motif_extra))

    def _repeated_motif(self, melody):
        _, distinct = rules.motif(melody)
        value = _motif_value(distinct, self.repeated_motif, self.repeated_motif_extra)
        return _where(rules.repeated_motif(melody), value)

    def _interval(self, melody):
        return self.interval * intervals.interval_weight(melody)

    def _leap(self, melody):
        resolved, doubled = intervals.leaps(melody)
        return _where(resolved, self.leap_resolved) + _where(doubled, self.leap_doubled)

    def _unique_extrema(self, melody):
        if self.extrema_as_they_change:
            paid = _where(rules.unique_max_so_far(melody), self.unique_max) + _where(
                rules.unique_min_so_far(melody), self.unique_min
            )
            return rules.changes(paid)
        bonus = _where(rules.unique_max(melody), self.unique_max) + _where(
            rules.unique_min(melody), self.unique_min
        )
        length = tf.shape(melody)[1]
        return bonus[:, tf.newaxis] * tf.one_hot(length - 1, length)


def _where(condition: tf.Tensor, value) -> tf.Tensor:
    """Return `value` as float32 where `condition` is true, else 0."""
    return tf.where(condition, tf.cast(value, tf.float32), 0.0)


def _sum(terms: list[tf.Tensor]) -> tf.Tensor:
    """Return the sum of `terms` in a fixed order; the order of `tf.add_n` depends on free memory."""
    return tf.reduce_sum(tf.stack(terms), axis=0)


def _motif_value(distinct: tf.Tensor, value: float, extra: float) -> tf.Tensor:
    return value + extra * (distinct - rules.MOTIF_PITCHES)

"""The music-theory reward: every rule a weighted part, their sum the task reward r_T."""

import dataclasses
import math

import gin
import tensorflow as tf

from rl_tuner.tasks.melody import intervals, rules

AUTOCORRELATION_LAGS = (1, 2, 3)


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class MusicTheoryReward:
    """The task reward of a melody, one part a rule.

    The defaults are the magnitudes of the paper's public reference implementation. A part whose
    weights are all 0 is not computed.

    Attributes:
        in_key: for a pitch that is not in C major.
        tonic: for the tonic in its place at the start and before the end.
        repetition: for an excessively repeated class.
        autocorrelation: times the absolute coefficient of the melody so far, for each of the lags
            1, 2 and 3 whose coefficient exceeds `autocorrelation_threshold` in size.
        autocorrelation_threshold: the size from which a coefficient counts.
        lag_1: times the whole melody's signed coefficient of lag 1, at the last step: a multiplier that
            moves the mean coefficient of all melodies.
        lag_2: the same of lag 2.
        lag_3: the same of lag 3.
        motif: for the last 8 steps being a motif.
        motif_extra: for each of its distinct pitches beyond the third.
        repeated_motif: for a motif that stood earlier in the melody.
        repeated_motif_extra: for each of its distinct pitches beyond the third.
        interval: times the weight of the interval from the latest pitch.
        leap_resolved: for resolving a leap.
        leap_doubled: for doubling a leap.
        unique_max: for the highest class of the whole melody occurring once, at the last step.
        unique_min: for the lowest pitch of the whole melody occurring once, at the last step.
        extrema_as_they_change: pays the two unique extrema when they come and takes the payment back
            when they go, step by step, instead of once at the last step. A melody's total is the same
            (potential-based shaping: Ng, Harada and Russell 1999), but a small gamma sees it in time.

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
                raise ValueError(f"MusicTheoryReward.{name} is a finite number, not {value!r}.")
        if self.autocorrelation_threshold < 0:
            raise ValueError(
                "MusicTheoryReward.autocorrelation_threshold is at least 0, not "
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
        found = [rules.autocorrelation_so_far(melody, k) for k in AUTOCORRELATION_LAGS]
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
            return paid - tf.pad(paid[:, :-1], [[0, 0], [1, 0]])
        bonus = _where(rules.unique_max(melody), self.unique_max) + _where(
            rules.unique_min(melody), self.unique_min
        )
        length = tf.shape(melody)[1]
        return bonus[:, tf.newaxis] * tf.one_hot(length - 1, length)


def _where(condition: tf.Tensor, value) -> tf.Tensor:
    """Return `value` as float32 where `condition` holds, else 0."""
    return tf.where(condition, tf.cast(value, tf.float32), 0.0)


def _sum(terms: list[tf.Tensor]) -> tf.Tensor:
    """Return the sum of `terms`, in their order: `tf.add_n` may begin with any whose memory is free."""
    return tf.reduce_sum(tf.stack(terms), axis=0)


def _motif_value(distinct: tf.Tensor, value: float, extra: float) -> tf.Tensor:
    return value + extra * (distinct - rules.MOTIF_PITCHES)

"""Music-theory reward r_T of melodies: the sum of one weighted part per rule."""

import dataclasses
import functools
import math
from collections.abc import Sequence

import gin
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.tasks.melody import harmony, intervals, own_rules, rules
from rl_tuner.tasks.melody.encoding import TONIC_PITCH
from rl_tuner.tasks.melody.frame import DEFAULT_FRAME, Frame
from rl_tuner.tasks.melody.key import Key, make_key
from rl_tuner.tasks.melody.own_rules import Rule

_SETTINGS = (
    "scale",
    "tonic_pitch",
    "chords",
    "phrase_bars",
    "rules",
)  # the fields that are not numbers


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class MusicTheoryReward:
    """The task reward of a melody, with one part per rule.

    The defaults are the magnitudes of the paper's public reference implementation. A part whose
    weights are all 0 is not computed.

    Attributes:
        in_key: reward for a pitch that is not in the scale.
        tonic: reward for the tonic in its place at the start and before the end.
        repetition: reward for an excessively repeated class.
        autocorrelation: factor of the absolute autocorrelation coefficient of the melody so far, for
            each of the lags 1, 2 and 3 whose coefficient exceeds `autocorrelation_threshold`.
        autocorrelation_threshold: absolute value above which a coefficient counts.
        lag_1: factor of the whole melody's signed coefficient of lag 1, at the last step: a multiplier
            that moves the mean coefficient of all melodies.
        lag_2: the same for lag 2.
        lag_3: the same for lag 3.
        motif: reward if the last two beats are a motif.
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
        scale: the scale: major, minor, dorian, mixolydian and so on, see `key.SCALES`, or semitones above
            the tonic such as [0, 2, 4, 7, 9].
        tonic_pitch: the tonic as a MIDI pitch or a name with its octave, such as 'A3'. (`tonic` is a reward.)
        chord_tones: reward for a note on a strong beat that belongs to the chord of its bar.
        chords: the chords, one per bar, such as 'C F G7 C'; after the last, the first follows.
        phrase_endings: reward at the end of a phrase whose last note is the tonic, the third or the fifth.
        phrase_bars: bars of a phrase.
        rules: rules of your own: functions of melodies, integer [B, T], and if they have a second parameter
            of their `Frame`, to rewards, float [B, T]. Each is a part with the name of the function.

    Raises:
        ValueError: if a weight is not a finite number, or the threshold is negative.
        UserError: if the scale, the tonic, a chord or a rule is invalid.
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
    scale: str | Sequence[int] = "major"
    tonic_pitch: int | str = TONIC_PITCH
    chord_tones: float = 0.0
    chords: str = ""
    phrase_endings: float = 0.0
    phrase_bars: int = 2
    rules: Sequence[Rule] = ()

    def __post_init__(self):
        if not isinstance(self.scale, str):
            # A tuple, because the reward is hashed when it is traced.
            object.__setattr__(self, "scale", tuple(self.scale))
        try:
            make_key(self.tonic_pitch, self.scale)
        except UserError as error:
            raise UserError(f"MusicTheoryReward.{error}") from error
        self._check_harmony()
        for name in (field.name for field in dataclasses.fields(self)):
            value = getattr(self, name)
            if name in _SETTINGS:
                continue
            if not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ValueError(
                    f"MusicTheoryReward.{name} must be a finite number, not {value!r}."
                    + (" The key is MusicTheoryReward.tonic_pitch." if name == "tonic" else "")
                )
        if self.autocorrelation_threshold < 0:
            raise ValueError(
                "MusicTheoryReward.autocorrelation_threshold must be at least 0, not "
                f"{self.autocorrelation_threshold}."
            )

    def _check_harmony(self) -> None:
        object.__setattr__(self, "rules", tuple(self.rules))
        try:
            chords = harmony.parse_chords(self.chords)
        except UserError as error:
            raise UserError(f"MusicTheoryReward.{error}") from error
        if self.chord_tones and not chords:
            raise UserError("MusicTheoryReward.chord_tones needs chords, such as 'C F G7 C'")
        if type(self.phrase_bars) is not int or self.phrase_bars < 1:
            raise UserError(
                f"MusicTheoryReward.phrase_bars must be at least 1, not {self.phrase_bars!r}"
            )
        own_rules.check_rules(self.rules, self._parts(DEFAULT_FRAME, own=False))

    @property
    def key(self) -> Key:
        """The key of the rules."""
        return make_key(self.tonic_pitch, self.scale)

    @property
    def part_names(self) -> tuple[str, ...]:
        """The names of the parts, in the order of the rules' table."""
        return tuple(self._parts(DEFAULT_FRAME))

    @tf.function(autograph=False, reduce_retracing=True)
    def __call__(self, melody: tf.Tensor, frame: Frame | None = None) -> dict[str, tf.Tensor]:
        """Return the reward of every step, part by part.

        Args:
            melody: integer `[B, T]`, whole melodies.
            frame: grid and key of the melodies; None is the default grid with this reward's key.

        Returns:
            one float32 `[B, T]` for each of `part_names`; zeros for a part whose weights are all 0.

        Raises:
            ValueError: if `melody` is not of rank 2.
            TypeError: if it is not of an integer type.
        """
        melody = tf.convert_to_tensor(melody)
        frame = frame or Frame(key=self.key)
        return {
            name: part(melody) if any(weights) else tf.zeros_like(melody, tf.float32)
            for name, (part, weights) in self._parts(frame).items()
        }

    def _parts(self, frame, own=True):
        """Return, for each part, the function that computes it and its weights."""
        parts = {
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
        # Parts that are not the paper's exist only with a weight.
        if self.chord_tones:
            parts["chord_tones"] = (self._chord_tones, [self.chord_tones])
        if self.phrase_endings:
            parts["phrase_endings"] = (self._phrase_endings, [self.phrase_endings])
        if own:
            for rule in self.rules:
                parts[own_rules.rule_name(rule)] = (functools.partial(own_rules.apply, rule), [1])
        return {
            name: (functools.partial(part, frame=frame), weights)
            for name, (part, weights) in parts.items()
        }

    def _chord_tones(self, melody, frame):
        return _where(harmony.chord_tones(melody, self.chords, frame), self.chord_tones)

    def _phrase_endings(self, melody, frame):
        return _where(harmony.stable_endings(melody, self.phrase_bars, frame), self.phrase_endings)

    def _in_key(self, melody, frame):
        return _where(~rules.in_key(melody, frame), self.in_key)

    def _tonic(self, melody, frame):
        return _where(rules.tonic_in_place(melody, frame), self.tonic)

    def _repetition(self, melody, frame):
        return _where(rules.excessively_repeated(melody, frame), self.repetition)

    def _signed_lags(self):
        return [self.lag_1, self.lag_2, self.lag_3]

    def _autocorrelation(self, melody, frame):
        found = [rules.autocorrelation_so_far(melody, k) for k in rules.AUTOCORRELATION_LAGS]
        sizes = [tf.abs(coefficient) for coefficient in found]
        counted = [tf.where(size > self.autocorrelation_threshold, size, 0.0) for size in sizes]
        signed = [w * coefficient for w, coefficient in zip(self._signed_lags(), found)]
        length = tf.shape(melody)[1]
        at_end = tf.one_hot(length - 1, length, dtype=tf.float64) * _sum(signed)
        return tf.cast(self.autocorrelation * _sum(counted) + at_end, tf.float32)

    def _motif(self, melody, frame):
        is_motif, distinct = rules.motif(melody, frame)
        return _where(is_motif, _motif_value(distinct, self.motif, self.motif_extra))

    def _repeated_motif(self, melody, frame):
        _, distinct = rules.motif(melody, frame)
        value = _motif_value(distinct, self.repeated_motif, self.repeated_motif_extra)
        return _where(rules.repeated_motif(melody, frame), value)

    def _interval(self, melody, frame):
        return self.interval * intervals.interval_weight(melody, frame)

    def _leap(self, melody, frame):
        resolved, doubled = intervals.leaps(melody, frame)
        return _where(resolved, self.leap_resolved) + _where(doubled, self.leap_doubled)

    def _unique_extrema(self, melody, frame):
        if self.extrema_as_they_change:
            paid = _where(rules.unique_max_so_far(melody, frame), self.unique_max) + _where(
                rules.unique_min_so_far(melody, frame), self.unique_min
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

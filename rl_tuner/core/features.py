"""Features of sequences: quantities whose mean a user can ask for, and the bounds on them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import NamedTuple

import tensorflow as tf

from rl_tuner.core.shapes import same_shape

# The feature that every task has: the mean of log p(a_t | s_t) over all steps, in nats.
LOG_PRIOR = "log_prior"


# A target as a user writes it: (low, high), or None to ask for nothing.
Pair = tuple[float | None, float | None] | None


class Feature(NamedTuple):
    """A quantity whose value over a set of sequences is the sum of numerators by that of denominators.

    Attributes:
        numerator: float32 [B, T], each term at the step that decides it.
        denominator: float32 [B, T]; a sequence's steps, its one sequence, or what else is counted.
        handle: float32 [B, T], what is rewarded in order to raise the feature; None rewards the
            feature itself. A sum of rare events has a heavy tail, and a reward for it may tip the policy
            from almost none of them to almost nothing else: there the handle is whether a sequence has
            one.
    """

    numerator: tf.Tensor
    denominator: tf.Tensor
    handle: tf.Tensor | None = None


class Bound(NamedTuple):
    """One side of what is asked of a feature.

    Attributes:
        feature: name of the feature.
        side: 1 if the feature must be at least `value`, -1 if it must be at most `value`.
        value: the bound, in the unit of the feature.
    """

    feature: str
    side: int
    value: float

    @property
    def label(self) -> str:
        """The feature's name with its side, "motif_low" or "motif_high"."""
        return f"{self.feature}_{'low' if self.side > 0 else 'high'}"


def per_step(values: tf.Tensor, mask: tf.Tensor) -> Feature:
    """Return the feature "mean of [B, T] values over all steps", such as a share of notes."""
    same_shape(2, values=values, mask=mask)
    return Feature(tf.cast(values, tf.float32) * mask, mask)


def per_sequence(values: tf.Tensor, mask: tf.Tensor) -> Feature:
    """Return the feature "mean over sequences of the sum of [B, T] values"."""
    same_shape(2, values=values, mask=mask)
    first = tf.one_hot(tf.zeros_like(mask[:, 0], tf.int32), tf.shape(mask)[1])
    return Feature(tf.cast(values, tf.float32) * mask, first)


def bounds_of(targets: Mapping[str, Pair]) -> tuple[Bound, ...]:
    """Return the bounds of targets: feature name -> (low, high), None where nothing is asked.

    Raises:
        ValueError: a target is not a pair of finite numbers or None, or its low is above its high.
    """
    bounds = []
    for name, pair in targets.items():
        if pair is None:
            continue
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ValueError(
                f"target {name} must be a pair (low, high), with None for no bound, not {pair!r}"
            )
        for value in pair:
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if value is not None and not (is_number and math.isfinite(value)):
                raise ValueError(f"target {name} must have finite numbers or None, not {value!r}")
        low, high = pair
        if low is None and high is None:
            raise ValueError(f"target {name} is (None, None), which asks for nothing; leave it out")
        if low is not None and high is not None and low > high:
            raise ValueError(f"target {name} must have its low first, not ({low}, {high})")
        bounds += [Bound(name, 1, float(low))] if low is not None else []
        bounds += [Bound(name, -1, float(high))] if high is not None else []
    return tuple(bounds)


@dataclasses.dataclass(frozen=True)
class NamedTargets:
    """Base class of targets with one field per feature, see `Targets`.

    Attributes:
        log_prior: mean log p(a|s) of all steps under the prior, nats.
        others: targets for further features of the task, name -> pair.

    Raises:
        ValueError: a target is not a pair of numbers or None, or asks for nothing.
    """

    log_prior: Pair = None
    others: Mapping[str, Pair] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Reject targets that are not pairs."""
        bounds_of(self.asked())

    def asked(self) -> dict[str, Pair]:
        """Return what is asked, feature name -> (low, high): first of the subclass's own features."""
        named = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        others, log_prior = named.pop("others"), named.pop(LOG_PRIOR)
        return named | {LOG_PRIOR: log_prior} | others


def slack(feature: Feature, bound: Bound) -> tf.Tensor:
    """Return side (numerator - value denominator), [B, T]: the bound is met if its mean is at least 0."""
    return bound.side * (feature.numerator - bound.value * feature.denominator)


def handle(feature: Feature, bound: Bound) -> tf.Tensor:
    """Return what the bound's multiplier rewards, [B, T]: its `slack` unless the feature has a handle."""
    return slack(feature, bound) if feature.handle is None else bound.side * feature.handle

"""The controller of targets: it moves the multipliers of the bounds while the policy learns to follow."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

import gin
import numpy as np
import tensorflow as tf

from rl_tuner.common.ranges import check
from rl_tuner.core import dual, sharing
from rl_tuner.core.features import Bound, Feature, handle, slack
from rl_tuner.core.ranges import RANGES
from rl_tuner.core.rollout import Rollout
from rl_tuner.core.shapes import has_rank, same_shape


class Standing(NamedTuple):
    """How a bound stands.

    Attributes:
        bound: the bound.
        slack: mean of its slack over the latest sequences; the bound is met if this is at least 0.
        multiplier: its multiplier m.
        cost: by how many nats per sequence the departure from the prior would be less for each unit by
            which the mean slack might be less: m, unless the bound's handle is not its slack.
    """

    bound: Bound
    slack: float
    multiplier: float
    cost: float


@gin.configurable(module="rl_tuner")
class DualController(tf.Module):
    """Dual ascent on the multipliers m of the bounds, see `dual`, at the speed at which the policy follows.

    After every `window` sequences that the policy sampled, the multipliers take the share `rate` of the
    Newton step on the dual problem, and after 40 steps a share that falls with their number. It grows by
    the factor `growth` with every step after which a gap still has its sign. Three limits keep the
    multipliers from running away from the policy:

    - A step changes the log weights of sequences by at most `spread` nats of standard deviation, and by
      at most `most` nats through any single bound. Both are divided by the policy's lag in units of
      `tolerated_lag`, if that is above 1. The lag is the standard deviation over the policy's own
      sequences of sum_i m_i h_i + r_T / c + log p - log pi, h the handles: at the optimum it is 0.
    - The multiplier of a bound exceeds what the policy has followed so far (the regression of
      log pi - log p on the handles) by at most `lead` nats for the sequence that gains most by it. A
      network learns to avoid something rare only under a large multiplier, but what it learns to seek soon
      becomes common.
    - If the KL exceeds `max_kl`, the bounds give way, see `dual`.

    Args:
        max_kl: budget of the exact KL from the prior, nats per step.
        window: sequences between two steps.
        rate: share of the Newton step.
        spread: see above, nats.
        most: see above, nats.
        tolerated_lag: see above, nats.
        lead: see above, nats.
        growth: see above.
        margin: distance to keep from each bound, in standard deviations of a sequence's slack, so that
            the noise of learning does not cross it; at most half of the bound itself, and 0.45 of the
            distance between two bounds of one feature.
        smoothing: weight of the past in the covariance of the handles.

    Raises:
        ValueError: a number is out of range.
    """

    def __init__(
        self,
        max_kl: float = 0.5,
        window: int = 1280,
        rate: float = 0.2,
        spread: float = 0.4,
        most: float = 1.5,
        tolerated_lag: float = 3.0,
        lead: float = 8.0,
        growth: float = 1.1,
        margin: float = 0.035,
        smoothing: float = 0.8,
    ) -> None:
        super().__init__(name="controller")
        self.window = window
        self.pace = dual.Pace(
            max_kl, rate, spread, most, tolerated_lag, lead, growth, margin, smoothing
        )
        check(RANGES, "DualController", window=window, **dataclasses.asdict(self.pace))
        self.bounds: tuple[Bound, ...] = ()

    def build(self, bounds: tuple[Bound, ...], batch_size: int) -> None:
        """Allocate the state for K bounds, with `batch_size` sequences sampled per iteration."""
        self.bounds, count = bounds, len(bounds)
        rows = batch_size * math.ceil(self.window / batch_size)

        def zeros(name: str, *shape: int) -> tf.Variable:
            return tf.Variable(tf.zeros(shape, tf.float32), trainable=False, name=name)

        widths: dict[str, tuple[int, ...]] = dict.fromkeys(dual.DualState._fields, (count,))
        widths["covariance"] = (count, count)
        widths |= dict.fromkeys(("softness", "kl", "lag", "steps"), ())
        # Variables in the places of arrays.
        self._state: Any = dual.DualState(*(zeros(name, *shape) for name, shape in widths.items()))
        shapes = [(rows, count), (rows, count), (rows,), (rows, count), (rows,), (rows,)]
        self._window: Any = dual.Window(
            *(zeros(name, *shape) for name, shape in zip(dual.Window._fields, shapes))
        )
        self._filled = tf.Variable(0, dtype=tf.int64, trainable=False, name="filled")

    @property
    def multipliers(self) -> tf.Tensor:
        """The multipliers of the bounds, float32 [K]."""
        return self._state.multipliers

    def observe(
        self, episode: Rollout, reward: tf.Tensor, features: dict[str, Feature]
    ) -> tf.Tensor:
        """Record how sampled sequences meet the bounds; take a step once a window is full.

        Args:
            episode: B sequences sampled by the policy.
            reward: float32 [B, T], r_T / c; zeros without a task reward.
            features: the features that are bounded.

        Returns:
            float32 [B, T, K], the handles of the bounds.
        """
        same_shape(2, reward=reward, mask=episode.mask)
        slacks = tf.stack([slack(features[b.feature], b) for b in self.bounds], axis=-1)
        handles = tf.stack([handle(features[b.feature], b) for b in self.bounds], axis=-1)
        sizes = [abs(b.value) * features[b.feature].denominator for b in self.bounds]
        has_rank(3, slacks=slacks, handles=handles)
        log_ratios = episode.mask * (episode.log_policy - episode.log_prior) - reward
        seen = dual.Window(
            *(
                sharing.gathered(tf.reduce_sum(values, axis=1))
                for values in (
                    slacks,
                    handles,
                    log_ratios,
                    tf.stack(sizes, axis=-1),
                    episode.kl,
                    episode.mask,
                )
            )
        )
        count = tf.shape(seen.lengths, out_type=tf.int64)[0]
        rows = self._filled + tf.range(count)
        for variable, values in zip(self._window, seen):
            variable.scatter_update(tf.IndexedSlices(values, rows))
        self._filled.assign_add(count)
        is_full = self._filled >= self._window.lengths.shape[0]
        tf.cond(is_full, self._step, lambda: tf.constant(False))
        return handles

    def reward(self, handles: tf.Tensor) -> tf.Tensor:
        """Return sum_i m_i h_i of each step: [B, T, K] -> [B, T]."""
        return tf.linalg.matvec(handles, self.multipliers)

    def _step(self) -> tf.Tensor:
        arguments = [tf.identity(value) for value in (*self._state, *self._window)]
        results = tf.numpy_function(self._advance, arguments, [tf.float32] * len(self._state))
        for variable, value in zip(self._state, results):
            variable.assign(tf.reshape(value, variable.shape))
        self._filled.assign(0)
        return tf.constant(True)

    def _advance(self, *arrays: np.ndarray) -> list[np.ndarray]:
        values = [np.asarray(array, np.float64) for array in arrays]
        state = dual.DualState(*values[: len(self._state)])
        window = dual.Window(*values[len(self._state) :])
        new = dual.advance(state, window, self._pairs(), self.pace)
        return [np.asarray(value, np.float32) for value in new]

    def _pairs(self) -> list[tuple[int, int]]:
        lows = {bound.feature: place for place, bound in enumerate(self.bounds) if bound.side > 0}
        return [
            (lows[bound.feature], place)
            for place, bound in enumerate(self.bounds)
            if bound.side < 0 and bound.feature in lows
        ]

    def standings(self) -> list[Standing]:
        """Return how every bound stands since the latest step."""
        state = [values.numpy().tolist() for values in self._state[:3]]
        return [
            Standing(bound, slack, multiplier, multiplier * slope)
            for bound, multiplier, slack, slope in zip(self.bounds, *state)
        ]

    @property
    def scales(self) -> list[float]:
        """By how much the prior misses each bound, or the spread of its slack if that is more."""
        return self._state.scales.numpy().tolist()

    @property
    def gives_way(self) -> bool:
        """Whether the bounds cannot be met within `max_kl`, so that the policy is a compromise."""
        return float(self._state.softness) > 2 * dual.LEAST_SOFTNESS

    def metrics(self) -> dict[str, tf.Tensor]:
        """Return float32 scalars for TensorBoard: of every bound, the number of bounds met, and the lag."""
        started = tf.cast(self._state.steps > 0, tf.float32)
        met = tf.cast(self._state.slacks >= 0.0, tf.float32)
        multipliers, slacks = tf.unstack(self.multipliers), tf.unstack(self._state.slacks)
        labels = [bound.label for bound in self.bounds]
        return {
            **{f"targets/multiplier_{label}": m for label, m in zip(labels, multipliers)},
            **{f"targets/slack_{label}": slack for label, slack in zip(labels, slacks)},
            "targets/bounds_met": started * tf.reduce_sum(met),
            "targets/lag": tf.identity(self._state.lag),
            "targets/softness": tf.identity(self._state.softness),
        }

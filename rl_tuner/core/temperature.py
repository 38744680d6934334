"""The temperature c, which weighs the task reward against staying close to the prior."""

from __future__ import annotations

import gin
import tensorflow as tf

from rl_tuner.common.ranges import check
from rl_tuner.core.ranges import RANGES


@gin.configurable(module="rl_tuner")
class FixedTemperature(tf.Module):
    """A constant c: the reward is r_T / c, so a larger c keeps the policy closer to the prior.

    Raises:
        ValueError: c is not a positive number.
    """

    def __init__(self, c: float = 0.5) -> None:
        super().__init__(name="temperature")
        check(RANGES, "FixedTemperature", c=c)
        self.c = tf.Variable(c, dtype=tf.float32, trainable=False, name="c")

    def update(self, kl: tf.Tensor) -> None:
        """Ignore the exact KL of the latest rollout (nats per step)."""
        del kl

    def metrics(self) -> dict[str, tf.Tensor]:
        """Return float32 scalars for TensorBoard."""
        return {"temperature": tf.identity(self.c)}


@gin.configurable(module="rl_tuner")
class AdaptiveTemperature(tf.Module):
    """A c that adapts until the KL from the prior settles at a target.

    In each iteration, with k the KL averaged over the latest iterations,

        log c <- log c + rate * clip(log(k / target_kl), -1, 1),   min_c <= c <= max_c:

    c rises if the policy is too far from the prior, and falls if it is too close. The policy needs some
    hundred iterations to follow c: c overshoots with a larger rate, and also without the delay, because
    the policy first has to leave the prior and until then any c seems too large.

    Args:
        target_kl: target of the exact KL(pi || p), nats per step.
        initial_c: initial value of c.
        rate: largest change of log c per iteration.
        delay: iterations before c first changes.
        smoothing: weight of the past in the averaged KL; 0 uses only the latest rollout.
        min_c: lower bound of c.
        max_c: upper bound of c.

    Raises:
        ValueError: a number is out of range.
    """

    def __init__(
        self,
        target_kl: float,
        initial_c: float = 0.5,
        rate: float = 0.002,
        delay: int = 300,
        smoothing: float = 0.9,
        min_c: float = 0.1,
        max_c: float = 100.0,
    ) -> None:
        super().__init__(name="temperature")
        check(
            RANGES,
            "AdaptiveTemperature",
            target_kl=target_kl,
            initial_c=initial_c,
            rate=rate,
            delay=delay,
            smoothing=smoothing,
            min_c=min_c,
            max_c=max_c,
        )
        if not min_c <= initial_c <= max_c:
            raise ValueError(
                "AdaptiveTemperature must have min_c <= initial_c <= max_c, not "
                f"{min_c=}, {initial_c=}, {max_c=}"
            )
        self.target_kl, self.rate, self.delay, self.smoothing = target_kl, rate, delay, smoothing
        self.min_c, self.max_c = min_c, max_c
        self.c = tf.Variable(initial_c, dtype=tf.float32, trainable=False, name="c")
        self._iterations = tf.Variable(0, dtype=tf.int64, trainable=False, name="iterations")
        self._sum = tf.Variable(0.0, dtype=tf.float32, trainable=False, name="kl_sum")
        self._weight = tf.Variable(0.0, dtype=tf.float32, trainable=False, name="kl_weight")

    def update(self, kl: tf.Tensor) -> None:
        """Update c, given the exact KL of the latest rollout (nats per step)."""
        self._sum.assign(self.smoothing * self._sum + (1.0 - self.smoothing) * kl)
        self._weight.assign(self.smoothing * self._weight + (1.0 - self.smoothing))
        # A policy equal to the prior has a KL of 0; the maximum keeps the logarithm finite.
        error = tf.math.log(tf.maximum(self._smoothed_kl(), 1e-30) / self.target_kl)
        self._iterations.assign_add(1)
        rate = tf.where(self._iterations > self.delay, self.rate, 0.0)
        c = self.c * tf.exp(rate * tf.clip_by_value(error, -1.0, 1.0))
        self.c.assign(tf.clip_by_value(c, self.min_c, self.max_c))

    def metrics(self) -> dict[str, tf.Tensor]:
        """Return float32 scalars for TensorBoard."""
        return {
            "temperature": tf.identity(self.c),
            "smoothed_kl": self._smoothed_kl(),
            "target_kl": tf.constant(self.target_kl, tf.float32),
        }

    def _smoothed_kl(self) -> tf.Tensor:
        # At first the weights of the rollouts sum to less than 1.
        return tf.math.divide_no_nan(self._sum, self._weight)

"""The temperature c, which weighs the task reward against staying close to the prior."""

from __future__ import annotations

import gin
import tensorflow as tf


@gin.configurable(module="rl_tuner")
class FixedTemperature(tf.Module):
    """A constant c: the reward is r_T / c, so a larger c stays closer to the prior.

    Raises:
        ValueError: c is not positive.
    """

    def __init__(self, c: float = 0.5) -> None:
        super().__init__(name="temperature")
        if c <= 0:
            raise ValueError(f"the temperature c must be positive, not {c}")
        self.c = tf.Variable(c, dtype=tf.float32, trainable=False, name="c")

    def update(self, kl: tf.Tensor) -> None:
        """Takes the exact KL of the latest rollout (nats a step); a fixed c ignores it."""
        del kl

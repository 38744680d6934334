"""Exploration: behaviour distributions over the next token while collecting."""

from __future__ import annotations

import dataclasses

import gin
import tensorflow as tf

from rl_tuner.common.ranges import check
from rl_tuner.core.ranges import RANGES
from rl_tuner.core.stepper import log_softmax


def tempered(log_policy: tf.Tensor, temperature: float | tf.Tensor) -> tf.Tensor:
    """Return the softmax over the classes of log pi / temperature: [A, B] -> [A, B]."""
    if isinstance(temperature, int | float) and temperature == 1:
        return tf.exp(log_policy)
    return tf.exp(log_softmax(log_policy / temperature))


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Boltzmann:
    """Exploration by the softmax of the policy's logits divided by `temperature`.

    Raises:
        ValueError: the temperature is not positive.
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        """Reject a temperature that is not positive."""
        check(RANGES, "Boltzmann", temperature=self.temperature)

    def epsilon(self, environment_step: tf.Tensor) -> tf.Tensor:
        """Return the share of random actions, 0."""
        return tf.zeros([], tf.float32)

    def probabilities(self, log_policy: tf.Tensor, environment_step: tf.Tensor) -> tf.Tensor:
        """Behaviour distribution [A, B] for policy log-probabilities [A, B]."""
        return tempered(log_policy, self.temperature)


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class EpsilonGreedy:
    """Exploration by a uniformly random action with probability epsilon, else the policy's own action.

    Epsilon falls linearly from `initial` to `final` over the first `anneal_steps` environment steps
    and then stays constant; evaluation never advances it, since it depends only on training steps.

    Attributes:
        initial: epsilon at step 0.
        final: epsilon from `anneal_steps` on.
        anneal_steps: length of the schedule in environment steps.
        greedy: whether the policy's own action is its most probable one. Off by default: evaluation
            samples from the policy, so training should visit the states that the policy samples.

    Raises:
        ValueError: a probability is outside [0, 1], or the schedule is shorter than one step.
    """

    initial: float = 1.0
    final: float = 0.1
    anneal_steps: int = 1_000_000
    greedy: bool = False

    def __post_init__(self) -> None:
        """Reject invalid probabilities and schedules."""
        check(RANGES, "EpsilonGreedy", **dataclasses.asdict(self))

    def epsilon(self, environment_step: tf.Tensor) -> tf.Tensor:
        """Return epsilon at a step, a float32 scalar."""
        progress = tf.minimum(1.0, tf.cast(environment_step, tf.float32) / self.anneal_steps)
        return self.initial + progress * (self.final - self.initial)

    def probabilities(self, log_policy: tf.Tensor, environment_step: tf.Tensor) -> tf.Tensor:
        """Behaviour distribution [A, B] for policy log-probabilities [A, B]."""
        num_classes = tf.shape(log_policy)[0]
        own = (
            tf.one_hot(tf.argmax(log_policy, axis=0), num_classes, axis=0)
            if self.greedy
            else tf.exp(log_policy)
        )
        epsilon = self.epsilon(environment_step)
        return (1.0 - epsilon) * own + epsilon / tf.cast(num_classes, tf.float32)

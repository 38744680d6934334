"""Sampling of sequences from a policy, the tuned policy or the prior, without exploration."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from rl_tuner.core.exploration import tempered
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.protocols import Start
from rl_tuner.core.rollout import Rollout, rollout
from rl_tuner.core.task import Task


class Policy(NamedTuple):
    """A policy, defined by its networks and logits.

    Attributes:
        network: the network whose scores define the policy.
        prior: the network of log p(a|s), from which the KL is measured.
        policy_logits: (scores, log p) -> logits of the policy, see `Objective.policy_logits`.
    """

    network: SequenceNetwork
    prior: SequenceNetwork
    policy_logits: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

    def logits(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return logits of the token after every input: int [B, T] -> float32 [B, T, A]."""
        return self.policy_logits(self.network(inputs), tf.nn.log_softmax(self.prior(inputs)))


def prior_policy(prior: SequenceNetwork) -> Policy:
    """Return the prior as a policy."""
    return Policy(prior, prior, lambda scores, log_prior: log_prior)


# AutoGraph takes seconds to convert a function; this one has no Python control flow on tensors.
@tf.autograph.experimental.do_not_convert
def sample(
    policy: Policy,
    start: Start,
    task: Task,
    batch_size: int | tf.Tensor,
    seed: tf.Tensor,
    temperature: float | tf.Tensor = 1.0,
    horizon: int | None = None,
) -> Rollout:
    """Sample sequences of a policy.

    Args:
        policy: the policy.
        start: start of the sequences.
        task: task with its horizon and end token.
        batch_size: B.
        seed: int32 [2].
        temperature: divisor of the policy's logits before sampling.
        horizon: length of the longest sequence in tokens; None is that of the task.
    """
    seeds = tf.random.experimental.stateless_split(seed, 2)
    prefix = start.prefix(batch_size, policy.prior.start_token, seeds[0])
    length = task.horizon if horizon is None else horizon
    return sample_after(policy, prefix, length, seeds[1], task.end_token, temperature)


def sample_after(
    policy: Policy,
    prefix: tf.Tensor,
    horizon: int | tf.Tensor,
    seed: tf.Tensor,
    end_token: int | None = None,
    temperature: float | tf.Tensor = 1.0,
) -> Rollout:
    """Sample one sequence after each row of a prefix.

    Args:
        policy: the policy.
        prefix: int32 [B, P], inputs before the first token.
        horizon: T, length of the longest sequence in tokens.
        seed: int32 [2].
        end_token: class that ends a sequence; None if all sequences have length T.
        temperature: divisor of the policy's logits before sampling.
    """
    return rollout(
        policy.network,
        policy.prior,
        policy.policy_logits,
        lambda log_policy: tempered(log_policy, temperature),
        prefix,
        horizon,
        seed,
        end_token,
    )

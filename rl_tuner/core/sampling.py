"""Drawing whole sequences from a policy, the tuned one or the prior, without exploration."""

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
    """What decides the next token.

    Attributes:
        network: its scores define the policy.
        prior: the network that log p(a|s) and KL are measured against.
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
) -> Rollout:
    """Draw sequences of a policy.

    Args:
        policy: whose sequences.
        start: how they are started.
        task: gives horizon and end token.
        batch_size: B.
        seed: int32 [2].
        temperature: the policy's logits are divided by it before sampling.
    """
    seeds = tf.random.experimental.stateless_split(seed, 2)
    prefix = start.prefix(batch_size, policy.prior.start_token, seeds[0])
    return sample_after(policy, prefix, task.horizon, seeds[1], task.end_token, temperature)


def sample_after(
    policy: Policy,
    prefix: tf.Tensor,
    horizon: int | tf.Tensor,
    seed: tf.Tensor,
    end_token: int | None = None,
    temperature: float | tf.Tensor = 1.0,
) -> Rollout:
    """Draw one sequence after each row of a prefix.

    Args:
        policy: whose sequences.
        prefix: int32 [B, P], inputs before the first token.
        horizon: T, the longest sequence in tokens.
        seed: int32 [2].
        end_token: class that ends a sequence; None when all have the length T.
        temperature: the policy's logits are divided by it before sampling.
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

"""Batched sampling of whole sequences under a policy, compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from rl_tuner.core import batch_parts, xla
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.stepper import log_softmax


class Rollout(NamedTuple):
    """Sampled sequences; everything past a sequence's end is 0.

    Attributes:
        prefix: int32 [B, P], the inputs before the first token, not part of the sequence.
        tokens: int32 [B, T], the sequences.
        mask: float32 [B, T], 1 on the steps of a sequence (its end token included), else 0.
        log_policy: float32 [B, T], log pi(a_t | s_t) in nats, of the policy without exploration.
        log_prior: float32 [B, T], log p(a_t | s_t) in nats.
        kl: float32 [B, T], exact KL(pi(. | s_t) || p(. | s_t)) in nats.
        entropy: float32 [B, T], entropy of pi(. | s_t) in nats.
    """

    prefix: tf.Tensor
    tokens: tf.Tensor
    mask: tf.Tensor
    log_policy: tf.Tensor
    log_prior: tf.Tensor
    kl: tf.Tensor
    entropy: tf.Tensor


def mask_of(tokens: np.ndarray, end_token: int | None) -> np.ndarray:
    """Return float32 [B, T], 1 up to and including the first end token of int [B, T] sequences.

    Without an end token, every step belongs to its sequence.
    """
    if end_token is None:
        return np.ones(tokens.shape, np.float32)
    ends = tokens == end_token
    return (np.cumsum(ends, axis=1) - ends == 0).astype(np.float32)


def sample_from(probabilities: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
    """Draw one class per column by inverting the cumulative distribution.

    Args:
        probabilities: float [A, B], columns that sum to 1 up to rounding.
        uniform: float [B] in [0, 1).

    Returns:
        int32 [B] classes; a class of probability 0 is never drawn.
    """
    # A product with a triangular matrix of ones is a cumulative sum, and faster than tf.cumsum.
    size = probabilities.shape[0]
    cumulative = tf.matmul(tf.linalg.band_part(tf.ones([size, size]), -1, 0), probabilities)
    return tf.reduce_sum(tf.cast(cumulative <= uniform * cumulative[-1], tf.int32), axis=0)


def log_probs(
    policy_logits: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    scores: tf.Tensor,
    prior_logits: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return log pi(. | s_t) of an objective's policy and log p(. | s_t) of the prior, float [A, B]."""
    log_p = log_softmax(prior_logits)
    return log_softmax(policy_logits(scores, log_p)), log_p


def rollout(
    online: SequenceNetwork,
    prior: SequenceNetwork,
    policy_logits: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    behaviour: Callable[[tf.Tensor], tf.Tensor],
    prefix: tf.Tensor,
    horizon: int,
    seed: tf.Tensor,
    end_token: int | None = None,
) -> Rollout:
    """Sample one sequence per row of `prefix`, evaluating both networks at every step.

    Args:
        online: network whose scores define the policy.
        prior: the frozen prior.
        policy_logits: (scores [A, B], log p [A, B]) -> logits [A, B], `Objective.policy_logits`.
        behaviour: policy log-probabilities [A, B] -> probabilities [A, B] to sample from.
        prefix: int32 [B, P] inputs before the first token.
        horizon: T, length of the longest sequence in tokens.
        seed: int32 [2] seed of all sampling.
        end_token: class that ends a sequence; None if all sequences have length T. Sampling stops
            when every sequence has ended.

    Returns:
        A `Rollout`.
    """
    steppers = online.stepper(), prior.stepper()
    uniform = tf.random.stateless_uniform([horizon, tf.shape(prefix)[0]], seed)

    def advance(token, states):
        both = [step(token, state) for step, state in zip(steppers, states)]
        return [scores for scores, _ in both], tuple(state for _, state in both)

    def draw(prefix, uniform):
        """Return tokens and mask [T, B] and `_measures` [T, 4, B] of a part of the batch."""
        batch_size, rows = tf.shape(prefix)[0], prefix.shape[0]
        _, states = tf.while_loop(
            lambda position, _: position < tf.shape(prefix)[1] - 1,
            lambda position, states: (position + 1, advance(prefix[:, position], states)[1]),
            (tf.constant(0), (online.zero_state(batch_size), prior.zero_state(batch_size))),
        )
        arrays = [
            tf.TensorArray(dtype, size=horizon, element_shape=shape)
            for dtype, shape in ((tf.int32, [rows]), (tf.float32, [rows]), (tf.float32, [4, rows]))
        ]

        def step(t, token, alive, states, arrays):
            (scores, prior_logits), states = advance(token, states)
            log_pi, log_p = log_probs(policy_logits, scores, prior_logits)
            token = sample_from(behaviour(log_pi), uniform[t])
            written = tf.where(alive > 0, token, 0), alive, _measures(token, log_pi, log_p)
            arrays = [array.write(t, value) for array, value in zip(arrays, written)]
            if end_token is not None:
                alive = alive * tf.cast(token != end_token, tf.float32)
            return t + 1, token, alive, states, arrays

        # Even a part without rows takes one step, which determines the shapes of the stacked arrays.
        *_, arrays = tf.while_loop(
            lambda t, token, alive, *_: (t < horizon) & ((t == 0) | (tf.reduce_max(alive) > 0)),
            step,
            (tf.constant(0), prefix[:, -1], tf.ones([batch_size]), states, arrays),
        )
        # Steps after the end of all sequences are not written and stay zero.
        return [array.stack() for array in arrays]

    # Do not use XLA when the batch size or the horizon is unknown at trace time (it would recompile for
    # every size), nor in eager mode (the code runs only once).
    rows = prefix.shape[0] if isinstance(horizon, int) else None
    parts = batch_parts.count()
    if not tf.executing_eagerly() and xla.wanted(rows, online.cells):
        draw, parts = xla.fused(draw), xla.parts(rows)
    split = batch_parts.split(prefix, 0, parts), batch_parts.split(uniform, 1, parts)
    drawn = [draw(*part) for part in zip(*split)]
    tokens, mask, measures = (tf.concat(values, axis=-1) for values in zip(*drawn))
    per_step = tokens, mask, *(measure * mask for measure in tf.unstack(measures, axis=1))
    static = [prefix.shape[0], horizon if isinstance(horizon, int) else None]
    return Rollout(prefix, *(tf.ensure_shape(tf.transpose(values), static) for values in per_step))


def _measures(token: tf.Tensor, log_pi: tf.Tensor, log_p: tf.Tensor) -> tf.Tensor:
    """Return log_policy, log_prior, kl and entropy of a step, see `Rollout`: float32 [4, B]."""
    pi = tf.exp(log_pi)
    drawn = tf.range(tf.shape(log_pi)[0])[:, tf.newaxis] == token
    sums = [
        tf.where(drawn, log_pi, 0.0),
        tf.where(drawn, log_p, 0.0),
        pi * (log_pi - log_p),
        -pi * log_pi,
    ]
    return tf.stack([tf.reduce_sum(values, axis=0) for values in sums])


def sequence_inputs(prefix: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
    """Return the inputs for scoring `tokens` from position P - 1 onwards: int [B, P + T - 1]."""
    return tf.concat([prefix, tokens[:, :-1]], axis=1)

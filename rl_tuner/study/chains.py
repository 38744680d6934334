"""Chains of the Bradley-Terry model with a rater effect, by NUTS of TensorFlow Probability."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from rl_tuner.study.significance import Ratings

_ACCEPTANCE, _STEP_SIZE, _DEPTH = 0.85, 0.2, 8


def sample(
    ratings: Ratings,
    draws: int,
    chains: int,
    warm_up: int,
    seed: int,
    scales: Mapping[str, float],
) -> dict[str, np.ndarray]:
    """Draw from the posterior.

    The log odds that rater r prefers the second of (a, b) are (s_b + u z_rb) - (s_a + u z_ra) + o, with
    s ~ N(0, strength), z ~ N(0, 1), u ~ half-normal(rater), o ~ N(0, order).

    Args:
        ratings: the ratings of M models.
        draws: draws of each chain.
        chains: chains side by side.
        warm_up: draws that adapt the step and are dropped.
        seed: seed of the chains.
        scales: `strength`, `rater` and `order`.

    Returns:
        `strength` [draws, chains, M]; `rater_scale` and `order` [draws, chains].
    """
    raters = int(ratings.rater.max()) + 1
    models = len(ratings.models)
    for_second = np.select([ratings.rating > 3, ratings.rating == 3], [1.0, 0.5], 0.0)
    data = (
        tf.constant(ratings.rater * models + ratings.first, tf.int32),
        tf.constant(ratings.rater * models + ratings.second, tf.int32),
        tf.constant(for_second, tf.float32),
    )
    numbers = (scales["strength"], scales["rater"], scales["order"])
    run = _compiled(raters, models, draws, chains, warm_up, numbers)
    strength, log_scale, order = run(*data, tf.constant([seed, 0], tf.int32))
    return {
        "strength": scales["strength"] * strength.numpy(),
        "rater_scale": np.exp(log_scale.numpy()[..., 0]),
        "order": scales["order"] * order.numpy()[..., 0],
    }


@functools.cache
def _compiled(
    raters: int,
    models: int,
    draws: int,
    chains: int,
    warm_up: int,
    scales: tuple[float, float, float],
) -> Callable[..., Any]:
    strength_scale, rater_scale, order_scale = scales

    def log_density(first, second, for_second, strength, log_scale, order, own):
        """Return float [chains]; every variable is [chains, .], in units of its scale."""
        scale = tf.exp(log_scale)
        each = strength_scale * strength[:, tf.newaxis] + scale[..., tf.newaxis] * tf.reshape(
            own, [-1, raters, models]
        )
        each = tf.reshape(each, [-1, raters * models])
        odds = tf.gather(each, second, axis=1) - tf.gather(each, first, axis=1)
        odds += order_scale * order
        likelihood = for_second * tf.math.log_sigmoid(odds)
        likelihood += (1 - for_second) * tf.math.log_sigmoid(-odds)
        normal = sum(tf.reduce_sum(v**2, axis=1) for v in (strength, order, own))
        # The density of the logarithm of a half-normal number.
        half_normal = log_scale[:, 0] - 0.5 * (scale[:, 0] / rater_scale) ** 2
        return tf.reduce_sum(likelihood, axis=1) - 0.5 * normal + half_normal

    @tf.function(autograph=False, jit_compile=True, reduce_retracing=True)
    def run(first, second, for_second, seed):
        kernel = tfp.mcmc.NoUTurnSampler(
            lambda *state: log_density(first, second, for_second, *state),
            step_size=_STEP_SIZE,
            max_tree_depth=_DEPTH,
        )
        kernel = tfp.mcmc.DualAveragingStepSizeAdaptation(
            kernel, num_adaptation_steps=int(0.8 * warm_up), target_accept_prob=_ACCEPTANCE
        )
        seeds = tf.random.experimental.stateless_split(seed, 5)
        start = [
            0.1 * tf.random.stateless_normal([chains, models], seeds[0]),
            np.log(0.5 * rater_scale) + 0.1 * tf.random.stateless_normal([chains, 1], seeds[1]),
            0.1 * tf.random.stateless_normal([chains, 1], seeds[2]),
            0.1 * tf.random.stateless_normal([chains, raters * models], seeds[3]),
        ]
        states = tfp.mcmc.sample_chain(
            draws,
            start,
            kernel=kernel,
            num_burnin_steps=warm_up,
            trace_fn=None,
            seed=seeds[4],
        )
        return states[0], states[1], states[2]

    return run

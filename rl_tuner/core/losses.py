"""Losses for the inconsistency of an objective: over one step, all path lengths or whole sequences.

Every objective scores actions by f(s, a) and learns towards r_t + gamma * V'(s_{t+1}), where V' comes from
the target network and is 0 past the end of a sequence (Jaques et al. 2017, equations 3 to 15). The losses
here chain that one-step error over paths; an objective has one of them as its attribute.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple, Protocol

import gin
import tensorflow as tf

from rl_tuner.common.ranges import check
from rl_tuner.core import sharing
from rl_tuner.core.protocols import Start
from rl_tuner.core.ranges import RANGES
from rl_tuner.core.shapes import same_shape


class Transitions(NamedTuple):
    """Scores, rewards and values of replayed sequences, the input of a loss.

    Attributes:
        chosen_scores: float [B, T], f(s_t, a_t) of the online network.
        rewards: float [B, T], the objective's immediate reward.
        values: returns float [B, T], V(s_t) of the online network.
        target_values: returns float [B, T], V'(s_t) of the target network.
        mask: float [B, T], 1 on the steps of a sequence and 0 on padding.
    """

    chosen_scores: tf.Tensor
    rewards: tf.Tensor
    values: Callable[[], tf.Tensor]
    target_values: Callable[[], tf.Tensor]
    mask: tf.Tensor


class LossTerms(NamedTuple):
    """A loss with its diagnostics.

    Attributes:
        loss: scalar, the weighted mean of squared (or Huber) errors.
        target_value: scalar, mean of the values learned towards.
        sizes: float [B], mean absolute error of each sequence.
    """

    loss: tf.Tensor
    target_value: tf.Tensor
    sizes: tf.Tensor


class Loss(Protocol):
    """A function from the transitions of replayed sequences to a loss."""

    @property
    def soft_values_only(self) -> bool:
        """Whether the loss chains values along paths, which is consistent only for soft values."""
        ...

    def check(self, gamma: float, start: Start) -> None:
        """Reject settings under which the loss is not consistent.

        Args:
            gamma: the discount.
            start: start of the sequences.

        Raises:
            ValueError: the loss is not consistent under these settings.
        """
        ...

    def __call__(
        self, transitions: Transitions, weights: tf.Tensor, gamma: float, limit: float | None
    ) -> LossTerms:
        """Return the loss.

        Args:
            transitions: B replayed sequences.
            weights: float [B], weight of each sequence's squared errors.
            gamma: the discount.
            limit: Huber threshold in nats, see `huber`.
        """
        ...


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Paths:
    """Path consistency over all lengths (`path_errors`): the masked mean of squared errors of every step.

    Attributes:
        lambda_: weight of longer paths, 0 (one step, as in the paper) to 1 (whole paths, which do not
            bootstrap).

    Raises:
        ValueError: lambda_ is outside [0, 1].
    """

    lambda_: float = 0.9

    def __post_init__(self) -> None:
        """Reject a lambda outside [0, 1]."""
        check(RANGES, "Paths", lambda_=self.lambda_)

    @property
    def soft_values_only(self) -> bool:
        """See `Loss`."""
        return self.lambda_ > 0.0

    def check(self, gamma: float, start: Start) -> None:
        """Accept every discount and start."""

    def __call__(
        self, transitions: Transitions, weights: tf.Tensor, gamma: float, limit: float | None
    ) -> LossTerms:
        """Return the loss, see `Loss`."""
        mask = transitions.mask
        values = transitions.values() if self.lambda_ > 0 else None
        # Whole paths do not bootstrap.
        bootstraps = self.lambda_ < 1
        target_values = transitions.target_values() if bootstraps else tf.stop_gradient(values)
        errors = path_errors(
            transitions.chosen_scores,
            transitions.rewards,
            next_values(target_values, mask),
            mask,
            gamma,
            values,
            self.lambda_,
        )
        squares = weights[:, tf.newaxis] * huber(errors, limit)
        sizes = tf.math.divide_no_nan(tf.reduce_sum(tf.abs(errors), 1), tf.reduce_sum(mask, 1))
        return LossTerms(masked_mean(squares, mask), masked_mean(target_values, mask), sizes)


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class OneStep:
    """The paper's loss: the squared error of every step towards r_t + gamma V'(s_{t+1})."""

    soft_values_only = False

    def check(self, gamma: float, start: Start) -> None:
        """Accept every discount and start."""

    def __call__(
        self, transitions: Transitions, weights: tf.Tensor, gamma: float, limit: float | None
    ) -> LossTerms:
        """Return the loss, see `Loss`."""
        return Paths(0.0)(transitions, weights, gamma, limit)


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class WholeSequences:
    """Consistency of whole sequences (`sequence_errors`): one squared error per sequence."""

    soft_values_only = True

    def check(self, gamma: float, start: Start) -> None:
        """Require the discount 1 and the same start for all sequences.

        Raises:
            ValueError: the discount is not 1, or the start is not fixed.
        """
        if gamma != 1.0 or not start.fixed:
            raise ValueError(
                "WholeSequences needs RLTuner.gamma = 1 and the same start for all sequences, such as "
                f"@StartToken(); got gamma = {gamma} and {type(start).__name__}"
            )

    def __call__(
        self, transitions: Transitions, weights: tf.Tensor, gamma: float, limit: float | None
    ) -> LossTerms:
        """Return the loss, see `Loss`."""
        errors, value = sequence_errors(
            transitions.chosen_scores, transitions.rewards, transitions.values(), transitions.mask
        )
        return LossTerms(tf.reduce_mean(weights * huber(errors, limit)), value, tf.abs(errors))


def next_values(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Return V(s_{t+1}) for every t, 0 past the end of each sequence.

    Args:
        values: float [B, T], V(s_t).
        mask: float [B, T], 1 on the steps of the sequence and 0 on padding.

    Returns:
        float [B, T].
    """
    same_shape(2, values=values, mask=mask)
    shifted = values[:, 1:] * mask[:, 1:]
    return tf.pad(shifted, [[0, 0], [0, 1]])


def path_errors(
    chosen_scores_t: tf.Tensor,
    rewards_t: tf.Tensor,
    next_target_values_t: tf.Tensor,
    mask: tf.Tensor,
    gamma: float | tf.Tensor,
    values_t: tf.Tensor | None = None,
    lambda_: float = 0.0,
) -> tf.Tensor:
    """Return the path inconsistency e_t of replayed sequences; its square is the loss.

    With ell_t = r_t + V(s_t) - f(s_t, a_t), which is r_T/c + log p - log pi for Psi and for G,

        e_t = -V(s_t) + sum over k >= 0 of (gamma lambda)^k [ell_{t+k} + gamma (1 - lambda) V'(s_{t+k+1})].

    lambda = 0 gives the paper's one-step error r_t + gamma V'(s_{t+1}) - f(s_t, a_t); lambda = 1 with
    gamma = 1 is the path consistency of Nachum et al. (2017) over whole sequences.

    Args:
        chosen_scores_t: float [B, T], f(s_t, a_t) of the online network.
        rewards_t: float [B, T], the objective's immediate reward.
        next_target_values_t: float [B, T], V'(s_{t+1}) of the target network, 0 past the end.
        mask: float [B, T], 1 on the steps of the sequence and 0 on padding.
        gamma: discount.
        values_t: float [B, T], V(s_t) of the online network; only used when lambda_ > 0.
        lambda_: 0 to 1.

    Returns:
        float [B, T] errors, 0 on padding. No gradient flows through rewards and target values.
    """
    same_shape(
        2,
        chosen_scores_t=chosen_scores_t,
        rewards_t=rewards_t,
        next_target_values_t=next_target_values_t,
        mask=mask,
        **({} if values_t is None else {"values_t": values_t}),
    )
    bootstrap = tf.stop_gradient(rewards_t + gamma * (1.0 - lambda_) * next_target_values_t)
    if lambda_ == 0.0:
        return mask * (bootstrap - chosen_scores_t)
    step_terms = mask * (bootstrap + values_t - chosen_scores_t)
    # sum over k >= t of (gamma lambda)^(k-t) x_k, as one product with the matrix of powers.
    steps = tf.range(tf.shape(step_terms)[1])
    gaps = tf.cast(steps[:, tf.newaxis] - steps, step_terms.dtype)
    powers = tf.where(gaps >= 0, tf.pow(gamma * lambda_, tf.maximum(gaps, 0.0)), 0.0)
    return mask * (tf.matmul(step_terms, powers) - values_t)


def sequence_errors(
    chosen_scores_t: tf.Tensor, rewards_t: tf.Tensor, values_t: tf.Tensor, mask: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the inconsistency of whole sequences from one start, and the value of that start.

    With ell_t = r_t + V(s_t) - f(s_t, a_t), which is r_T/c + log p - log pi, and no discount,

        e = sum over t of ell_t - V(s_0),   V(s_0) = the batch's mean of those sums.

    At the optimum the sum is log E_p[exp(r_T/c)] for every sequence, whichever policy chose the actions:
    the mean of the squared errors is then 0 on any batch (the log-variance divergence of Richter et al.
    2020). All tokens of a sequence are updated equally. With path errors from every step, in contrast, the
    last token, such as the end token, appears in as many errors as there are steps.

    Args:
        chosen_scores_t: float [B, T], f(s_t, a_t) of the online network.
        rewards_t: float [B, T], the objective's immediate reward.
        values_t: float [B, T], V(s_t) of the online network.
        mask: float [B, T], 1 on the steps of the sequence and 0 on padding.

    Returns:
        float [B] errors and the scalar V(s_0), through which no gradient flows.
    """
    same_shape(
        2, chosen_scores_t=chosen_scores_t, rewards_t=rewards_t, values_t=values_t, mask=mask
    )
    sums = tf.reduce_sum(mask * (rewards_t + values_t - chosen_scores_t), axis=1)
    value = sharing.average(tf.stop_gradient(tf.reduce_mean(sums)))
    return sums - value, value


def huber(errors: tf.Tensor, limit: float | None) -> tf.Tensor:
    """Return e^2 up to |e| = limit and its tangent 2 limit |e| - limit^2 beyond; None is e^2 everywhere."""
    if limit is None:
        return tf.square(errors)
    sizes = tf.abs(errors)
    return tf.where(sizes <= limit, tf.square(errors), limit * (2.0 * sizes - limit))


def masked_mean(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Return the mean of [B, T] values over the steps whose mask is 1; 0 if there are none.

    With several replicas it is divided by their mean number of steps, so that the mean of what they return is
    the mean over the steps of all of them.
    """
    same_shape(2, values=values, mask=mask)
    steps = sharing.average(tf.reduce_sum(mask))
    return tf.math.divide_no_nan(tf.reduce_sum(values * mask), steps)

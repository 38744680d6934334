"""Q, Psi, G and reward-only: each one small object of three pure functions.

Every objective scores actions by f(s, a) and learns towards r_t + gamma * V'(s_{t+1}), where V' comes
from the target network and is 0 past the end of a sequence (paper.txt, equations 3 to 15). What
differs between them is only the immediate reward, the value of a state and the policy. Nothing outside
this file asks which objective is running.
"""

from __future__ import annotations

import dataclasses

import gin
import tensorflow as tf

from rl_tuner.core.networks import SequenceNetwork


@dataclasses.dataclass(frozen=True)
class Objective:
    """What a tuner needs to know of an objective.

    Attributes:
        needs_prior: whether `value` and `policy_logits` use the prior, which then has to be evaluated
            along the replayed sequence.
        calibrated: whether learning starts from values of zero and the policy at the prior
            (`initial_network`), or from the prior's raw logits as in the paper. Raw logits carry an
            arbitrary constant a state, which a gamma near 1 takes for value.
        lambda_: weight of multi-step path consistency, 0 (the paper's one step) to 1 (whole paths).
        whole: whether only the path that begins at the start counts, one error a sequence
            (`sequence_errors`), instead of one from every step on.
    """

    calibrated: bool = True
    needs_prior = False
    lambda_ = 0.0
    whole = False

    def initial_network(self, prior: SequenceNetwork) -> SequenceNetwork:
        """The online network before the first update, a copy of the prior.

        Calibrated, it scores f(s, a) = log p(a|s) + v(s) with v = 0 and learns v in a head of its own.
        """
        if not self.calibrated:
            return prior.copy()
        return prior.copy(value_head=True)

    def reward(self, task_reward: tf.Tensor, log_prior: tf.Tensor, c: tf.Tensor) -> tf.Tensor:
        """The immediate reward [B, T] of the action taken.

        Args:
            task_reward: float [B, T], r_T(s_t, a_t).
            log_prior: float [B, T], log p(a_t | s_t).
            c: scalar temperature.
        """
        raise NotImplementedError

    def value(self, scores: tf.Tensor, log_prior: tf.Tensor | None) -> tf.Tensor:
        """The value V(s_t), float [B, T].

        Args:
            scores: float [B, T, A], f(s_t, .).
            log_prior: float [B, T, A], log p(. | s_t); None unless `needs_prior`.
        """
        raise NotImplementedError

    def policy_logits(self, scores: tf.Tensor, log_prior: tf.Tensor) -> tf.Tensor:
        """Logits of the policy, of the shape of `scores`, class by class: classes may lie on any axis.

        A number added to the scores of all of a state's classes changes nothing in the policy, and
        sampling leaves out the value that a network's scores hold.
        """
        raise NotImplementedError


def _check_lambda(lambda_: float, whole: bool) -> None:
    if not 0.0 <= lambda_ <= 1.0:
        raise ValueError(f"lambda_ must lie between 0 and 1, not {lambda_}")
    if whole and lambda_ != 1.0:
        raise ValueError(f"whole sequences are consistent at lambda_ = 1 only, not {lambda_}")


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Q(Objective):
    """Q-learning with log-prior augmentation (equations 3 to 5).

    r = log p(a|s) + r_T / c, V(s') = max over a' of f'(s', a'), policy softmax f(s, .). It keeps its
    one-step target: a hard maximum is not consistent along paths that other policies chose.
    """

    def reward(self, task_reward: tf.Tensor, log_prior: tf.Tensor, c: tf.Tensor) -> tf.Tensor:
        """Log p(a|s) + r_T / c (equation 3)."""
        return log_prior + task_reward / c

    def value(self, scores: tf.Tensor, log_prior: tf.Tensor | None) -> tf.Tensor:
        """Max over a of f(s, a) (equation 4)."""
        return tf.reduce_max(scores, axis=-1)

    def policy_logits(self, scores: tf.Tensor, log_prior: tf.Tensor) -> tf.Tensor:
        """f(s, .): the paper samples from the softmax of the Q-values."""
        return scores


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Psi(Objective):
    """Generalised Psi-learning (equations 13 and 14).

    r = log p(a|s) + r_T / c, V(s') = logsumexp over a' of f'(s', a'), policy softmax f(s, .).
    """

    lambda_: float = 0.0
    whole: bool = False

    def __post_init__(self) -> None:
        """Refuses a lambda outside [0, 1], or whole sequences without lambda = 1."""
        _check_lambda(self.lambda_, self.whole)

    def reward(self, task_reward: tf.Tensor, log_prior: tf.Tensor, c: tf.Tensor) -> tf.Tensor:
        """Log p(a|s) + r_T / c (equation 14)."""
        return log_prior + task_reward / c

    def value(self, scores: tf.Tensor, log_prior: tf.Tensor | None) -> tf.Tensor:
        """Logsumexp over a of f(s, a) (equation 12)."""
        return tf.reduce_logsumexp(scores, axis=-1)

    def policy_logits(self, scores: tf.Tensor, log_prior: tf.Tensor) -> tf.Tensor:
        """f(s, .) (equation 11)."""
        return scores


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class G(Objective):
    """G-learning (equation 15).

    r = r_T / c, V(s') = logsumexp over a' of [log p(a'|s') + f'(s', a')], policy softmax of
    [log p(.|s) + f(s, .)]. Psi = log p + G, so both share one optimum.

    Calibrated, it starts from a zero output layer: G = 0, V = 0 and the policy is the prior. The
    paper's copy of the prior's output layer starts the policy near the prior squared.
    """

    lambda_: float = 0.0
    whole: bool = False
    needs_prior = True

    def __post_init__(self) -> None:
        """Refuses a lambda outside [0, 1], or whole sequences without lambda = 1."""
        _check_lambda(self.lambda_, self.whole)

    def initial_network(self, prior: SequenceNetwork) -> SequenceNetwork:
        """A copy of the prior, with a zero output layer when calibrated."""
        return prior.copy(zero_head=self.calibrated)

    def reward(self, task_reward: tf.Tensor, log_prior: tf.Tensor, c: tf.Tensor) -> tf.Tensor:
        """r_T / c: the prior enters through the value and the policy."""
        return task_reward / c

    def value(self, scores: tf.Tensor, log_prior: tf.Tensor | None) -> tf.Tensor:
        """Logsumexp over a of [log p(a|s) + f(s, a)]."""
        return tf.reduce_logsumexp(log_prior + scores, axis=-1)

    def policy_logits(self, scores: tf.Tensor, log_prior: tf.Tensor) -> tf.Tensor:
        """Log p(.|s) + f(s, .)."""
        return log_prior + scores


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class RewardOnly(Q):
    """The paper's "RL only" baseline: Q-learning on r_T / c with no prior in the reward."""

    def reward(self, task_reward: tf.Tensor, log_prior: tf.Tensor, c: tf.Tensor) -> tf.Tensor:
        """r_T / c."""
        return task_reward / c


def next_values(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """V(s_{t+1}) for every t, 0 past the end of each sequence.

    Args:
        values: float [B, T], V(s_t).
        mask: float [B, T], 1 on the steps of the sequence and 0 on padding.

    Returns:
        float [B, T].
    """
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
    """Path inconsistency e_t of replayed sequences; its square is the loss.

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
    """Inconsistency of whole sequences from one start, and the value of that start.

    With ell_t = r_t + V(s_t) - f(s_t, a_t), which is r_T/c + log p - log pi, and no discount,

        e = sum over t of ell_t - V(s_0),   V(s_0) = the batch's mean of those sums.

    At the optimum the sum is the same for every sequence, log E_p[exp(r_T/c)], whoever chose the
    actions: the mean of the squared errors is then 0 on any batch (the log-variance divergence of
    Richter et al. 2020). Every token of a sequence is moved alike, the end token too, which path errors
    from every step on move as many times as there are steps.

    Args:
        chosen_scores_t: float [B, T], f(s_t, a_t) of the online network.
        rewards_t: float [B, T], the objective's immediate reward.
        values_t: float [B, T], V(s_t) of the online network.
        mask: float [B, T], 1 on the steps of the sequence and 0 on padding.

    Returns:
        float [B] errors and the scalar V(s_0), through which no gradient flows.
    """
    sums = tf.reduce_sum(mask * (rewards_t + values_t - chosen_scores_t), axis=1)
    value = tf.stop_gradient(tf.reduce_mean(sums))
    return sums - value, value


def huber(errors: tf.Tensor, limit: float | None) -> tf.Tensor:
    """e^2 up to |e| = limit, from there on its tangent 2 limit |e| - limit^2; None is e^2 everywhere."""
    if limit is None:
        return tf.square(errors)
    sizes = tf.abs(errors)
    return tf.where(sizes <= limit, tf.square(errors), limit * (2.0 * sizes - limit))


def masked_mean(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Mean of [B, T] values over the steps whose mask is 1; 0 when there is none."""
    return tf.math.divide_no_nan(tf.reduce_sum(values * mask), tf.reduce_sum(mask))

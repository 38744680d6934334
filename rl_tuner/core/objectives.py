"""Objectives Q, Psi, G and reward-only, each a small object with three pure functions and a loss.

Every objective scores actions by f(s, a) and learns towards r_t + gamma * V'(s_{t+1}), where V' comes
from the target network and is 0 past the end of a sequence (Jaques et al. 2017, equations 3 to 15). They
differ only in the immediate reward, the value of a state and the policy. Code outside this file does not
distinguish between objectives.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable

import gin
import tensorflow as tf

from rl_tuner.core.losses import Loss, LossTerms, OneStep, Transitions
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.protocols import Start
from rl_tuner.core.replay import ReplayBatch
from rl_tuner.core.shapes import has_rank, same_shape


@dataclasses.dataclass(frozen=True)
class Objective(abc.ABC):
    """Base class of objectives.

    Attributes:
        calibrated: whether learning starts from values of zero and the policy at the prior
            (`initial_network`), or from the prior's raw logits as in the paper. Raw logits contain an
            arbitrary constant per state, which a gamma near 1 treats as value.
        loss: the loss: `OneStep` (the paper's), `Paths` or `WholeSequences`.
        needs_prior: whether `value` and `policy_logits` use the prior, which must then be evaluated
            along the replayed sequence.
        hard: whether the value of a state is a maximum, not the soft maximum of KL-control.
    """

    calibrated: bool = True
    loss: Loss = OneStep()
    needs_prior = False
    hard = False

    def check(self, gamma: float, start: Start) -> None:
        """Reject settings under which the objective is not consistent, see `Loss.check`."""
        self.loss.check(gamma, start)

    def initial_network(self, prior: SequenceNetwork) -> SequenceNetwork:
        """Return the online network before the first update, a copy of the prior.

        If calibrated, it scores f(s, a) = log p(a|s) + v(s) with v = 0 and learns v in a separate head.
        """
        if not self.calibrated:
            return prior.copy()
        return prior.copy(value_head=True)

    @abc.abstractmethod
    def reward(self, task_reward: tf.Tensor, log_prior: tf.Tensor, c: tf.Tensor) -> tf.Tensor:
        """Return the immediate reward [B, T] of the action taken.

        Args:
            task_reward: float [B, T], r_T(s_t, a_t).
            log_prior: float [B, T], log p(a_t | s_t).
            c: scalar temperature.
        """

    @abc.abstractmethod
    def value(self, scores: tf.Tensor, log_prior: tf.Tensor | None) -> tf.Tensor:
        """Return the value V(s_t), float [B, T].

        Args:
            scores: float [B, T, A], f(s_t, .).
            log_prior: float [B, T, A], log p(. | s_t); None unless `needs_prior`.
        """

    @abc.abstractmethod
    def policy_logits(self, scores: tf.Tensor, log_prior: tf.Tensor) -> tf.Tensor:
        """Return the policy's logits, in the shape of `scores`; elementwise, so classes may be on any axis.

        Adding a constant to the scores of all classes of a state does not change the policy, so sampling
        leaves out the value that a network's scores contain.
        """

    def loss_terms(
        self,
        scores: tf.Tensor,
        target_scores: Callable[[], tf.Tensor],
        log_p: tf.Tensor | None,
        batch: ReplayBatch,
        *,
        weights: tf.Tensor,
        gamma: float,
        c: tf.Tensor,
        huber: float | None,
    ) -> LossTerms:
        """Return the loss on B replayed sequences.

        Args:
            scores: float [B, T, A], f(s_t, .) of the online network.
            target_scores: returns float [B, T, A], f'(s_t, .) of the target network; called only by
                losses that bootstrap.
            log_p: float [B, T, A], log p(. | s_t); None unless `needs_prior`.
            batch: the sequences.
            weights: float [B], weight of each sequence's squared errors.
            gamma: discount.
            c: scalar temperature.
            huber: Huber threshold in nats; None squares every error.

        Raises:
            ValueError: the shapes are inconsistent.
        """
        given = {} if log_p is None else {"log_p": log_p}
        same_shape(3, scores=scores, **given)
        same_shape(2, tokens=batch.tokens, task_reward=batch.task_reward, mask=batch.mask)
        has_rank(1, weights=weights)
        chosen = tf.reduce_sum(scores * tf.one_hot(batch.tokens, scores.shape[-1]), axis=-1)
        return self.loss(
            Transitions(
                chosen,
                self.reward(batch.task_reward, batch.log_prior, c),
                lambda: self.value(scores, log_p),
                lambda: self.value(target_scores(), log_p),
                batch.mask,
            ),
            weights,
            gamma,
            huber,
        )


def _one_step_only(objective: Objective) -> None:
    if objective.loss.soft_values_only:
        raise ValueError(
            f"{type(objective).__name__}.loss must be @OneStep(): a hard maximum is not consistent along "
            f"paths that other policies chose, so {type(objective.loss).__name__} would not learn it"
        )


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Q(Objective):
    """Q-learning with log-prior augmentation (equations 3 to 5).

    r = log p(a|s) + r_T / c, V(s') = max over a' of f'(s', a'), policy softmax f(s, .). It keeps its
    one-step target: a hard maximum is not consistent along paths that other policies chose.
    """

    hard = True

    def __post_init__(self) -> None:
        """Reject a loss that chains values along paths."""
        _one_step_only(self)

    def reward(self, task_reward: tf.Tensor, log_prior: tf.Tensor, c: tf.Tensor) -> tf.Tensor:
        """Return log p(a|s) + r_T / c (equation 3)."""
        same_shape(2, task_reward=task_reward, log_prior=log_prior)
        return log_prior + task_reward / c

    def value(self, scores: tf.Tensor, log_prior: tf.Tensor | None) -> tf.Tensor:
        """Return max over a of f(s, a) (equation 4)."""
        has_rank(3, scores=scores)
        return tf.reduce_max(scores, axis=-1)

    def policy_logits(self, scores: tf.Tensor, log_prior: tf.Tensor) -> tf.Tensor:
        """Return f(s, .): the paper samples from the softmax of the Q-values."""
        return scores


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Psi(Objective):
    """Generalised Psi-learning (equations 13 and 14).

    r = log p(a|s) + r_T / c, V(s') = logsumexp over a' of f'(s', a'), policy softmax f(s, .).
    """

    def reward(self, task_reward: tf.Tensor, log_prior: tf.Tensor, c: tf.Tensor) -> tf.Tensor:
        """Return log p(a|s) + r_T / c (equation 14)."""
        same_shape(2, task_reward=task_reward, log_prior=log_prior)
        return log_prior + task_reward / c

    def value(self, scores: tf.Tensor, log_prior: tf.Tensor | None) -> tf.Tensor:
        """Return logsumexp over a of f(s, a) (equation 12)."""
        has_rank(3, scores=scores)
        return tf.reduce_logsumexp(scores, axis=-1)

    def policy_logits(self, scores: tf.Tensor, log_prior: tf.Tensor) -> tf.Tensor:
        """Return f(s, .) (equation 11)."""
        return scores


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class G(Objective):
    """G-learning (equation 15).

    r = r_T / c, V(s') = logsumexp over a' of [log p(a'|s') + f'(s', a')], policy softmax of
    [log p(.|s) + f(s, .)]. Psi = log p + G, so both share one optimum.

    If calibrated, it starts from a zero output layer: G = 0, V = 0 and the policy is the prior. The
    paper's copy of the prior's output layer starts the policy near the squared prior.
    """

    needs_prior = True

    def initial_network(self, prior: SequenceNetwork) -> SequenceNetwork:
        """Return a copy of the prior, with a zero output layer if calibrated."""
        return prior.copy(zero_head=self.calibrated)

    def reward(self, task_reward: tf.Tensor, log_prior: tf.Tensor, c: tf.Tensor) -> tf.Tensor:
        """Return r_T / c: the prior enters through the value and the policy."""
        same_shape(2, task_reward=task_reward, log_prior=log_prior)
        return task_reward / c

    def value(self, scores: tf.Tensor, log_prior: tf.Tensor | None) -> tf.Tensor:
        """Return logsumexp over a of [log p(a|s) + f(s, a)]."""
        same_shape(3, scores=scores, log_prior=log_prior)
        return tf.reduce_logsumexp(log_prior + scores, axis=-1)

    def policy_logits(self, scores: tf.Tensor, log_prior: tf.Tensor) -> tf.Tensor:
        """Return log p(.|s) + f(s, .)."""
        return log_prior + scores


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class RewardOnly(Q):
    """The paper's "RL only" baseline: Q-learning on r_T / c with no prior in the reward."""

    def reward(self, task_reward: tf.Tensor, log_prior: tf.Tensor, c: tf.Tensor) -> tf.Tensor:
        """Return r_T / c."""
        same_shape(2, task_reward=task_reward, log_prior=log_prior)
        return task_reward / c

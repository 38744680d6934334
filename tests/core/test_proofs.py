"""Learning reaches the optimum that enumeration knows, for every objective that claims it."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.core.losses import Paths, WholeSequences
from rl_tuner.core.objectives import G, Psi, Q, RewardOnly
from rl_tuner.core.replay import ReplayBatch
from rl_tuner.core.temperature import FixedTemperature
from rl_tuner.core.tuner import RLTuner
from tests.core.enumerated import (
    SEQUENCES,
    TinyTask,
    along,
    full_batch,
    log_softmax,
    optimal_distribution,
    random_network,
    soft_optimum,
    taken,
)

UPDATES = 600
TASK = TinyTask()
PRIOR = random_network(1)
LOG_P = log_softmax(along(PRIOR))
# Sequences drawn uniformly, as no policy here would: some are replayed often, some rarely.
ROWS = np.random.default_rng(0).choice(81, 300)


def learned(objective, c=0.7, rows=None, updates=UPDATES):
    """Tunes on every sequence (or on some rows of them) at every update; returns the tuner."""
    batch = full_batch(TASK, PRIOR)
    if rows is not None:
        batch = ReplayBatch(*(tf.gather(column, rows) for column in batch[:5]))
    tuner = RLTuner(
        PRIOR,
        TASK,
        objective,
        temperature=FixedTemperature(c),
        gamma=1.0,
        eta=0.2,
        learning_rate=1e-2,
        decay_rate=0.5,
        decay_steps=updates // 6,
        clip_norm=100.0,
    )

    @tf.function
    def learn():
        for _ in tf.range(updates):
            tuner.learn(batch)

    learn()
    return tuner


def policy(tuner):
    """log pi along every sequence: [81, T, A]."""
    scores = tf.constant(along(tuner.online))
    return log_softmax(tuner.objective.policy_logits(scores, tf.constant(LOG_P)).numpy())


def distance(tuner, c):
    """Total variation between the policy's sequences and the optimal ones."""
    reached = np.exp(taken(policy(tuner)).sum(1))
    return 0.5 * np.abs(reached - optimal_distribution(LOG_P, TASK.table, c)).sum()


def test_the_optimum_is_not_the_prior():
    prior_alone = np.exp(taken(LOG_P).sum(1))
    assert 0.5 * np.abs(prior_alone - optimal_distribution(LOG_P, TASK.table, 0.7)).sum() > 0.3


def test_dynamic_programming_agrees_with_enumeration():
    psi = soft_optimum(LOG_P, TASK.table, 0.7)
    firsts = {row[0]: value for row, value in zip(SEQUENCES, psi[:, 0])}
    weights = np.exp(list(firsts.values()))
    star = optimal_distribution(LOG_P, TASK.table, 0.7)
    marginal = [star[SEQUENCES[:, 0] == a].sum() for a in firsts]
    np.testing.assert_allclose(weights / weights.sum(), marginal, rtol=1e-6)


@pytest.mark.parametrize("lambda_", [0.0, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("kind", [Psi, G])
def test_psi_and_g_reach_the_soft_optimum(kind, lambda_):
    tuner = learned(kind(loss=Paths(lambda_)))
    assert distance(tuner, 0.7) < 0.02


@pytest.mark.parametrize("rows", [None, ROWS], ids=["all", "of another policy"])
@pytest.mark.parametrize("kind", [Psi, G])
def test_whole_sequences_reach_the_soft_optimum(kind, rows):
    assert distance(learned(kind(loss=WholeSequences()), rows=rows), 0.7) < 0.03


@pytest.mark.parametrize("kind", [Psi, G])
def test_an_uncalibrated_start_reaches_the_same_optimum(kind):
    assert distance(learned(kind(calibrated=False)), 0.7) < 0.02


@pytest.mark.parametrize("lambda_", [0.0, 0.9, 1.0])
def test_data_of_another_policy_leads_to_the_same_optimum(lambda_):
    assert len(set(ROWS)) < 81
    assert distance(learned(Psi(loss=Paths(lambda_)), rows=ROWS), 0.7) < 0.05


def test_psi_is_log_p_plus_g():
    star = soft_optimum(LOG_P, TASK.table, 0.7)
    psi, g = learned(Psi()), learned(G())
    np.testing.assert_allclose(taken(along(psi.online)), star, atol=0.02)
    np.testing.assert_allclose(taken(LOG_P + along(g.online)), star, atol=0.02)


def test_q_and_reward_only_reach_the_hard_optimum():
    star = soft_optimum(LOG_P, TASK.table, 0.7, hard=True)
    np.testing.assert_allclose(taken(along(learned(Q()).online)), star, atol=0.02)
    no_prior = soft_optimum(np.zeros_like(LOG_P), TASK.table, 0.7, hard=True)
    np.testing.assert_allclose(
        taken(along(learned(RewardOnly(), updates=1500).online)), no_prior, atol=0.02
    )


def exact_kl(tuner):
    log_pi = taken(policy(tuner)).sum(1)
    return np.sum(np.exp(log_pi) * (log_pi - taken(LOG_P).sum(1)))


def test_kl_falls_with_c_and_a_large_c_returns_the_prior():
    kls = [exact_kl(learned(Psi(), c=c, updates=300)) for c in (0.3, 1.0, 3.0, 1e4)]
    assert all(more > less for more, less in itertools.pairwise(kls))
    assert kls[-1] < 1e-3

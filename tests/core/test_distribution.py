"""A policy as a distribution: probabilities that sum to one, entropy and KL against enumeration."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from rl_tuner.core.distribution import SequenceDistribution, kl_sequences
from rl_tuner.core.objectives import Psi
from rl_tuner.core.sampling import Policy, prior_policy
from rl_tuner.core.starts import Primer, RandomToken, StartToken
from tests.core.enumerated import (
    SEQUENCES,
    A,
    T,
    TinyTask,
    along,
    log_softmax,
    random_network,
    taken,
)

TASK = TinyTask()
ONLINE, PRIOR = random_network(1), random_network(2)
POLICY = Policy(ONLINE, PRIOR, Psi().policy_logits)
LOG_PI, LOG_P = log_softmax(along(ONLINE)), log_softmax(along(PRIOR))
STARTS = [StartToken(), RandomToken(0, A - 1), Primer([2, 0])]


class EndingTask(TinyTask):
    """Sequences end at class 0."""

    end_token = 0


def distribution(policy=POLICY, start=None, task=TASK):
    return SequenceDistribution(policy, start or StartToken(), task)


@pytest.mark.parametrize("start", STARTS, ids=lambda start: type(start).__name__)
def test_all_sequences_sum_to_one(start):
    log_probs = distribution(start=start).log_prob(SEQUENCES)
    assert log_probs.shape == (len(SEQUENCES),)
    assert np.exp(log_probs).sum() == pytest.approx(1.0, abs=1e-4)


def test_sequences_that_end_early_sum_to_one_and_padding_does_not_count():
    ended = (np.cumsum(SEQUENCES == 0, axis=1) - (SEQUENCES == 0)) > 0
    distinct = np.unique(np.where(ended, 0, SEQUENCES), axis=0)
    made = distribution(task=EndingTask())
    assert np.exp(made.log_prob(distinct)).sum() == pytest.approx(1.0, abs=1e-4)
    assert float(made.log_prob([0, 0, 0, 0])) == float(made.log_prob([0, 2, 1, 1]))


def test_log_prob_is_that_of_the_networks():
    np.testing.assert_allclose(distribution().log_prob(SEQUENCES), taken(LOG_PI).sum(1), atol=1e-4)
    prior = distribution(prior_policy(PRIOR))
    np.testing.assert_allclose(prior.log_prob(SEQUENCES), taken(LOG_P).sum(1), atol=1e-4)


def test_samples_come_as_often_as_they_are_probable():
    for start in STARTS[:2]:
        made = distribution(start=start)
        drawn = made.sample([200, 100], seed=4)
        assert drawn.shape == (200, 100, T) and drawn.dtype == tf.int32
        index = np.reshape(drawn, [-1, T]) @ np.array([27, 9, 3, 1])
        shares = np.bincount(index, minlength=len(SEQUENCES)) / len(index)
        assert 0.5 * np.abs(shares - np.exp(made.log_prob(SEQUENCES))).sum() < 0.03


def test_the_same_seed_gives_the_same_samples():
    made = distribution()
    np.testing.assert_array_equal(made.sample(20, seed=7), made.sample(20, seed=7))
    assert np.any(made.sample(20, seed=7) != made.sample(20, seed=8))


@pytest.mark.parametrize("start", STARTS[:2], ids=lambda start: type(start).__name__)
def test_entropy_and_kl_are_those_of_enumeration(start):
    p, q = distribution(start=start), distribution(prior_policy(PRIOR), start)
    log_p, log_q = (np.float64(each.log_prob(SEQUENCES)) for each in (p, q))
    weight = np.exp(log_p)
    entropy = p.entropy(paths=20_000, seed=1)
    assert float(entropy) == pytest.approx(-weight @ log_p, abs=0.02)
    kl = kl_sequences(p, q, paths=20_000, seed=1)
    assert float(kl) == pytest.approx(weight @ (log_p - log_q), rel=0.02)
    assert float(tfp.distributions.kl_divergence(p, q)) == pytest.approx(float(kl), rel=0.1)
    assert float(p.kl_divergence(p)) == pytest.approx(0.0, abs=1e-5)


def test_the_distribution_of_a_step():
    made = distribution()
    step = made.step_distribution([[2, 1], [0, 0]])
    rows = [np.flatnonzero((SEQUENCES[:, :2] == want).all(1))[0] for want in ([2, 1], [0, 0])]
    np.testing.assert_allclose(tf.nn.softmax(step.logits), np.exp(LOG_PI[rows, 2]), atol=1e-5)
    np.testing.assert_array_equal(made.step_mode([[2, 1], [0, 0]]), LOG_PI[rows, 2].argmax(-1))
    first = made.step_distribution(np.zeros([1, 0], np.int32))
    np.testing.assert_allclose(tf.nn.softmax(first.logits)[0], np.exp(LOG_PI[0, 0]), atol=1e-5)


def test_other_sequences_have_no_kl():
    class LongerTask(TinyTask):
        horizon = T + 1

    with pytest.raises(ValueError, match="KL needs equal classes"):
        distribution().kl_divergence(distribution(task=LongerTask()))

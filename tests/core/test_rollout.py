import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.core.exploration import Boltzmann, EpsilonGreedy
from rl_tuner.core.rollout import rollout, sample_from, sequence_inputs
from rl_tuner.core.starts import Primer, RandomToken, StartToken
from tests.core.enumerated import A, T, log_softmax, random_network

ONLINE, PRIOR = random_network(3), random_network(4)
SEED = tf.constant([1, 2])


def roll(prefix, end_token=None, horizon=T, seed=SEED, behaviour=tf.exp):
    return rollout(
        ONLINE,
        PRIOR,
        lambda scores, log_p: log_p + scores,
        behaviour,
        prefix,
        horizon,
        seed,
        end_token,
    )


@pytest.mark.parametrize("batch", [1, 50])
def test_log_probs_kl_and_entropy_are_those_of_the_unrolled_networks(batch):
    prefix = tf.constant(np.random.default_rng(0).integers(0, A, (batch, 3)), tf.int32)
    episode = roll(prefix)
    inputs = sequence_inputs(prefix, episode.tokens)
    log_p = log_softmax(PRIOR(inputs).numpy()[:, 2:].astype(np.float64))
    log_pi = log_softmax(log_p + ONLINE(inputs).numpy()[:, 2:])
    tokens = episode.tokens.numpy()[..., None]
    np.testing.assert_allclose(
        episode.log_prior, np.take_along_axis(log_p, tokens, -1)[..., 0], atol=1e-4
    )
    np.testing.assert_allclose(
        episode.log_policy, np.take_along_axis(log_pi, tokens, -1)[..., 0], atol=1e-4
    )
    np.testing.assert_allclose(episode.kl, (np.exp(log_pi) * (log_pi - log_p)).sum(-1), atol=1e-4)
    np.testing.assert_allclose(episode.entropy, -(np.exp(log_pi) * log_pi).sum(-1), atol=1e-4)
    np.testing.assert_array_equal(episode.mask, 1.0)


def test_frequencies_are_the_policys():
    episode = roll(tf.fill([20_000, 1], A))
    log_p = tf.nn.log_softmax(PRIOR(tf.constant([[A]])))
    wanted = tf.nn.softmax(log_p + ONLINE(tf.constant([[A]])))[0, 0]
    found = np.bincount(episode.tokens[:, 0], minlength=A) / 20_000
    np.testing.assert_allclose(found, wanted, atol=0.015)


def test_the_same_seed_gives_the_same_sequences_and_another_seed_others():
    prefix = tf.fill([64, 1], A)
    np.testing.assert_array_equal(roll(prefix).tokens, roll(prefix).tokens)
    assert np.any(roll(prefix).tokens != roll(prefix, seed=tf.constant([1, 3])).tokens)


def test_a_sequence_ends_with_its_end_token_and_sampling_stops_when_all_have():
    episode = roll(tf.fill([200, 1], A), end_token=2, horizon=40)
    for tokens, mask, log_prior in zip(
        *(np.asarray(x) for x in (episode.tokens, episode.mask, episode.log_prior))
    ):
        length = int(mask.sum())
        np.testing.assert_array_equal(mask, np.arange(40) < length)
        assert np.all(tokens[: length - 1] != 2)
        assert length == 40 or tokens[length - 1] == 2
        assert np.all(tokens[length:] == 0) and np.all(log_prior[length:] == 0)


def test_drawing_inverts_the_cumulative_distribution():
    probabilities = tf.transpose([[0.0, 0.25, 0.5, 0.25, 0.0]] * 4)
    drawn = sample_from(probabilities, tf.constant([0.0, 0.2499, 0.25, 0.9999999]))
    np.testing.assert_array_equal(drawn, [1, 1, 2, 3])


def test_epsilon_greedy_mixes_the_best_action_with_uniform_ones():
    explore = EpsilonGreedy(initial=1.0, final=0.2, anneal_steps=100, greedy=True)
    log_policy = tf.constant([[0.0], [3.0], [1.0], [2.0]])
    np.testing.assert_allclose(explore.probabilities(log_policy, tf.constant(0)), [[0.25]] * 4)
    np.testing.assert_allclose(
        explore.probabilities(log_policy, tf.constant(1000)),
        [[0.05], [0.85], [0.05], [0.05]],
        rtol=1e-6,
    )
    assert float(explore.epsilon(tf.constant(50))) == pytest.approx(0.6)


def test_epsilon_may_mix_with_samples():
    explore = EpsilonGreedy(initial=0.5, final=0.5, anneal_steps=1)
    log_policy = tf.math.log([[0.1], [0.9]])
    np.testing.assert_allclose(
        explore.probabilities(log_policy, tf.constant(0)), [[0.3], [0.7]], rtol=1e-5
    )


def test_boltzmann_sharpens_with_a_low_temperature():
    log_policy = tf.math.log([[0.2], [0.8]])
    np.testing.assert_allclose(
        Boltzmann(0.5).probabilities(log_policy, tf.constant(0)),
        [[0.04 / 0.68], [0.64 / 0.68]],
        rtol=1e-5,
    )


def test_random_priming_draws_every_token_of_its_range():
    prefix = RandomToken(2, 37).prefix(20_000, 38, SEED)
    assert prefix.shape == (20_000, 1)
    assert set(prefix.numpy().ravel()) == set(range(2, 38))


def test_primers_follow_the_start_token():
    np.testing.assert_array_equal(Primer([5, 0]).prefix(2, 38, SEED), [[38, 5, 0]] * 2)
    np.testing.assert_array_equal(StartToken().prefix(3, 38, SEED), [[38]] * 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Boltzmann(0.0),
        lambda: EpsilonGreedy(initial=1.1),
        lambda: EpsilonGreedy(anneal_steps=0),
        lambda: RandomToken(5, 4),
        lambda: Primer([]),
    ],
)
def test_impossible_settings_are_refused(make):
    with pytest.raises(ValueError):
        make()

"""One-step targets and path errors against naive loops, and the objectives' algebra."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rl_tuner.core.losses import (
    Paths,
    WholeSequences,
    huber,
    masked_mean,
    next_values,
    path_errors,
    sequence_errors,
)
from rl_tuner.core.objectives import G, Psi, Q, RewardOnly
from tests.core.enumerated import SEQUENCES, TinyTask, along, log_softmax, random_network, taken

ONLINE, TARGET, PRIOR = (along(random_network(seed)) for seed in (10, 11, 12))
LOG_P = log_softmax(PRIOR)
REWARD = TinyTask().table.astype(np.float64)
C, GAMMA = 0.7, 0.8


def targets(objective, mask=None):
    """r_t + gamma V'(s_{t+1}) as the tuner computes it."""
    mask = np.ones_like(REWARD) if mask is None else mask
    log_p = tf.constant(LOG_P)
    rewards = objective.reward(
        tf.constant(REWARD), tf.constant(taken(LOG_P)), tf.constant(C, tf.float64)
    )
    values = objective.value(tf.constant(TARGET), log_p)
    after = next_values(values, tf.constant(mask))
    zero = tf.zeros_like(after)
    return path_errors(zero, rewards, after, tf.constant(mask), GAMMA).numpy()


def naive_targets(rewards, value):
    """The paper's equations, one sequence and one step at a time, with the target's scores."""
    out = np.zeros_like(rewards)
    for n in range(len(SEQUENCES)):
        for t in range(4):
            out[n, t] = rewards[n, t]
            if t + 1 < 4:
                out[n, t] += GAMMA * value(TARGET[n, t + 1], LOG_P[n, t + 1])
    return out


def logsumexp(x):
    return np.log(np.sum(np.exp(x)))


@pytest.mark.parametrize(
    ("objective", "with_prior", "value"),
    [
        (Q(), True, lambda f, log_p: f.max()),
        (Psi(), True, lambda f, log_p: logsumexp(f)),
        (G(), False, lambda f, log_p: logsumexp(log_p + f)),
        (RewardOnly(), False, lambda f, log_p: f.max()),
    ],
    ids=["Q", "Psi", "G", "RewardOnly"],
)
def test_one_step_targets_are_the_papers(objective, with_prior, value):
    rewards = REWARD / C + (taken(LOG_P) if with_prior else 0.0)
    np.testing.assert_allclose(targets(objective), naive_targets(rewards, value), rtol=1e-9)


def test_value_never_leaks_past_the_end_of_a_sequence():
    # Three of four steps: the third is the last, so its target is its reward alone.
    mask = np.tile([1.0, 1.0, 1.0, 0.0], [len(SEQUENCES), 1])
    found = targets(Psi(), mask)
    np.testing.assert_allclose(found[:, 2], (REWARD / C + taken(LOG_P))[:, 2])
    np.testing.assert_array_equal(found[:, 3], 0.0)


def naive_path_errors(chosen, rewards, after, length, gamma, values, lambda_):
    """The double sum of the definition."""
    errors = np.zeros_like(chosen)
    for n in range(len(chosen)):
        for t in range(length[n]):
            errors[n, t] = -values[n, t]
            for k in range(length[n] - t):
                ell = rewards[n, t + k] + values[n, t + k] - chosen[n, t + k]
                bootstrap = gamma * (1 - lambda_) * after[n, t + k]
                errors[n, t] += (gamma * lambda_) ** k * (ell + bootstrap)
    return errors


@pytest.mark.parametrize("lambda_", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("gamma", [0.5, 1.0])
def test_path_errors_are_the_definition(lambda_, gamma):
    rng = np.random.default_rng(0)
    chosen, rewards, after, values = rng.normal(size=(4, 6, 5))
    length = [5, 4, 3, 2, 1, 5]
    mask = np.array([[float(t < n) for t in range(5)] for n in length])
    for n, end in enumerate(length):
        after[n, end - 1 :] = 0.0
    found = path_errors(
        *map(tf.constant, (chosen, rewards, after, mask)), gamma, tf.constant(values), lambda_
    )
    wanted = naive_path_errors(chosen, rewards, after, length, gamma, values, lambda_)
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_sequence_errors_are_the_definition():
    rng = np.random.default_rng(0)
    chosen, rewards, values = rng.normal(size=(3, 6, 5))
    length = [5, 4, 3, 2, 1, 5]
    mask = np.array([[float(t < n) for t in range(5)] for n in length])
    sums = []
    for n, end in enumerate(length):
        sums.append(sum(rewards[n, t] + values[n, t] - chosen[n, t] for t in range(end)))
    errors, value = sequence_errors(*map(tf.constant, (chosen, rewards, values, mask)))
    np.testing.assert_allclose(value, np.mean(sums))
    np.testing.assert_allclose(errors, np.array(sums) - np.mean(sums))


def test_no_gradient_flows_through_the_value_of_the_start():
    chosen = tf.Variable(np.zeros([2, 3]))
    with tf.GradientTape() as tape:
        errors, _ = sequence_errors(chosen, *(tf.ones([2, 3], tf.float64) for _ in range(3)))
    np.testing.assert_array_equal(tape.gradient(errors, chosen), -np.ones([2, 3]))


def test_huber_goes_on_along_its_tangent():
    errors = tf.Variable([-3.0, -0.5, 0.0, 2.0, 5.0])
    with tf.GradientTape() as tape:
        losses = huber(errors, 2.0)
    np.testing.assert_allclose(losses, [8.0, 0.25, 0.0, 4.0, 16.0])
    np.testing.assert_allclose(tape.gradient(losses, errors), [-4.0, -1.0, 0.0, 4.0, 4.0])
    np.testing.assert_allclose(huber(errors, None), np.square(errors))


@pytest.mark.parametrize("kind", [Q, RewardOnly])
def test_a_hard_maximum_is_learned_by_one_step_only(kind):
    kind(loss=Paths(0.0))
    for loss in (Paths(0.5), WholeSequences()):
        with pytest.raises(ValueError, match="loss must be @OneStep"):
            kind(loss=loss)


def test_shapes_that_contradict_each_other_are_refused():
    two, three, flat = tf.zeros([2, 3]), tf.zeros([2, 4]), tf.zeros([2])
    with pytest.raises(ValueError, match="mask must have the shape of values"):
        next_values(two, three)
    with pytest.raises(ValueError, match="values must have rank 2"):
        masked_mean(flat, flat)
    with pytest.raises(ValueError, match="rewards_t"):
        path_errors(two, three, two, two, 1.0)
    with pytest.raises(ValueError, match="values_t"):
        sequence_errors(two, two, three, two)
    with pytest.raises(ValueError, match="scores must have rank 3"):
        Psi().value(two, None)
    with pytest.raises(ValueError, match="log_prior must have the shape"):
        G().value(tf.zeros([2, 3, 4]), tf.zeros([2, 3, 5]))


def test_no_gradient_flows_through_targets():
    chosen, rewards, after, values = (tf.Variable(np.random.rand(2, 3)) for _ in range(4))
    with tf.GradientTape() as tape:
        errors = path_errors(chosen, rewards, after, tf.ones([2, 3], tf.float64), 0.9, values, 0.5)
    gradients = tape.gradient(errors, [chosen, rewards, after, values])
    assert gradients[1] is None and gradients[2] is None
    assert np.any(gradients[0] != 0) and np.any(gradients[3] != 0)


def test_padding_never_contributes_to_a_mean():
    mask = tf.constant([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    assert float(masked_mean(tf.constant([[1.0, 2.0, 99.0], [6.0, 99.0, 99.0]]), mask)) == 3.0
    assert float(masked_mean(mask, tf.zeros_like(mask))) == 0.0


SCORES = arrays.arrays(np.float64, (2, 3, 4), elements=st.floats(-20, 20))
SHIFTS = st.floats(-5, 5)


@settings(max_examples=50, deadline=None)
@given(SCORES, SCORES, SHIFTS)
def test_adding_a_constant_shifts_the_value_and_leaves_the_policy(scores, prior, shift):
    log_p = log_softmax(prior)
    for objective in (Q(), Psi(), G(), RewardOnly()):
        value = objective.value(scores, log_p)
        np.testing.assert_allclose(objective.value(scores + shift, log_p), value + shift, atol=1e-9)
        logits = log_softmax(np.asarray(objective.policy_logits(scores, log_p)))
        shifted = log_softmax(np.asarray(objective.policy_logits(scores + shift, log_p)))
        np.testing.assert_allclose(shifted, logits, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(SCORES, SCORES)
def test_g_is_psi_less_log_p(scores, prior):
    log_p = log_softmax(prior)
    np.testing.assert_allclose(
        G().value(scores, log_p), Psi().value(log_p + scores, None), atol=1e-9
    )
    np.testing.assert_allclose(
        G().policy_logits(scores, log_p), Psi().policy_logits(log_p + scores, log_p), atol=1e-9
    )


@settings(max_examples=50, deadline=None)
@given(SCORES)
def test_a_soft_value_lies_between_the_maximum_and_log_a_above_it(scores):
    hard, soft = Q().value(scores, None).numpy(), Psi().value(scores, None).numpy()
    assert np.all(soft >= hard - 1e-9) and np.all(soft <= hard + np.log(4) + 1e-9)


@pytest.mark.parametrize("lambda_", [-0.1, 1.5])
def test_lambda_outside_its_range_is_refused(lambda_):
    with pytest.raises(ValueError, match=r"Paths\.lambda_ must be a number from 0 to 1"):
        Paths(lambda_)

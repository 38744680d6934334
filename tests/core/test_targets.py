"""Targets lead learning networks to the exact projection of the enumerated task."""

import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.core.controller import DualController
from rl_tuner.core.exploration import EpsilonGreedy
from rl_tuner.core.features import Bound, bounds_of, per_sequence, per_step, slack
from rl_tuner.core.losses import Paths, WholeSequences
from rl_tuner.core.objectives import G, Psi, Q
from rl_tuner.core.replay import UniformReplay
from rl_tuner.core.temperature import FixedTemperature
from rl_tuner.core.tuner import RLTuner
from tests.core.enumerated import (
    SEQUENCES,
    T,
    TinyTask,
    along,
    log_softmax,
    optimal_distribution,
    random_network,
    taken,
)
from tests.core.projections import compromise, kl, projection

PRIOR = random_network(1, scale=1.0)
LOG_P = log_softmax(along(PRIOR))
P = np.exp(taken(LOG_P).sum(1))


class AskedTask(TinyTask):
    """The enumerated task with a feature per step, one per sequence, and one with a denominator."""

    feature_names = ("table", "ones", "ends_as_it_starts", "twos_after_ones")

    def features(self, tokens, mask):
        ones = tokens == 1
        after = tf.pad(ones[:, :-1], [[0, 0], [1, 0]])
        same = tf.cast(tokens[:, 0] == tokens[:, -1], tf.float32)
        return super().features(tokens, mask) | {
            "ones": per_step(ones, mask),
            "ends_as_it_starts": per_sequence(same[:, None] * tf.one_hot([T - 1], T), mask),
            "twos_after_ones": per_step(after & (tokens == 2), mask)._replace(
                denominator=tf.cast(after, tf.float32)
            ),
        }


TASK = AskedTask()


def exact_slacks(targets):
    """The slacks of every sequence: [81, K]."""
    features = TASK.features(tf.constant(SEQUENCES), tf.ones(SEQUENCES.shape))
    bounds = bounds_of(targets)
    return np.stack([slack(features[b.feature], b).numpy().sum(1) for b in bounds], axis=1)


def tuned(targets, objective=None, iterations=600, max_kl=1.0, **settings):
    tuner = RLTuner(
        PRIOR,
        TASK,
        objective or Psi(loss=Paths(0.9)),
        targets=targets,
        controller=DualController(margin=0.0, max_kl=max_kl),
        replay=UniformReplay(2_000),
        gamma=1.0,
        eta=0.2,
        collect_size=128,
        learning_rate=1e-2,
        decay_rate=0.5,
        decay_steps=iterations,
        updates=4,
        **settings,
    )
    tuner.train_iterations(iterations)
    return tuner


def policy(tuner):
    """The probability of each sequence: [81]."""
    scores = tf.constant(along(tuner.online))
    return np.exp(
        taken(log_softmax(tuner.objective.policy_logits(scores, tf.constant(LOG_P)).numpy())).sum(1)
    )


def distance(p, q):
    return 0.5 * np.abs(p - q).sum()


def multipliers_of(pi, slacks, log_weights=0.0):
    """The coefficients of log pi - log p on the slacks: [K]."""
    log_ratio = np.log(pi / P) - log_weights
    design = np.column_stack([slacks, np.ones(len(slacks))])
    return np.linalg.lstsq(design, log_ratio, rcond=None)[0][:-1]


@pytest.mark.parametrize(
    ("targets", "objective"),
    [
        ({"ones": (0.5, None)}, Psi(loss=Paths(0.9))),
        ({"table": (0.8, 1.0), "ends_as_it_starts": (0.5, None)}, G(loss=Paths(0.0))),
        ({"twos_after_ones": (0.6, None), "ones": (0.3, 0.3)}, Psi(loss=WholeSequences())),
        ({"table": (None, -1.0), "ones": (0.1, None)}, Psi(loss=Paths(1.0))),
    ],
    ids=["low", "two-sided", "quotient-and-equality", "one-not-binding"],
)
def test_the_policy_becomes_the_projection(targets, objective):
    tuner = tuned(targets, objective)
    slacks = exact_slacks(targets)
    exact = projection(P, slacks)
    assert distance(P, exact) > 0.05
    assert distance(policy(tuner), exact) < 0.02
    wanted = np.maximum(multipliers_of(exact, slacks[:, P @ slacks < -1e-9]), 0.0)
    found = tuner.controller.multipliers.numpy()[P @ slacks < -1e-9]
    np.testing.assert_allclose(found, wanted, rtol=0.05, atol=0.02)
    assert not tuner.controller.gives_way


def test_targets_on_top_of_a_reward():
    targets = {"ones": (0.6, None)}
    tuner = tuned(targets, temperature=FixedTemperature(0.7))
    slacks = exact_slacks(targets)
    rewarded = optimal_distribution(LOG_P, TASK.table, 0.7)
    assert distance(policy(tuner), projection(rewarded, slacks)) < 0.02


def test_what_cannot_be_met_ends_as_the_best_compromise():
    targets = {"ones": (0.9, None), "ends_as_it_starts": (None, 0.1)}
    tuner = tuned(targets, max_kl=0.2, iterations=1500)
    pi, slacks = policy(tuner), exact_slacks(targets)
    exact = compromise(P, slacks, tuner.controller._state.scales.numpy(), 0.2 * T)
    assert tuner.controller.gives_way
    assert kl(pi, P) == pytest.approx(0.2 * T, rel=0.05)
    np.testing.assert_allclose(pi @ slacks, exact @ slacks, atol=0.06)


def test_a_restored_tuner_goes_on_as_if_never_stopped(tmp_path):
    def short():
        return tuned({"ones": (0.5, None)}, iterations=15)

    from rl_tuner.tuning.state import checkpoints_of

    first = short()
    checkpoints_of(first, str(tmp_path), "").save()
    first.train_iterations(15)
    second = short()
    second.train_iterations(3)
    assert checkpoints_of(second, str(tmp_path), "").restore()
    second.train_iterations(15)
    for one, other in zip(first.weights, second.weights):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(first.controller.multipliers, second.controller.multipliers)
    assert float(first.controller.multipliers[0]) > 0


def test_bounds_are_read_in_the_order_given():
    assert bounds_of({"a": (0.1, 0.2), "b": (None, 3), "c": None}) == (
        Bound("a", 1, 0.1),
        Bound("a", -1, 0.2),
        Bound("b", -1, 3.0),
    )


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"ones": 0.5}, "must be a pair"),
        ({"ones": (0.5, 0.2)}, "low first"),
        ({"ones": (None, None)}, "asks for nothing"),
        ({"ones": (float("nan"), None)}, "finite"),
        ({"ones": ("much", None)}, "finite"),
        ({"onse": (0.5, None)}, "not a feature of AskedTask"),
    ],
)
def test_wrong_targets_are_refused(targets, message):
    with pytest.raises(ValueError, match=message):
        RLTuner(PRIOR, TASK, Psi(), targets=targets, gamma=1.0)


def test_settings_that_do_not_suit_targets_are_refused():
    targets = {"ones": (0.5, None)}
    with pytest.raises(ValueError, match="gamma = 1"):
        RLTuner(PRIOR, TASK, Psi(), targets=targets)
    with pytest.raises(ValueError, match="soft values"):
        RLTuner(PRIOR, TASK, Q(), targets=targets, gamma=1.0)
    with pytest.raises(ValueError, match="Boltzmann"):
        RLTuner(PRIOR, TASK, Psi(), targets=targets, gamma=1.0, exploration=EpsilonGreedy())
    with pytest.raises(ValueError, match="max_kl"):
        DualController(max_kl=0.0)

"""Of the last policies of a run with targets, the best one is kept."""

import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.core.controller import DualController
from rl_tuner.core.losses import Paths
from rl_tuner.core.objectives import Psi
from rl_tuner.core.tuner import RLTuner, averaging_rate
from rl_tuner.tuning import keeper as keeping
from tests.core.test_targets import PRIOR, TASK


@pytest.fixture
def tuner(monkeypatch):
    monkeypatch.setattr(keeping, "SEQUENCES", 200)
    monkeypatch.setattr(keeping, "_BATCH", 200)
    made = RLTuner(
        PRIOR,
        TASK,
        Psi(loss=Paths(0.9)),
        targets={"ones": (0.5, 0.6), "ends_as_it_starts": (None, 0.9)},
        controller=DualController(window=64),
        gamma=1.0,
        collect_size=64,
        learn_size=8,
    )
    made.train_iterations(2)
    return made


def metrics(ones, same, error=0.01):
    return {
        "feature/ones": ones,
        "feature_weight/ones": 4.0,
        "feature_error/ones": error,
        "feature/ends_as_it_starts": same,
        "feature_weight/ends_as_it_starts": 1.0,
        "feature_error/ends_as_it_starts": 0.1,
    }


def test_met_bounds_count_in_standard_errors_and_the_least_certain_decides(tuner):
    score = keeping.Keeper(tuner, 1000).score
    # 0.5 <= ones <= 0.6 and same <= 0.9: by 2 and 8 errors of .01, and by 5 of .1.
    assert score(metrics(0.52, 0.4)) == pytest.approx(2.0)
    assert score(metrics(0.55, 0.4)) == pytest.approx(4.0)
    assert score(metrics(0.55, 0.87)) == pytest.approx(0.3)
    assert score(metrics(0.55, 0.4, error=0.0)) == pytest.approx(4.0)


def test_the_largest_violation_decides_in_units_of_the_first_distance(tuner):
    score, scales = keeping.Keeper(tuner, 1000).score, tuner.controller.scales
    low = [b.label for b in tuner.bounds].index("ones_low")
    assert score(metrics(0.4, 0.5)) == pytest.approx(-0.1 * 4.0 / scales[low], rel=1e-4)
    assert score(metrics(0.45, 0.5)) > score(metrics(0.4, 0.5)) > score(metrics(0.3, 0.5))
    assert score(metrics(0.7, 0.5)) < 0 and score(metrics(0.55, 0.95)) < 0
    assert score(metrics(None, 0.5)) == -np.inf
    for variable in tuner.controller.variables:
        variable.assign(tf.zeros_like(variable))
    assert np.isfinite(score(metrics(0.4, 0.5)))


def test_the_average_network_is_the_mean_of_the_latest_weights():
    assert float(averaging_rate(tf.constant(0))) == 1.0
    assert float(averaging_rate(tf.constant(90))) == pytest.approx(0.1)
    assert float(averaging_rate(tf.constant(10_000))) == pytest.approx(0.01)


def test_the_average_network_follows_every_update(tuner):
    before = [value.numpy() for value in tuner.average.weights]
    updates = int(tuner.optimizer.iterations)
    tuner.learn_from_replay()
    rate = float(averaging_rate(tf.constant(updates + 1)))
    for value, old, new in zip(tuner.average.weights, before, tuner.online.weights):
        np.testing.assert_allclose(value, (1 - rate) * old + rate * new, rtol=1e-5, atol=1e-7)


def test_only_the_last_policies_are_candidates_and_the_best_is_taken(tuner, monkeypatch):
    monkeypatch.setattr(keeping, "CANDIDATES", 2)
    keeper = keeping.Keeper(tuner, 1000)
    assert [keeper.after(step) for step in (0, 899, 900, 999, 1000)] == [900, 900, 1000, 1000, 1000]
    found = iter([0.1, 0.3, 0.2])
    monkeypatch.setattr(keeper, "score", lambda metrics: next(found))
    weights = []
    for step in (800, 900, 1000):
        tuner.train_iterations(1)
        weights.append([tf.identity(value) for value in tuner.average.weights])
        keeper.consider(step, step)
    assert int(tuner.kept_step) == 900
    assert float(tuner.kept_score) == pytest.approx(0.3)
    tuner.take_kept()
    for value, wanted in zip(tuner.online.weights, weights[1]):
        np.testing.assert_array_equal(value, wanted)

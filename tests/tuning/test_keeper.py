"""Of the last policies of a run with targets, the best one is kept."""

import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.core.controller import DualController
from rl_tuner.core.losses import Paths
from rl_tuner.core.objectives import Psi
from rl_tuner.core.tuner import RLTuner
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


def metrics(ones, same):
    return {
        "feature/ones": ones,
        "feature_weight/ones": 4.0,
        "feature/ends_as_it_starts": same,
        "feature_weight/ends_as_it_starts": 1.0,
    }


def test_the_bound_that_is_met_worst_decides(tuner):
    keeper = keeping.Keeper(tuner, 1000)
    inside = keeper.scores(metrics(0.55, 0.5))
    assert inside.min() > 0 and len(inside) == 3
    below, above = (keeper.scores(metrics(ones, 0.5)).min() for ones in (0.4, 0.7))
    assert below < 0 and above < 0
    assert keeper.scores(metrics(0.45, 0.5)).min() > below
    assert keeper.scores(metrics(None, 0.5)).min() == -np.inf
    for variable in tuner.controller.variables:
        variable.assign(tf.zeros_like(variable))
    assert np.isfinite(keeper.scores(metrics(0.4, 0.5))).all()


def test_only_the_last_policies_are_candidates_and_the_best_is_taken(tuner, monkeypatch):
    monkeypatch.setattr(keeping, "CANDIDATES", 2)
    keeper = keeping.Keeper(tuner, 1000)
    assert [keeper.after(step) for step in (0, 899, 900, 999, 1000)] == [900, 900, 1000, 1000, 1000]
    found = iter([0.1, 0.3, 0.2])
    monkeypatch.setattr(keeper, "scores", lambda metrics: np.array([next(found)]))
    weights = []
    for step in (800, 900, 1000):
        tuner.train_iterations(1)
        weights.append([tf.identity(value) for value in tuner.online.weights])
        keeper.consider(step, step)
    assert int(tuner.kept_step) == 900
    assert float(tuner.kept_score) == pytest.approx(0.3)
    tuner.take_kept()
    for value, wanted in zip(tuner.online.weights, weights[1]):
        np.testing.assert_array_equal(value, wanted)

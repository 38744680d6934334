"""Of the last policies of a run with targets, the best one is kept."""

import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.core.controller import DualController
from rl_tuner.core.losses import Paths
from rl_tuner.core.objectives import Psi
from rl_tuner.core.tuner import RLTuner, averaging_rate
from rl_tuner.tuning import keeper as keeping
from rl_tuner.tuning.evaluation import Measurement
from tests.core.test_targets import PRIOR, TASK


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A tuner after two iterations, and what restores it."""
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
    checkpoint = tf.train.Checkpoint(tuner=made)
    path = checkpoint.write(str(tmp_path_factory.mktemp("tuner") / "trained"))
    return made, lambda: checkpoint.read(path).assert_existing_objects_matched()


@pytest.fixture
def tuner(trained, monkeypatch):
    monkeypatch.setattr(keeping, "BLOCKS", (200,))
    monkeypatch.setattr(keeping, "_BATCH", 200)
    made, restore = trained
    restore()
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


def clearance(keeper, *measured, count=400):
    return keeper.clearance([(count, each) for each in measured])


def test_met_bounds_count_in_standard_deviations_and_the_tightest_decides(tuner):
    keeper = keeping.Keeper(tuner, 1000)
    # Standard errors of .01 and .1 from 400 sequences: standard deviations of .2 and 2.
    found = clearance(keeper, metrics(0.52, 0.4))
    assert found.score == found.room == pytest.approx(0.02 / 0.2)
    assert clearance(keeper, metrics(0.55, 0.87)).score == pytest.approx(0.03 / 2)
    assert clearance(keeper, metrics(0.55, 0.4, error=0.0)).score == pytest.approx(0.5 / 2)


def test_the_largest_violation_decides_in_units_of_the_first_distance(tuner):
    keeper, scales = keeping.Keeper(tuner, 1000), tuner.controller.scales
    low = [b.label for b in tuner.bounds].index("ones_low")
    found = clearance(keeper, metrics(0.4, 0.5))
    assert found.score == -found.violation == pytest.approx(-0.1 * 4.0 / scales[low], rel=1e-4)
    scores = [clearance(keeper, metrics(ones, 0.5)).score for ones in (0.45, 0.4, 0.3)]
    assert scores == sorted(scores, reverse=True) and scores[0] < 0
    assert clearance(keeper, metrics(0.7, 0.5)).score < 0
    assert clearance(keeper, metrics(0.55, 0.95)).score < 0
    assert clearance(keeper, metrics(None, 0.5)).score == -np.inf
    for variable in tuner.controller.variables:
        variable.assign(tf.zeros_like(variable))
    assert np.isfinite(clearance(keeper, metrics(0.4, 0.5)).score)


def test_blocks_of_sequences_are_taken_together(tuner):
    keeper = keeping.Keeper(tuner, 1000)
    first, second = metrics(0.50, 0.4), metrics(0.54, 0.4)
    both = keeper.clearance([(400, first), (1200, second)])
    # The mean is .53; standard deviations are .01 sqrt(400) and .01 sqrt(1200).
    spread = 0.01 * np.sqrt((400 * 400 + 1200 * 1200) / 1600)
    assert both.room == pytest.approx(0.03 / spread)


def test_a_candidate_that_cannot_be_the_best_is_measured_on_few_sequences(tuner, monkeypatch):
    monkeypatch.setattr(keeping, "BLOCKS", (200, 200, 200))
    keeper = keeping.Keeper(tuner, 1000)
    counts = []

    def measure(count, seed, first_batch):
        counts.append(first_batch)
        return Measurement(next(found), None)

    monkeypatch.setattr(keeper._meter, "measure", measure)
    found = iter([metrics(0.55, 0.4)] * 3)
    # The run has sampled 64 times 10 sequences.
    tuner.iteration.assign(10)
    keeper.consider(900, 1)
    assert counts == [0, 1, 2] and int(tuner.kept_step) == 900
    found = iter([metrics(0.1, 0.4)])
    keeper.consider(950, 2)
    assert counts == [0, 1, 2, 0] and int(tuner.kept_step) == 900
    found = iter([metrics(0.55, 0.3)] * 3)
    tuner.iteration.assign(5)
    keeper.consider(1000, 3)
    assert counts == [0, 1, 2, 0, 0, 1], "not on more sequences than the run has sampled"


def test_the_average_network_is_the_mean_of_the_latest_weights():
    assert float(averaging_rate(tf.constant(0))) == 1.0
    assert float(averaging_rate(tf.constant(90))) == pytest.approx(0.1)
    assert float(averaging_rate(tf.constant(10_000))) == pytest.approx(1 / 300)


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
    assert [keeper.after(step) for step in (0, 799, 800, 999, 1000)] == [800, 800, 1000, 1000, 1000]
    found = iter([0.1, 0.3, 0.2])
    monkeypatch.setattr(keeper, "clearance", lambda measured: keeping.Clearance(next(found), 0.0))
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

"""What is measured of a policy, against what enumeration says of it."""

import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.core.objectives import G, Psi
from rl_tuner.core.sampling import prior_policy, sample
from rl_tuner.core.tuner import RLTuner
from rl_tuner.tuning.evaluation import Meter
from tests.core.enumerated import SEQUENCES, TinyTask, along, log_softmax, random_network, taken


class CountingTask(TinyTask):
    """Counts its sequences, as a task's own metrics do."""

    def metric_sums(self, tokens, mask):
        return {"sequences": tf.cast(tf.shape(tokens)[0], tf.float32)}

    def metrics(self, sums):
        return {"sequences": sums["sequences"]}


TASK = CountingTask()
PRIOR = random_network(1)
LOG_P = log_softmax(along(PRIOR))
LOG_P_OF_SEQUENCES = taken(LOG_P)
PROBABILITIES = np.exp(LOG_P_OF_SEQUENCES.sum(1))


def tuner_away_from_its_prior(objective):
    tuner = RLTuner(PRIOR, TASK, objective)
    tuner.online.set_weights(objective.initial_network(random_network(2)).get_weights())
    return tuner


def meter_of(tuner, batch_size):
    return Meter(tuner.policy, tuner.start, TASK, batch_size)


@pytest.mark.parametrize("objective", [Psi(), G(calibrated=False)], ids=["Psi", "G"])
def test_means_are_those_of_the_policy_over_whole_sequences(objective):
    tuner = tuner_away_from_its_prior(objective)
    scores = tf.constant(along(tuner.online))
    log_pi = log_softmax(objective.policy_logits(scores, tf.constant(LOG_P)).numpy())
    weight = np.exp(taken(log_pi).sum(1))
    kl = (np.exp(log_pi) * (log_pi - LOG_P)).sum(-1)
    metrics = meter_of(tuner, 4_000).measure(20_000, seed=1).metrics
    # The whole sequence's reward, not its last step's.
    assert metrics["task_reward"] == pytest.approx(weight @ TASK.table.sum(1), abs=0.05)
    assert metrics["log_prior"] == pytest.approx(weight @ taken(LOG_P).mean(1), abs=0.02)
    assert metrics["kl"] == pytest.approx(weight @ kl.mean(1), abs=0.02)
    entropy = -(np.exp(log_pi) * log_pi).sum(-1)
    assert metrics["entropy"] == pytest.approx(weight @ entropy.mean(1), abs=0.02)


def test_the_standard_error_of_a_feature_is_the_spread_of_its_measurements():
    tuner = RLTuner(PRIOR, TASK, Psi())
    meter = Meter(tuner.policy, tuner.start, TASK, 100, ["log_prior"])
    measured = [meter.measure(100, seed=seed).metrics for seed in range(200)]
    values = [metrics["feature/log_prior"] for metrics in measured]
    errors = [metrics["feature_error/log_prior"] for metrics in measured]
    # The spread of 200 values is known to a twentieth of itself.
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.2)
    values = LOG_P_OF_SEQUENCES.mean(1)
    wanted = np.sqrt(PROBABILITIES @ (values - PROBABILITIES @ values) ** 2 / 100)
    assert np.mean(errors) == pytest.approx(wanted, rel=0.05)


def test_a_cold_temperature_is_greedy():
    tuner = tuner_away_from_its_prior(Psi())
    drawn = sample(tuner.policy, tuner.start, TASK, 50, tf.constant([0, 0]), temperature=1e-3)
    assert len(np.unique(drawn.tokens.numpy(), axis=0)) == 1


def test_the_prior_is_at_no_distance_from_itself():
    tuner = RLTuner(PRIOR, TASK, Psi())
    metrics = Meter(prior_policy(PRIOR), tuner.start, TASK, 50).measure(100, seed=0).metrics
    assert metrics["kl"] == pytest.approx(0.0, abs=1e-6)
    assert metrics["log_policy"] == pytest.approx(metrics["log_prior"])


def test_a_count_that_is_no_multiple_of_the_batch_is_met_exactly():
    tuner = RLTuner(PRIOR, TASK, Psi())
    meter = meter_of(tuner, 40)
    measured = meter.measure(100, seed=3)
    assert measured.sequences.shape == (100, 4)
    assert measured.metrics["sequences"] == 100 and measured.metrics["length"] == 4
    np.testing.assert_array_equal(meter.measure(100, seed=3).sequences, measured.sequences)
    np.testing.assert_array_equal(meter.measure(40, seed=3).sequences, measured.sequences[:40])
    assert np.any(meter.measure(100, seed=4).sequences != measured.sequences)


def test_distinct_counts_sequences_unlike_each_other():
    tuner = RLTuner(PRIOR, TASK, Psi())
    measured = meter_of(tuner, 500).measure(500, seed=0)
    unique = len({tuple(row) for row in measured.sequences})
    assert unique <= len(SEQUENCES)
    assert measured.metrics["distinct"] == pytest.approx(unique / 500)


def test_sequences_are_those_of_one_draw_after_another():
    tuner = tuner_away_from_its_prior(Psi())
    drawn = [
        sample(tuner.policy, tuner.start, tuner.task, 30, tf.constant([5, index])).tokens.numpy()
        for index in range(4)
    ]
    measured = meter_of(tuner, 30).measure(100, seed=5)
    np.testing.assert_array_equal(measured.sequences, np.concatenate(drawn)[:100])


def test_measuring_again_traces_nothing():
    meter = meter_of(tuner_away_from_its_prior(Psi()), 40)
    meter.measure(100, seed=0)
    meter.measure(200, seed=1)
    meter.measure(100, seed=2)
    # Whole batches, and the smaller one at the end; the sampling is compiled before it is called.
    assert meter._score.experimental_get_tracing_count() == 2

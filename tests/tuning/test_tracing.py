"""Nothing is traced again after the first time: every compiled function of the process is asked."""

import gc
import logging

import pytest
import tensorflow as tf

from rl_tuner.core.distribution import SequenceDistribution
from rl_tuner.core.likelihood import MLETrainer
from rl_tuner.core.losses import Paths
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.objectives import G, Psi
from rl_tuner.core.sampling import prior_policy
from rl_tuner.core.starts import RandomToken
from rl_tuner.core.tuner import RLTuner
from rl_tuner.datasets.reader import SequenceDataset
from rl_tuner.policy import TunedPolicy
from rl_tuner.tasks.melody.task import MelodyTask
from rl_tuner.tuning.evaluation import Meter
from tests import small_data
from tests.core.enumerated import random_network
from tests.core.host_task import HostTinyTask

Function = type(tf.function(lambda: None))


def traces():
    """How often any function was traced so far, by the function's name."""
    gc.collect()
    found = {}
    for each in gc.get_objects():
        if isinstance(each, Function):
            count = each.experimental_get_tracing_count()
            found[each.name] = found.get(each.name, 0) + count
    return found


def music():
    prior = SequenceNetwork(38, [5])
    sizes = {"collect_size": 4, "learn_size": 3, "updates": 2}
    return RLTuner(prior, MelodyTask(), Psi(loss=Paths(0.5)), start=RandomToken(2, 37), **sizes)


def host_scored():
    return RLTuner(random_network(1), HostTinyTask(), G(), collect_size=4, learn_size=3, updates=2)


@pytest.mark.parametrize("make", [music, host_scored])
def test_training_and_evaluating_trace_once(make):
    tuner = make()
    meters = [
        Meter(tuner.policy, tuner.start, tuner.task, 6),
        Meter(prior_policy(tuner.prior), tuner.start, tuner.task, 6),
    ]

    def work(iterations, seed):
        tuner.train_iterations(iterations)
        for meter in meters:
            meter.measure(9, seed)

    work(2, seed=0)
    before = traces()
    assert sum(before.values()) > 3
    for iterations in (1, 3, 2):
        work(iterations, seed=iterations)
    assert traces() == before


def test_a_new_shape_is_a_new_trace():
    @tf.function
    def twice(x):
        return 2 * x

    twice(tf.zeros([1]))
    before = traces()
    twice(tf.zeros([2]))
    assert sum(traces().values()) == sum(before.values()) + 1


@pytest.fixture
def warnings():
    """What TensorFlow warns of meanwhile."""
    found = []
    handler = logging.Handler()
    handler.emit = lambda record: found.append(record.getMessage())
    tf.get_logger().addHandler(handler)
    yield found
    tf.get_logger().removeHandler(handler)


def test_samples_of_many_sizes_are_no_retracing(tmp_path, warnings):
    policy = TunedPolicy(host_scored(), str(tmp_path))
    for count in range(1, 8):
        assert policy.sample(count).tokens.shape[0] == count
        assert policy.sample(count, temperature=0.5 + count).tokens.shape[0] == count
    before = traces()
    policy.sample(3, seed=5, temperature=0.7)
    assert traces() == before and not warnings


def test_distributions_of_many_shapes_are_no_retracing(warnings):
    tuner = host_scored()
    for count in range(1, 8):
        made = SequenceDistribution(tuner.policy, tuner.start, tuner.task)
        assert made.step_log_probs(tf.zeros([count, count % 4 + 1], tf.int32)).shape[0] == count
        assert made.log_prob(made.sample(count, seed=1)).shape == [count]
    assert not warnings


@pytest.mark.parametrize(("write", "window"), [(small_data.melodies, 8), (small_data.molecules, 0)])
def test_later_epochs_of_the_prior_trace_nothing(tmp_path, write, window):
    data = SequenceDataset(write(tmp_path / "data"))
    trainer = MLETrainer(SequenceNetwork(data.num_classes, [5]), 1e-3, 5.0, 0.0)

    def epoch(number):
        for batch in data.training_batches("train", 4, window, 0, number):
            trainer.train_step(*batch)
        trainer.evaluate(data.evaluation_batches("validation", 4))

    epoch(0)
    before = trainer.train_step.experimental_get_tracing_count()
    for number in (1, 2, 3):
        epoch(number)
    assert trainer.train_step.experimental_get_tracing_count() == before

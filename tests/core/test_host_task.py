import numpy as np
import tensorflow as tf

from rl_tuner.core.losses import Paths
from rl_tuner.core.objectives import Psi
from rl_tuner.core.tuner import RLTuner
from tests.core.enumerated import TinyTask, random_network
from tests.core.host_task import HostTinyTask


def host_tuner(task, **kwargs):
    return RLTuner(random_network(1), task, Psi(loss=Paths(1.0)), updates=2, gamma=1.0, **kwargs)


def test_rewards_are_those_of_the_task_in_the_graph():
    task = HostTinyTask()
    tokens = tf.constant([[0, 1, 2, 0], [2, 2, 1, 1]])
    expected = TinyTask().reward_parts(tokens, tf.ones([2, 4]))["table"]
    np.testing.assert_allclose(task.reward_parts(tokens, tf.ones([2, 4]))["table"], expected)


def test_how_long_scoring_takes_does_not_change_the_result():
    quick, slow = host_tuner(HostTinyTask()), host_tuner(HostTinyTask([0.2, 0.0, 0.3, 0.1]))
    for made in (quick, slow):
        made.train_iterations(4)
    for a, b in zip(quick.online.get_weights(), slow.online.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_networkslearn_from_replay_while_a_batch_is_scored_and_only_from_those_before_it():
    task = HostTinyTask()
    made = host_tuner(task)
    learn = made.learn_from_replay

    def spy():
        task.events.append(f"learn from {int(made.replay.added)}")
        return learn()

    made.learn_from_replay = spy
    made.train_iterations(3)
    assert task.events == [
        *("submit", "result", "learn from 32"),
        *("submit", "learn from 32", "result"),
        *("submit", "learn from 64", "result"),
    ]


def test_an_observer_sees_every_batch():
    seen = []
    host_tuner(HostTinyTask()).train_iterations(
        3, lambda episode, scored: seen.append((episode, scored))
    )
    assert len(seen) == 3
    for episode, scored in seen:
        np.testing.assert_array_equal(episode.tokens, scored.details)


def test_metrics_hold_the_tasks_own():
    metrics = host_tuner(HostTinyTask()).train_iterations(2)
    assert metrics["collect/valid"] == 1.0
    assert np.isfinite(metrics["learn/loss"])

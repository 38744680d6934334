"""Checks of two replicas on two logical CPU devices, which a process that has computed cannot have."""

import sys

import keras
import numpy as np
import tensorflow as tf

from rl_tuner.core import team as teams
from rl_tuner.core.losses import OneStep, Paths, WholeSequences
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.objectives import Psi
from rl_tuner.core.replay import PrioritisedReplay, ReplayBatch, UniformReplay
from rl_tuner.core.replicas import Replicas
from rl_tuner.core.temperature import AdaptiveTemperature
from rl_tuner.core.tuner import RLTuner, Share
from rl_tuner.tuning.state import checkpoints_of
from tests.core.enumerated import TinyTask

ALONE = Share()
TEAM = teams.choose("mirrored:2")
tf.config.experimental.enable_op_determinism()


def maker(**changes):
    keras.utils.set_random_seed(0)
    prior = SequenceNetwork(3, [4])

    def make(share=ALONE):
        replay = changes.get("replay", UniformReplay)(64)
        objective = Psi(loss=changes.get("loss", OneStep()))
        settings = {"temperature": changes["temperature"]()} if "temperature" in changes else {}
        settings |= {"replay": replay, "gamma": changes.get("gamma", 0.5)}
        settings |= {"targets": changes["targets"]} if "targets" in changes else {}
        return RLTuner(
            prior, TinyTask(), objective, collect_size=8, learn_size=8, updates=2, l2=1e-3,
            clip_norm=0.5, share=share, **settings,
        )  # fmt: skip

    return make


def batch(size, seed):
    """Sequences of different lengths, so that a mean of two means is not the mean of all."""
    rng = np.random.default_rng(seed)
    mask = (np.arange(4) < rng.integers(1, 5, [size, 1])).astype(np.float32)
    reward = rng.normal(size=[size, 4]).astype(np.float32) * mask
    return ReplayBatch(
        tf.fill([size, 1], 3),
        tf.constant(rng.integers(3, size=[size, 4]) * mask.astype(int), tf.int32),
        tf.constant(mask),
        tf.constant(reward),
        tf.constant(-rng.random([size, 4]).astype(np.float32) * mask),
    )


def halves(whole):
    parts = [[None if c is None else c[i::2] for c in whole] for i in range(2)]
    return [ReplayBatch(*part) for part in parts]


def check_updates():
    for loss, gamma in ((OneStep(), 0.5), (Paths(0.9), 1.0), (WholeSequences(), 1.0)):
        make = maker(loss=loss, gamma=gamma)
        single, replicas = make(), Replicas(TEAM, make)
        for seed in range(3):
            whole = batch(8, seed)
            _, _, wanted = single.gradients(whole, None)
            single.apply(wanted)
            found = replicas.learn(halves(whole))
            for gradients in found:
                for a, b in zip(gradients, wanted, strict=True):
                    np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)
        for one in replicas.here:
            for a, b, gradient in zip(one.online.weights, single.online.weights, wanted):
                # Adam makes a step of any length of a gradient that is 0 but for rounding.
                real = np.abs(gradient) > 1e-5
                np.testing.assert_allclose(a.numpy()[real], b.numpy()[real], rtol=0, atol=1e-5)
    print("the same updates")


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def check_training(folder):
    for name, changes in {
        "uniform": {"temperature": lambda: AdaptiveTemperature(target_kl=0.1, delay=0)},
        "prioritised": {"replay": PrioritisedReplay},
        "targets": {"targets": {"table": (1.0, None)}, "gamma": 1.0},
    }.items():
        make = maker(**changes)
        replicas = Replicas(TEAM, make)
        first, second = replicas.here
        metrics = replicas.train_iterations(5)
        assert int(first.environment_steps) == int(second.environment_steps) == 5 * 8 * 4
        assert int(first.replay.added) == 20 and first.replay.capacity == 32
        assert same(first.online.get_weights(), second.online.get_weights())
        assert same(first.temperature.variables, second.temperature.variables)
        # Each has sampled its own sequences, and the mean of their rewards is told.
        tokens = [each.replay.columns[1].numpy()[:20] for each in replicas.here]
        assert not np.array_equal(*tokens)
        rewards = [each.replay.columns[3].numpy()[:20].sum(1).mean() for each in replicas.here]
        np.testing.assert_allclose(metrics["collect/task_reward"], np.mean(rewards), atol=1e-5)
        if first.controller:
            assert same(first.controller.variables, second.controller.variables)
        # What two have saved opens with one, and two go on as if they had never stopped.
        checkpoints_of(first, f"{folder}/{name}", "").save({"step": 1})
        alone = make()
        assert checkpoints_of(alone, f"{folder}/{name}", "").restore()[1] == {"step": 1}
        whole = alone.replay.columns[1].numpy()
        assert whole.shape[0] == 64 and int(alone.replay.added) == 40
        assert np.array_equal(whole[0:40:2], tokens[0]) and np.array_equal(whole[1:40:2], tokens[1])
        assert same(alone.online.get_weights(), first.online.get_weights())
        alone.train_iterations(2)
        again = Replicas(TEAM, make)
        checkpoints_of(again.lead, f"{folder}/{name}", "").restore()
        assert again.train_iterations(4) == replicas.train_iterations(4)
        for old, new in zip(replicas.here, again.here):
            assert same(old.online.get_weights(), new.online.get_weights())
            assert same(old.replay.columns, new.replay.columns)
        print(name)


def check_wrong():
    for settings in ({"collect_size": 7}, {"learn_size": 3}, {"replay": UniformReplay(33)}):
        try:
            prior = SequenceNetwork(3, [4])
            RLTuner(prior, TinyTask(), Psi(), share=Share(0, 2), **settings)
        except ValueError as error:
            assert "must be divisible by 2, the number of replicas" in str(error)
        else:
            raise AssertionError(settings)
    print("wrong sizes")


if __name__ == "__main__":
    if sys.argv[1] == "updates":
        check_updates()
        check_wrong()
    else:
        check_training(sys.argv[1])

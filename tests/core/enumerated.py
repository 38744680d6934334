"""A task small enough to enumerate, solved exactly by dynamic programming: the oracle of the proofs."""

import itertools

import numpy as np
import tensorflow as tf

from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.replay import ReplayBatch
from rl_tuner.core.rollout import sequence_inputs
from rl_tuner.core.task import Task

A, T = 3, 4
SEQUENCES = np.array(list(itertools.product(range(A), repeat=T)), np.int32)  # [81, 4]


class TinyTask(Task):
    """All sequences of 4 tokens out of 3, each step with a reward of its own for every history."""

    kind = "tiny"
    num_classes = A
    horizon = T
    part_names = ("table",)

    def __init__(self, seed=0):
        self.table = np.random.default_rng(seed).normal(size=(len(SEQUENCES), T)).astype(np.float32)
        # A reward may only depend on the tokens up to its step.
        for t in range(T):
            same = np.arange(len(SEQUENCES)) // A ** (T - 1 - t) * A ** (T - 1 - t)
            self.table[:, t] = self.table[same, t]

    def reward_parts(self, tokens, mask):
        return {
            "table": tf.gather(tf.constant(self.table), tf.linalg.matvec(tokens, [27, 9, 3, 1]))
        }


def random_network(seed, scale=2.0, **kwargs):
    """A network whose outputs differ clearly from state to state."""
    network = SequenceNetwork(A, cells=(32,), **kwargs)
    rng = np.random.default_rng(seed)
    network.set_weights(
        [scale * rng.normal(size=w.shape) / np.sqrt(w.shape[0]) for w in network.weights]
    )
    return network


def along(network, sequences=SEQUENCES):
    """The network's outputs before every token: float64 [N, T, A]."""
    start = tf.fill([len(sequences), 1], A)
    return network(sequence_inputs(start, tf.constant(sequences))).numpy().astype(np.float64)


def log_softmax(x):
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def taken(values):
    """The entry of the token taken: [81, T, A] -> [81, T]."""
    return np.take_along_axis(values, SEQUENCES[..., None], -1)[..., 0]


def soft_optimum(log_p, rewards, c, gamma=1.0, hard=False):
    """Psi*(s_t, a_t) along every sequence by dynamic programming from the last step: [81, T].

    Psi*(s, a) = log p(a|s) + r/c + gamma V*(s'), V* = logsumexp (or max, for Q) of Psi*.
    """
    psi = np.zeros([len(SEQUENCES), T])
    value_next = np.zeros(len(SEQUENCES))
    for t in reversed(range(T)):
        psi[:, t] = taken(log_p)[:, t] + rewards[:, t] / c + gamma * value_next
        by_history = {}
        for row, value in zip(SEQUENCES, psi[:, t]):
            by_history.setdefault(tuple(row[:t]), {})[row[t]] = value
        combine = (lambda v: max(v)) if hard else (lambda v: np.log(np.sum(np.exp(list(v)))))
        value_next = np.array([combine(by_history[tuple(row[:t])].values()) for row in SEQUENCES])
    return psi


def optimal_distribution(log_p, rewards, c):
    """pi*(sequence) proportional to p(sequence) exp(total r / c): [81]."""
    log_weight = taken(log_p).sum(1) + rewards.sum(1) / c
    weight = np.exp(log_weight - log_weight.max())
    return weight / weight.sum()


def full_batch(task, prior):
    """Every sequence once, as replay would give it."""
    log_prior = taken(log_softmax(along(prior))).astype(np.float32)
    ones = np.ones_like(log_prior)
    start = np.full([len(SEQUENCES), 1], A, np.int32)
    return ReplayBatch(*map(tf.constant, (start, SEQUENCES, ones, task.table, log_prior)))

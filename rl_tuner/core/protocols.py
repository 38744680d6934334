"""Protocols of the objects that gin injects into a tuner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import tensorflow as tf

from rl_tuner.core.features import Pair
from rl_tuner.core.replay import ReplayBatch


class Start(Protocol):
    """The start of sequences.

    Attributes:
        fixed: whether every sequence has the same start.
    """

    fixed: bool

    def prefix(self, batch_size: int | tf.Tensor, start_token: int, seed: tf.Tensor) -> tf.Tensor:
        """Return int32 [B, P >= 1], the inputs before the first token, drawn with an int32 [2] seed."""
        ...

    def prefixes(self, start_token: int) -> tf.Tensor:
        """Return int32 [K, P], every prefix that may be drawn, all equally likely."""
        ...


class Exploration(Protocol):
    """The choice of actions while collecting."""

    def probabilities(self, log_policy: tf.Tensor, environment_step: tf.Tensor) -> tf.Tensor:
        """Return the probabilities [A, B] to sample from, for policy log-probabilities [A, B]."""
        ...

    def epsilon(self, environment_step: tf.Tensor) -> tf.Tensor:
        """Return the share of actions that are random rather than the policy's, a float32 scalar."""
        ...


class Temperature(Protocol):
    """The temperature c, which weighs the task reward against staying close to the prior.

    Attributes:
        c: scalar float32 variable; the reward is r_T / c.
    """

    c: tf.Variable

    def update(self, kl: tf.Tensor) -> None:
        """Update c, given the exact KL of the latest rollout in nats per step."""
        ...

    def metrics(self) -> dict[str, tf.Tensor]:
        """Return float32 scalars for TensorBoard."""
        ...


class Targets(Protocol):
    """What is asked of the features of a task."""

    def asked(self) -> Mapping[str, Pair]:
        """Return feature name -> (low, high), in the unit of the feature; None for no bound."""
        ...


class Replay(Protocol):
    """Memory of sequences to learn from.

    Attributes:
        capacity: largest number of sequences.
        added: int64 scalar, number of sequences added so far.
    """

    capacity: int
    added: tf.Variable

    def build(self, prefix_length: int, horizon: int, bounds: int = 0) -> None:
        """Allocate the memory, with `handles` for this number of bounds."""
        ...

    def add(self, batch: ReplayBatch) -> tf.Tensor:
        """Append B sequences and return their rows, int64 [B]."""
        ...

    def sample(self, batch_size: int, seed: tf.Tensor) -> tuple[ReplayBatch, tf.Tensor, tf.Tensor]:
        """Return drawn sequences, their rows (int64 [B]) and the weights of their losses (float32 [B])."""
        ...

    def update(self, rows: tf.Tensor, errors: tf.Tensor) -> None:
        """Update the priorities, given the mean absolute errors [B] of drawn sequences."""
        ...

"""Starts of sequences: the inputs before the first generated token.

A start is `fixed` if it is the same for all sequences.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import gin
import tensorflow as tf


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class StartToken:
    """A start with the start token, as in training sequences."""

    fixed = True

    def prefix(self, batch_size: int | tf.Tensor, start_token: int, seed: tf.Tensor) -> tf.Tensor:
        """Return int32 [B, 1]: the start token."""
        return tf.fill([batch_size, 1], start_token)

    def prefixes(self, start_token: int) -> tf.Tensor:
        """Return int32 [1, 1]: the start token."""
        return tf.constant([[start_token]], tf.int32)


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class RandomToken:
    """A start with one uniformly drawn token, which is not part of the sequence.

    Attributes:
        first: lowest class that may be drawn.
        last: highest class that may be drawn, inclusive.

    Raises:
        ValueError: the range is empty.
    """

    first: int
    last: int
    fixed = False

    def __post_init__(self) -> None:
        """Reject an empty range."""
        if not 0 <= self.first <= self.last:
            raise ValueError(
                f"RandomToken must have 0 <= first <= last, not first={self.first}, last={self.last}"
            )

    def prefix(self, batch_size: int | tf.Tensor, start_token: int, seed: tf.Tensor) -> tf.Tensor:
        """Return int32 [B, 1]: one class between `first` and `last`, both included."""
        return tf.random.stateless_uniform(
            [batch_size, 1], seed, minval=self.first, maxval=self.last + 1, dtype=tf.int32
        )

    def prefixes(self, start_token: int) -> tf.Tensor:
        """Return int32 [K, 1]: every class between `first` and `last`."""
        return tf.range(self.first, self.last + 1)[:, tf.newaxis]


@dataclasses.dataclass(frozen=True)
class Primer:
    """A start with the start token and given tokens, which are not part of the sequence.

    Attributes:
        tokens: the primer's classes, at least one.

    Raises:
        ValueError: the primer is empty.
    """

    tokens: Sequence[int]
    fixed = True

    def __post_init__(self) -> None:
        """Reject an empty primer."""
        if not len(self.tokens):
            raise ValueError("a primer needs at least one token")

    def prefix(self, batch_size: int | tf.Tensor, start_token: int, seed: tf.Tensor) -> tf.Tensor:
        """Return int32 [B, 1 + len(tokens)]: the start token, then the primer."""
        return tf.tile(self.prefixes(start_token), [batch_size, 1])

    def prefixes(self, start_token: int) -> tf.Tensor:
        """Return int32 [1, 1 + len(tokens)]: the start token, then the primer."""
        return tf.constant([[start_token, *self.tokens]], tf.int32)

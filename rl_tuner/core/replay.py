"""Whole sequences in device memory, replayed from their start so that no recurrent state goes stale."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class ReplayBatch(NamedTuple):
    """Replayed sequences.

    Attributes:
        prefix: int32 [B, P], inputs before the first token.
        tokens: int32 [B, T].
        mask: float32 [B, T], 1 on the steps of the sequence.
        task_reward: float32 [B, T], r_T(s_t, a_t).
        log_prior: float32 [B, T], log p(a_t | s_t) in nats.
    """

    prefix: tf.Tensor
    tokens: tf.Tensor
    mask: tf.Tensor
    task_reward: tf.Tensor
    log_prior: tf.Tensor


class UniformReplay(tf.Module):
    """A ring of the latest `capacity` sequences, drawn uniformly with replacement.

    Args:
        capacity: sequences held.
        prefix_length: P.
        horizon: T.

    Raises:
        ValueError: a size is not positive.
    """

    def __init__(self, capacity: int, prefix_length: int, horizon: int) -> None:
        super().__init__(name="replay")
        if min(capacity, prefix_length, horizon) < 1:
            raise ValueError(
                "a replay needs positive sizes, not "
                f"capacity={capacity}, prefix_length={prefix_length}, horizon={horizon}"
            )
        self.capacity = capacity
        shapes = ReplayBatch(prefix_length, horizon, horizon, horizon, horizon)
        dtypes = ReplayBatch(tf.int32, tf.int32, tf.float32, tf.float32, tf.float32)
        self.columns = [
            tf.Variable(tf.zeros([capacity, width], dtype), trainable=False, name=name)
            for name, width, dtype in zip(ReplayBatch._fields, shapes, dtypes)
        ]
        self.added = tf.Variable(0, dtype=tf.int64, trainable=False, name="added")

    def add(self, batch: ReplayBatch) -> None:
        """Appends B sequences; the oldest make room. B may not exceed the capacity."""
        count = tf.shape(batch.tokens, out_type=tf.int64)[0]
        rows = (self.added + tf.range(count)) % self.capacity
        for column, values in zip(self.columns, batch):
            column.scatter_update(tf.IndexedSlices(values, rows))
        self.added.assign_add(count)

    def sample(self, batch_size: int, seed: tf.Tensor) -> ReplayBatch:
        """Draws `batch_size` sequences with an int32 [2] seed; at least one must have been added."""
        filled = tf.minimum(self.added, self.capacity)
        rows = tf.random.stateless_uniform([batch_size], seed, maxval=filled, dtype=tf.int64)
        return ReplayBatch(*(tf.gather(column, rows) for column in self.columns))

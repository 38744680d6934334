"""Sums and means over the replicas of `tf.distribute`; with one replica, every value is returned as it is.

Each replica has its own share of a batch. These functions are called by all replicas at once, directly in the
function that `strategy.run` runs: tf.distribute allows them neither in a nested tf.function nor in a loop.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def average(values: Any) -> Any:
    """Return the mean over the replicas of a tensor, or of each tensor in a structure."""
    return _reduced(tf.distribute.ReduceOp.MEAN, values)


def total(values: Any) -> Any:
    """Return the sum over the replicas of a tensor, or of each tensor in a structure."""
    return _reduced(tf.distribute.ReduceOp.SUM, values)


def gathered(values: tf.Tensor) -> tf.Tensor:
    """Return the rows of all replicas, in their order: [B, ...] -> [N B, ...]."""
    context = _context()
    return values if context is None else context.all_gather(values, axis=0)


def _reduced(operation: tf.distribute.ReduceOp, values: Any) -> Any:
    context = _context()
    return values if context is None else context.all_reduce(operation, values)


def _context() -> tf.distribute.ReplicaContext | None:
    context = tf.distribute.get_replica_context()
    return None if context is None or context.num_replicas_in_sync == 1 else context

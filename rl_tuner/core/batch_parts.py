"""Splitting of a batch into parts that are computed in parallel.

The operations of one LSTM step are too small to be divided among cores: on two cores they use little more
than one. Loops over parts of a batch are independent, so TensorFlow runs them in parallel.
"""

from __future__ import annotations

import itertools

import tensorflow as tf

from rl_tuner.common.workers import available_processors

# With more parts, each matrix product would have too few rows; further cores share single operations.
MOST = 4


def count() -> int:
    """Return the number of parts of a batch: one per core, up to `MOST`; one if there is a GPU."""
    if tf.config.list_logical_devices("GPU"):
        return 1
    threads = tf.config.threading.get_inter_op_parallelism_threads()
    return min(MOST, threads or available_processors())


def split(values: tf.Tensor, axis: int = 0, parts: int | None = None) -> list[tf.Tensor]:
    """Return parts along an axis, in order, whose sizes differ by at most one; some may be empty.

    Args:
        values: tensor to split.
        axis: axis to split; if its size is known at trace time, so are the sizes of the parts.
        parts: number of parts; None is `count()`.
    """
    parts = parts or count()
    if parts == 1:
        return [values]
    static = values.shape[axis]
    size = tf.shape(values)[axis] if static is None else static
    edges = [part * size // parts for part in range(parts + 1)]
    sizes = [end - start for start, end in itertools.pairwise(edges)]
    return tf.split(values, sizes, axis=axis, num=parts)


def copies(value: tf.Tensor, number: int) -> list[tf.Tensor]:
    """Return one copy of `value` per part; their gradients are added in a fixed order.

    TensorFlow adds three or more gradients of one tensor in the order in which their memory becomes free,
    so that the same seed would not give the same bits.
    """

    @tf.custom_gradient
    def fan_out(value):
        outputs = [tf.identity(value) for _ in range(number)]
        return outputs, lambda *gradients: tf.reduce_sum(tf.stack(gradients), axis=0)

    return [value] if number == 1 else fan_out(value)

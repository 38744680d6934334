"""A batch in parts that are computed side by side.

The operations of one LSTM step are too small to share out over cores: on two cores they keep little more than
one busy. Loops over parts of a batch know nothing of each other, so that TensorFlow runs them at once.
"""

from __future__ import annotations

import itertools

import tensorflow as tf

from rl_tuner.common.workers import available_processors

# More parts would leave each matrix product too few rows; cores beyond them share out single operations.
MOST = 4


def count() -> int:
    """Parts of a batch: one a core, up to `MOST`; one where a GPU computes."""
    if tf.config.list_logical_devices("GPU"):
        return 1
    threads = tf.config.threading.get_inter_op_parallelism_threads()
    return min(MOST, threads or available_processors())


def split(values: tf.Tensor, axis: int = 0, parts: int | None = None) -> list[tf.Tensor]:
    """Parts along an axis, in order, whose sizes differ by one at most; some may be empty.

    Args:
        values: what to split.
        axis: along which; where its size is known when traced, those of the parts are too.
        parts: how many; None is `count`.
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
    """`value` for each part, whose gradients are added in their order.

    TensorFlow adds three or more gradients of one tensor in the order in which their memory comes free, so
    that the same seed would not give the same bits.
    """

    @tf.custom_gradient
    def fan_out(value):
        outputs = [tf.identity(value) for _ in range(number)]
        return outputs, lambda *gradients: tf.reduce_sum(tf.stack(gradients), axis=0)

    return [value] if number == 1 else fan_out(value)

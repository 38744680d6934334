"""The LSTM cell, and a layer unrolled over whole sequences with a backward pass of its own.

With the gates of a step z_t = x_t + h_{t-1} U, in the order i, f, g, o,

    c_t = sigmoid(f) c_{t-1} + sigmoid(i) tanh(g),   h_t = sigmoid(o) tanh(c_t).

As sigmoid(z) = (1 + tanh(z / 2)) / 2, one tanh serves all four gates if i, f and o are halved: the weights
are scaled once (`scaled`) rather than the gates at every step.

Differentiating a loop step by step adds up a gradient of U at every step. Here the backward loop computes
only the gradients of the gates, and one large matrix product over all steps gives the gradient of U.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from rl_tuner.core import batch_parts


def scaled(weights: tf.Tensor) -> tf.Tensor:
    """Return weights [..., 4H] with the columns of i, f and o halved."""
    size = weights.shape[-1] // 4
    columns = tf.constant([0.5] * 2 * size + [1.0] * size + [0.5] * size, weights.dtype)
    return weights * columns


def cell(gates: tf.Tensor, c: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Compute one step of the cell.

    Args:
        gates: float [B, 4H], z_t with i, f and o halved.
        c: float [B, H], c_{t-1}.

    Returns:
        tanh of the gates [B, 4H], h_t and c_t [B, H].
    """
    squashed = tf.tanh(gates)
    i, f, g, o = tf.split(squashed, 4, axis=-1)
    c = 0.5 * ((1.0 + f) * c + (1.0 + i) * g)
    return squashed, 0.5 * (1.0 + o) * tf.tanh(c), c


def unroll(projected_t: tf.Tensor, recurrent: tf.Tensor) -> tf.Tensor:
    """Return the hidden states of an LSTM from the zero state.

    Args:
        projected_t: float [T, B, 4H], x_t: inputs times their kernel plus the bias, both `scaled`.
        recurrent: float [H, 4H], U, `scaled`.

    Returns:
        float [T, B, H], h_t.
    """
    split = batch_parts.split(projected_t, axis=1)
    weights = batch_parts.copies(recurrent, len(split))
    parts = [_unroll(part, matrix) for part, matrix in zip(split, weights)]
    return parts[0] if len(parts) == 1 else tf.concat(parts, axis=1)


@tf.custom_gradient
def _unroll(
    projected_t: tf.Tensor, recurrent: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    gates, cells, hidden = _forward(projected_t, recurrent)

    def gradient(d_hidden: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        d_gates = _backward(gates, cells, recurrent, d_hidden)
        size = recurrent.shape[0]
        before = tf.reshape(_shifted(hidden), [-1, size])
        d_recurrent = tf.matmul(before, tf.reshape(d_gates, [-1, 4 * size]), transpose_a=True)
        return d_gates, d_recurrent

    return hidden, gradient


def _forward(projected: tf.Tensor, recurrent: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return tanh of the gates [T, B, 4H], cells [T, B, H] and hidden states [T, B, H]."""
    steps, size = tf.shape(projected)[0], recurrent.shape[0]
    zeros = tf.zeros([tf.shape(projected)[1], size], projected.dtype)
    arrays = [_array(projected.dtype, steps, width) for width in (4 * size, size, size)]

    def step(t, h, c, arrays):
        gates, h, c = cell(projected[t] + tf.matmul(h, recurrent), c)
        return t + 1, h, c, [array.write(t, value) for array, value in zip(arrays, (gates, c, h))]

    *_, arrays = tf.while_loop(
        lambda t, *_: t < steps, step, (tf.constant(0), zeros, zeros, arrays)
    )
    return tuple(array.stack() for array in arrays)


def _backward(
    gates: tf.Tensor, cells: tf.Tensor, recurrent: tf.Tensor, d_hidden: tf.Tensor
) -> tf.Tensor:
    """Return the gradient of the gates before their tanh, float [T, B, 4H]."""
    steps, size = tf.shape(gates)[0], recurrent.shape[0]
    zeros = tf.zeros_like(cells[0])
    transposed = tf.transpose(recurrent)
    # Factors that do not depend on later steps are computed for all steps at once.
    i, f, g, o = tf.split(gates, 4, axis=-1)
    slope_i, slope_f, slope_g, slope_o = tf.split(1.0 - tf.square(gates), 4, axis=-1)
    squashed = tf.tanh(cells)
    cell_from_hidden = 0.5 * (1.0 + o) * (1.0 - tf.square(squashed))
    cell_from_next = 0.5 * (1.0 + f)
    gates_from_cell = 0.5 * tf.concat(
        [slope_i * g, slope_f * _shifted(cells), slope_g * (1.0 + i)], axis=-1
    )
    output_from_hidden = 0.5 * slope_o * squashed

    def step(t, d_h, d_c, array):
        d_h += d_hidden[t]
        d_c += d_h * cell_from_hidden[t]
        d_gates = tf.concat(
            [tf.tile(d_c, [1, 3]) * gates_from_cell[t], d_h * output_from_hidden[t]], axis=-1
        )
        d_h = tf.matmul(d_gates, transposed)
        return t - 1, d_h, d_c * cell_from_next[t], array.write(t, d_gates)

    *_, array = tf.while_loop(
        lambda t, *_: t >= 0,
        step,
        (steps - 1, zeros, zeros, _array(gates.dtype, steps, 4 * size)),
    )
    return array.stack()


def _array(dtype: tf.DType, steps: tf.Tensor, width: int) -> tf.TensorArray:
    return tf.TensorArray(dtype, size=steps, element_shape=[None, width])


def _shifted(values: tf.Tensor) -> tf.Tensor:
    """Return the values of the previous step, zero for the first step."""
    return tf.concat([tf.zeros_like(values[:1]), values[:-1]], axis=0)

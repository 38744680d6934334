"""Step of an LSTM network from one token to the next, for sampling and for scoring token by token.

The scores of a step are [A, B], with the classes first: sums over classes then run along the batch, which
is contiguous in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from rl_tuner.core.lstm import cell

State = list[tuple[tf.Tensor, tf.Tensor]]


class Layer(NamedTuple):
    """The weights of a layer, scaled for `lstm.cell`.

    Attributes:
        project: inputs -> x_t, their contribution to the gates z_t = x_t + h_{t-1} U.
        recurrent: float [H, 4H], U.
    """

    project: Callable[[tf.Tensor], tf.Tensor]
    recurrent: tf.Tensor


class Stepper(NamedTuple):
    """Function that computes the logits after one more token; create it once, outside the loop.

    Attributes:
        layers: the layers, first to last.
        head_kernel: float32 [H, A].
        head_bias: float32 [A].
    """

    layers: list[Layer]
    head_kernel: tf.Tensor
    head_bias: tf.Tensor

    def __call__(self, tokens: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        """Return the logits and the new state.

        Args:
            tokens: int [B], the latest inputs.
            state: per layer (h, c), each [B, cells], from `SequenceNetwork.zero_state` or the last call.

        Returns:
            float32 [A, B], the network's scores up to rounding, without the constant per state that a
            value head adds; and the new state.
        """
        hidden, new_state = tokens, []
        for layer, (h, c) in zip(self.layers, state):
            _, hidden, c = cell(layer.project(hidden) + tf.matmul(h, layer.recurrent), c)
            new_state.append((hidden, c))
        hidden = tf.cast(hidden, self.head_kernel.dtype)
        logits = tf.matmul(self.head_kernel, hidden, transpose_a=True, transpose_b=True)
        return logits + self.head_bias[:, tf.newaxis], new_state


def log_softmax(logits: tf.Tensor) -> tf.Tensor:
    """Return the log-softmax over the classes of float [A, B]."""
    # tf.nn.log_softmax would transpose the classes to the last axis and back.
    shifted = logits - tf.reduce_max(logits, axis=0, keepdims=True)
    return shifted - tf.math.log(tf.reduce_sum(tf.exp(shifted), axis=0, keepdims=True))

"""An LSTM's step from one token to the next, for sampling and for scoring token by token.

Classes stand first in what a step scores, [A, B]: sums over them then run along the batch, whose numbers lie
side by side in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from rl_tuner.core.lstm import cell

State = list[tuple[tf.Tensor, tf.Tensor]]


class Layer(NamedTuple):
    """A layer's weights, the gates' scaled as `lstm.cell` wants them.

    Attributes:
        project: inputs -> x_t, their share of the gates z_t = x_t + h_{t-1} U.
        recurrent: float [H, 4H], U.
    """

    project: Callable[[tf.Tensor], tf.Tensor]
    recurrent: tf.Tensor


class Stepper(NamedTuple):
    """Logits after one more token; made once, outside a loop that calls it.

    Attributes:
        layers: first to last.
        head_kernel: float32 [H, A].
        head_bias: float32 [A].
    """

    layers: list[Layer]
    head_kernel: tf.Tensor
    head_bias: tf.Tensor

    def __call__(self, tokens: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        """Logits and the new state.

        Args:
            tokens: int [B], the latest inputs.
            state: per layer (h, c), each [B, cells]: `SequenceNetwork.zero_state` or what this returned.

        Returns:
            float32 [A, B], the network's scores up to rounding, without what a value head adds to all
            classes of a state; and the new state.
        """
        hidden, new_state = tokens, []
        for layer, (h, c) in zip(self.layers, state):
            _, hidden, c = cell(layer.project(hidden) + tf.matmul(h, layer.recurrent), c)
            new_state.append((hidden, c))
        hidden = tf.cast(hidden, self.head_kernel.dtype)
        logits = tf.matmul(self.head_kernel, hidden, transpose_a=True, transpose_b=True)
        return logits + self.head_bias[:, tf.newaxis], new_state


def log_softmax(logits: tf.Tensor) -> tf.Tensor:
    """Log-softmax over the classes of float [A, B]."""
    # The library's own would move the classes last and back.
    shifted = logits - tf.reduce_max(logits, axis=0, keepdims=True)
    return shifted - tf.math.log(tf.reduce_sum(tf.exp(shifted), axis=0, keepdims=True))

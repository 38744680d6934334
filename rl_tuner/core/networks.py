"""The LSTM network over tokens, unrolled over sequences or stepped token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from rl_tuner.core.lstm import scaled, unroll
from rl_tuner.core.stepper import Layer, State, Stepper


@keras.saving.register_keras_serializable(package="rl_tuner")
class SequenceNetwork(keras.Model):
    """LSTM network that scores the next token given the tokens so far, f(s_t, .).

    Input tokens are the classes 0 .. num_classes - 1 and one more, `start_token` = num_classes, which
    precedes the first token of a sequence. The output has one score per class.

    With a value head the scores are f(s, a) = log_softmax(logits(s))(a) + v(s), so that
    logsumexp f(s, .) = v(s). The value v starts at 0: logits are defined only up to a constant per state,
    so their logsumexp would not be a meaningful value.

    Args:
        num_classes: number of classes that can be generated.
        cells: number of cells of each LSTM layer, first to last.
        embedding_size: width of a learned embedding of the tokens; 0 feeds them one-hot.
        value_head: whether scores are normalised log-probabilities plus a learned state value.
        metadata: JSON-serialisable facts saved with the network (vocabulary, provenance); they do not
            affect its computation.

    Raises:
        ValueError: a size is not positive.
    """

    def __init__(
        self,
        num_classes: int,
        cells: Sequence[int] = (100,),
        embedding_size: int = 0,
        value_head: bool = False,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_classes < 2 or not cells or min(cells) < 1 or embedding_size < 0:
            raise ValueError(
                "a network needs num_classes >= 2, one or more positive cells and embedding_size >= 0; "
                f"got num_classes={num_classes}, cells={list(cells)}, embedding_size={embedding_size}"
            )
        self.num_classes = num_classes
        self.cells = list(cells)
        self.embedding_size = embedding_size
        self.value_head = value_head
        self.metadata = metadata or {}
        self.embedding = (
            keras.layers.Embedding(num_classes + 1, embedding_size, name="embedding")
            if embedding_size
            else None
        )
        self.lstms = [
            keras.layers.LSTM(size, return_sequences=True, return_state=True, name=f"lstm_{i}")
            for i, size in enumerate(self.cells)
        ]
        # tf.train.Checkpoint tracks layers that are attributes of a Keras model, but not those in a list.
        for lstm in self.lstms:
            setattr(self, lstm.name, lstm)
        self.head = keras.layers.Dense(num_classes, dtype="float32", name="head")
        self.value = (
            keras.layers.Dense(1, kernel_initializer="zeros", dtype="float32", name="value")
            if value_head
            else None
        )
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Create every weight; shapes do not depend on the batch or the length."""
        if getattr(self, "built", False):
            return
        width = self.num_classes + 1
        if self.embedding is not None:
            self.embedding.build((None, None))
            width = self.embedding_size
        for lstm, size in zip(self.lstms, self.cells):
            lstm.build((None, None, width))
            width = size
        self.head.build((None, width))
        if self.value is not None:
            self.value.build((None, width))
        self.built = True

    @property
    def start_token(self) -> int:
        """The input before the first token of a sequence."""
        return self.num_classes

    def get_config(self) -> dict[str, Any]:
        """Return the architecture and the metadata, from which the network can be rebuilt."""
        return {
            "name": self.name,
            "num_classes": self.num_classes,
            "cells": self.cells,
            "embedding_size": self.embedding_size,
            "value_head": self.value_head,
            "metadata": self.metadata,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SequenceNetwork:
        """Return the network with a config from `get_config`."""
        return cls(**config)

    def call(
        self, tokens: tf.Tensor, weight_dropout: float = 0.0, seed: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Return the scores after every input token, from the zero state.

        Args:
            tokens: int [B, T] inputs, usually a start token or primer followed by a sequence.
            weight_dropout: share of the recurrent weights set to 0 in this pass; the others are scaled up
                (DropConnect on the recurrent matrix, Merity et al. 2018, section 2).
            seed: int32 [2], seed of the dropout mask; required with weight_dropout.

        Returns:
            float32 [B, T, num_classes] scores f(s_t, .).
        """
        if tf.config.list_logical_devices("GPU") and not weight_dropout:
            return self._scores(self._hidden_of_keras(tokens))
        hidden = tf.transpose(tokens)
        for index in range(len(self.lstms)):
            layer = self._layer(index)
            recurrent = layer.recurrent
            if weight_dropout:
                layer_seed = tf.random.experimental.stateless_fold_in(seed, index)
                recurrent = tf.nn.experimental.stateless_dropout(
                    recurrent, weight_dropout, layer_seed
                )
            hidden = unroll(layer.project(hidden), recurrent)
        return tf.transpose(self._scores(hidden), [1, 0, 2])

    def _hidden_of_keras(self, tokens: tf.Tensor) -> tf.Tensor:
        # On a GPU, Keras's LSTM layers use cuDNN.
        hidden = (
            self.embedding(tokens)
            if self.embedding is not None
            else tf.one_hot(tokens, self.num_classes + 1, dtype=self.compute_dtype)
        )
        for lstm in self.lstms:
            hidden, *_ = lstm(hidden)
        return hidden

    def _layer(self, index: int) -> Layer:
        """Return the weights of a layer, cast and scaled for `lstm.cell`."""
        cell_weights = self.lstms[index].cell
        kernel, recurrent, bias = (
            scaled(tf.cast(weight, self.compute_dtype))
            for weight in (cell_weights.kernel, cell_weights.recurrent_kernel, cell_weights.bias)
        )
        if index:
            return Layer(lambda hidden: tf.matmul(hidden, kernel) + bias, recurrent)
        if self.embedding is not None:
            kernel = tf.matmul(tf.cast(self.embedding.embeddings, self.compute_dtype), kernel)
        # The product of a one-hot vector and a matrix is a row of the matrix.
        table = kernel + bias
        return Layer(lambda tokens: tf.gather(table, tokens), recurrent)

    def zero_state(self, batch_size: int | tf.Tensor) -> State:
        """Return the state before any input: per layer (h, c), each [B, cells]."""
        return [(tf.zeros([batch_size, size], self.compute_dtype),) * 2 for size in self.cells]

    def stepper(self) -> Stepper:
        """Return a function that applies the network to one token at a time."""
        layers = [self._layer(index) for index in range(len(self.lstms))]
        head = self.head.kernel, self.head.bias
        return Stepper(layers, *(tf.convert_to_tensor(weight) for weight in head))

    def _scores(self, hidden: tf.Tensor) -> tf.Tensor:
        logits = self.head(hidden)
        if self.value is None:
            return logits
        return tf.nn.log_softmax(logits) + self.value(hidden)

    def copy(
        self,
        value_head: bool | None = None,
        zero_head: bool = False,
    ) -> SequenceNetwork:
        """Return a network with the same weights.

        Args:
            value_head: whether the copy has a value head (a new one starts at zero); None keeps it.
            zero_head: whether the copy's output layer starts at zero, so that all scores are 0.
        """
        config = self.get_config() | {
            "value_head": self.value_head if value_head is None else value_head,
        }
        twin = SequenceNetwork.from_config(config)
        for name in ("embedding", "head", "value"):
            ours, theirs = getattr(self, name), getattr(twin, name)
            if ours is not None and theirs is not None:
                theirs.set_weights(ours.get_weights())
        for ours, theirs in zip(self.lstms, twin.lstms):
            theirs.set_weights(ours.get_weights())
        if zero_head:
            twin.head.set_weights([0.0 * weight for weight in twin.head.get_weights()])
        return twin


def squared_weights(network: SequenceNetwork) -> tf.Tensor:
    """Return half the sum of the squares of all weight matrices, without biases."""
    matrices = [weight for weight in network.trainable_variables if weight.shape.rank > 1]
    return tf.reduce_sum(tf.stack([tf.nn.l2_loss(matrix) for matrix in matrices]))

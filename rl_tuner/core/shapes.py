"""Checks of the shapes of tensors, made at trace time and therefore free at run time."""

from __future__ import annotations

import tensorflow as tf


def has_rank(rank: int, **tensors: tf.Tensor) -> None:
    """Require tensors of this rank; unknown ranks are accepted.

    Raises:
        ValueError: a tensor has another rank; the message names it.
    """
    for name, tensor in tensors.items():
        found = tf.TensorShape(tensor.shape)
        if found.rank not in (None, rank):
            raise ValueError(f"{name} must have rank {rank}, not shape {found}")


def same_shape(rank: int, **tensors: tf.Tensor) -> None:
    """Require tensors of this rank with compatible shapes.

    Raises:
        ValueError: a tensor has another rank or an incompatible shape; the message names it.
    """
    has_rank(rank, **tensors)
    first, *others = tensors
    shape = tf.TensorShape(tensors[first].shape)
    for name in others:
        found = tf.TensorShape(tensors[name].shape)
        if not found.is_compatible_with(shape):
            raise ValueError(f"{name} must have the shape of {first}, {shape}, not {found}")

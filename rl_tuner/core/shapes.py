"""Checks at the door of functions of tensors; made while tracing, so they cost nothing at run time."""

from __future__ import annotations

import tensorflow as tf


def has_rank(rank: int, **tensors: tf.Tensor) -> None:
    """Require tensors of this rank.

    Raises:
        ValueError: a tensor is known to have another rank; the message names it.
    """
    for name, tensor in tensors.items():
        found = tf.TensorShape(tensor.shape)
        if found.rank not in (None, rank):
            raise ValueError(f"{name} must have rank {rank}, not shape {found}")


def same_shape(rank: int, **tensors: tf.Tensor) -> None:
    """Require tensors of this rank whose shapes do not contradict each other.

    Raises:
        ValueError: a shape is known to differ; the message names it.
    """
    has_rank(rank, **tensors)
    first, *others = tensors
    shape = tf.TensorShape(tensors[first].shape)
    for name in others:
        found = tf.TensorShape(tensors[name].shape)
        if not found.is_compatible_with(shape):
            raise ValueError(f"{name} must have the shape of {first}, {shape}, not {found}")

"""Whether XLA compiles a step of sampling, which fuses its many small operations into few.

That pays where a core has many sequences, and not where it has few (docs/results/speed.md).
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from rl_tuner.core import shards

_ROWS = 256
_choice: bool | None = None


def choose(jit_compile: bool | None) -> None:
    """Sets it for all that is traced from now on; None leaves it to the size of the batch."""
    global _choice
    _choice = jit_compile


def wanted(batch_size: int | None) -> bool:
    """Whether a batch of this size is sampled with XLA; None is a size unknown when traced.

    A graph whose batch is open is never compiled: XLA would compile again for every size, and a SavedModel
    could not be served where XLA is not.
    """
    if batch_size is None:
        return False
    if _choice is not None:
        return _choice
    # Not measured on a GPU.
    on_cpu = not tf.config.list_logical_devices("GPU")
    return on_cpu and batch_size >= _ROWS * shards.count()


def fused(function: Callable, batch_size: int | None) -> Callable:
    """`function` compiled by XLA where that is `wanted`, else as it is."""
    if not wanted(batch_size):
        return function
    return tf.function(function, jit_compile=True, autograph=False)

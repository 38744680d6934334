"""Choice of XLA for sampling, which fuses a loop of many small operations into one.

This is faster unless matrix products take nearly all of the time (docs/results/speed.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from rl_tuner.core import batch_parts

# With more cells, products take nearly all of the time, and TensorFlow's are faster than XLA's.
_MOST_CELLS = 512
_MOST_ROWS = 256
_choice: bool | None = None


def choose(jit_compile: bool | None) -> None:
    """Set whether functions traced from now on use XLA; None decides by the device and the network."""
    global _choice
    _choice = jit_compile


def wanted(batch_size: int | None, cells: Sequence[int]) -> bool:
    """Return whether a batch of this size is sampled with XLA from networks with these layers.

    None is a size unknown at trace time. Such a graph is never compiled: XLA would compile again for every
    size, and a SavedModel could not be served without XLA.
    """
    if batch_size is None:
        return False
    if _choice is not None:
        return _choice
    # XLA was not measured on a GPU.
    on_cpu = not tf.config.list_logical_devices("GPU")
    return on_cpu and sum(cells) <= _MOST_CELLS


def parts(batch_size: int) -> int:
    """Return the number of parts in which XLA samples a batch: equally many per core, fitting its cache."""
    cores = batch_parts.count()
    return cores * math.ceil(batch_size / (cores * _MOST_ROWS))


def fused(function: Callable) -> Callable:
    """Return `function` compiled by XLA."""
    return tf.function(function, jit_compile=True, autograph=False)

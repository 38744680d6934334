"""Whether XLA compiles sampling, which makes one operation of a loop with many small ones.

That pays wherever matrix products are not all there is to do (docs/results/speed.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from rl_tuner.core import batch_parts

# From more cells on the products take nearly all of the time, and TensorFlow's own are faster than XLA's.
_MOST_CELLS = 512
_MOST_ROWS = 256
_choice: bool | None = None


def choose(jit_compile: bool | None) -> None:
    """Set it for all that is traced from now on; None leaves it to the device and the network."""
    global _choice
    _choice = jit_compile


def wanted(batch_size: int | None, cells: Sequence[int]) -> bool:
    """Whether a batch of this size is sampled with XLA from networks of these layers.

    None is a size unknown when traced. A graph whose batch is open is never compiled: XLA would compile again
    for every size, and a SavedModel could not be served where XLA is not.
    """
    if batch_size is None:
        return False
    if _choice is not None:
        return _choice
    # Not measured on a GPU.
    on_cpu = not tf.config.list_logical_devices("GPU")
    return on_cpu and sum(cells) <= _MOST_CELLS


def parts(batch_size: int) -> int:
    """Parts in which XLA samples a batch: as many for each core, each small enough for its cache."""
    cores = batch_parts.count()
    return cores * math.ceil(batch_size / (cores * _MOST_ROWS))


def fused(function: Callable) -> Callable:
    """Return `function` compiled by XLA."""
    return tf.function(function, jit_compile=True, autograph=False)

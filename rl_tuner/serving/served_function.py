"""What a module of signatures is made of: functions with named inputs and defaults, and checks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import tensorflow as tf


class Untracked:
    """Hides a value from the export of the module that holds it."""

    def __init__(self, value: Any) -> None:
        self.value = value


def served_function(
    call: Callable[..., dict[str, tf.Tensor]], **inputs: tuple[tf.TensorSpec, tf.Tensor | None]
) -> Any:
    """A tf.function whose inputs keep their names and defaults in a SavedModel.

    Args:
        call: takes a tensor for every input, by name, and returns the outputs by name.
        **inputs: by name, what an input looks like and its default; None for none. Inputs with a
            default come last.
    """
    kind, empty = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.empty

    def function(*args: tf.Tensor, **kwargs: tf.Tensor) -> dict[str, tf.Tensor]:
        return call(**dict(zip(inputs, args)), **kwargs)

    # TensorFlow reads names and defaults from here.
    function.__signature__ = inspect.Signature(
        [
            inspect.Parameter(name, kind, default=empty if default is None else default)
            for name, (_, default) in inputs.items()
        ]
    )
    specs = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, (spec, _) in inputs.items()]
    return tf.function(function, input_signature=specs)


def require(condition: tf.Tensor, message: str) -> tf.Operation:
    """Fails with an InvalidArgumentError that says `message` where a scalar condition does not hold."""
    return tf.debugging.Assert(condition, [message])

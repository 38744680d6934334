"""What Python objects were made with, as JSON, so that a run knows whether it was asked for the same."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf


def described(value: Any) -> Any:
    """A JSON-serialisable description, equal for things that were made alike.

    An object is its public attributes (with the source of a user's own class), a function its name
    and its source, an array its digest. Of TensorFlow's variables only scalars count: the others
    are state.
    """
    if isinstance(value, (bool, int, float, str)) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(key): described(item) for key, item in value.items() if _counts(item)}
    if isinstance(value, (list, tuple)):
        return [described(item) for item in value if _counts(item)]
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    if isinstance(value, tf.Variable):
        return float(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return digest_of(np.asarray(value))
    if inspect.isroutine(value) or inspect.isclass(value):
        return {"function": value.__qualname__, "source": digest_of(_source(value))}
    found = described(_attributes(value))
    if not type(value).__module__.startswith("rl_tuner."):
        found["class"] = digest_of(_source(type(value)))
    return {f"@{type(value).__name__}": found}


def digest_of(*parts: str | np.ndarray) -> str:
    """A short hash of texts and arrays."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else np.ascontiguousarray(part))
    return digest.hexdigest()[:16]


def _counts(value: Any) -> bool:
    return not isinstance(value, tf.Tensor) and not (
        isinstance(value, tf.Variable) and value.shape.rank
    )


def _attributes(value: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {name: item for name, item in getattr(value, "__dict__", {}).items() if name[0] != "_"}


def _source(function: Any) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return function.__qualname__

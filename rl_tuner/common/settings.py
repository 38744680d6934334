"""JSON descriptions of settings, by which a run recognises whether its output is up to date."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
import re
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import numpy as np

from rl_tuner.common.own_code import is_own_code, source_digest

T = TypeVar("T")
# Annotation of a parameter that does not change the output, such as a number of processes.
Cosmetic = Annotated[T, "cosmetic"]

_COSMETIC = re.compile(r"\bCosmetic\[")


def cosmetic_names(function: Callable[..., Any]) -> frozenset[str]:
    """Return the parameters that are annotated as `Cosmetic` in a function's or class's signature."""
    parameters = inspect.signature(function).parameters.values()
    return frozenset(p.name for p in parameters if _COSMETIC.search(str(p.annotation)))


def annotated_type(annotation: Any) -> str:
    """Return the name of an annotation's type without `Cosmetic`: "int" for "Cosmetic[int]"."""
    text = getattr(annotation, "__name__", None) or str(annotation)
    return re.sub(r"^(?:\w+\.)*Cosmetic\[(.*)\]$", r"\1", text)


def described(value: Any, special: Callable[[Any], Any] | None = None) -> Any:
    """Return a JSON-serialisable description that is equal for objects with equal settings.

    An object becomes {"@Class": its public attributes}, with a digest of the source if the class is the
    user's own; a function becomes its name and a digest of its source, see `source_digest`; an array
    becomes its digest. Only scalar TensorFlow variables are settings; the others are state and are left
    out.

    Args:
        value: any value.
        special: describes values of one particular kind and returns NotImplemented for all others.
    """
    if special is not None and (found := special(value)) is not NotImplemented:
        return found
    if isinstance(value, (bool, int, float, str)) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(key): described(item, special) for key, item in value.items() if _counts(item)}
    if isinstance(value, (list, tuple)):
        return [described(item, special) for item in value if _counts(item)]
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    if _is_tensorflow(value, "Variable"):
        return float(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return digest_of(np.asarray(value))
    if inspect.isroutine(value) or inspect.isclass(value):
        return {"function": value.__qualname__, "source": source_digest(value)}
    found = described(_attributes(value), special)
    if is_own_code(type(value)):
        found["class"] = source_digest(type(value))
    return {f"@{type(value).__name__}": found}


def named(value: Any) -> Any:
    """Return a JSON-serialisable description for people: an object becomes its "name" and attributes."""
    found = described(value, _function_name)
    return _with_names(found)


def digest_of(*parts: str | np.ndarray, length: int = 16) -> str:
    """Return a hash of strings and arrays, `length` hexadecimal digits long."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else np.ascontiguousarray(part).data)
    return digest.hexdigest()[:length]


def digest_of_settings(settings: Any, length: int = 8) -> str:
    """Return a hash of JSON-serialisable settings, `length` hexadecimal digits long."""
    return digest_of(json.dumps(settings, sort_keys=True), length=length)


def _function_name(value: Any) -> Any:
    if inspect.isroutine(value) or inspect.isclass(value):
        return f"{value.__module__}.{value.__qualname__}"
    return NotImplemented


def _with_names(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_names(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and (key := next(iter(value))).startswith("@"):
        attributes = {k: v for k, v in value[key].items() if k != "class"}
        return {"name": key[1:], **_with_names(attributes)}
    return {key: _with_names(item) for key, item in value.items()}


def _is_tensorflow(value: Any, name: str) -> bool:
    # If TensorFlow was not imported, nothing is a tensor; importing it would take seconds.
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(value, getattr(tensorflow, name))


def _counts(item: Any) -> bool:
    return not _is_tensorflow(item, "Tensor") and not (
        _is_tensorflow(item, "Variable") and item.shape.rank
    )


def _attributes(value: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(value):
        names = {field.name for field in dataclasses.fields(value)} - cosmetic_names(type(value))
        return {name: getattr(value, name) for name in sorted(names)}
    return {name: item for name, item in getattr(value, "__dict__", {}).items() if name[0] != "_"}

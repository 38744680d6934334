"""The user's own functions and classes: finding them by name, and noticing that their source changed."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from typing import Any

_PROGRAM = ("rl_tuner.", "pipelines.")


def import_function(name: str) -> Callable[..., Any]:
    """Return the function with a dotted name; its module may also be in the working directory.

    Raises:
        ValueError: the name has no dot.
        Exception: whatever the import of the module raises, and AttributeError for an unknown function.
    """
    module, _, attribute = name.rpartition(".")
    if not module:
        raise ValueError(f"it must name module.function, not {name!r}")
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.append(os.getcwd())
    return getattr(importlib.import_module(module), attribute)


def is_own_code(function: Any) -> bool:
    """Return whether a function or class is the user's own, not part of this program."""
    return not str(function.__module__).startswith(_PROGRAM)


def source_of(function: Any) -> str:
    """Return the source of a function or class and, if it is the user's, of its whole module.

    The module counts because the function may use other parts of it. A script that is run, or a notebook,
    does not: it also has the lines that start the work. Code without a source is its name.
    """
    module = inspect.getmodule(function)
    if module is None or not is_own_code(function) or module.__name__ == "__main__":
        return _source(function)
    return _source(function) + _source(module)


def _source(thing: Any) -> str:
    try:
        return inspect.getsource(thing)
    except (OSError, TypeError):
        return str(getattr(thing, "__qualname__", thing.__name__))

"""The user's own functions and classes: finding them by name, and noticing that their source changed."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
import textwrap
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

from rl_tuner.common.errors import did_you_mean

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


def missing_module(name: str) -> str | None:
    """Return why a module cannot be found, without importing it; None if it can be found.

    Args:
        name: the module's dotted name.
    """
    if name in sys.modules or _find(name) is not None:
        return None
    here = [file.removesuffix(".py") for file in os.listdir() if file.endswith(".py")]
    return (
        f"there is no module {name!r}{did_you_mean(name, here)}; it must be in the working directory or on"
        " the Python path"
    )


def missing_function(name: str) -> str | None:
    """Return why a function with a dotted name cannot be found, without importing its module.

    Returns:
        None if it can be found, or if only the import of its module can tell.
    """
    module, _, attribute = name.rpartition(".")
    if not module:
        return f"it must name module.function, not {name!r}"
    if module in sys.modules:
        return None
    spec = _find(module)
    if spec is None:
        return missing_module(module)
    if not spec.origin or not spec.origin.endswith(".py"):
        return None
    try:
        with open(spec.origin, encoding="utf-8") as file:
            tree = ast.parse(file.read())
    except (OSError, UnicodeDecodeError, SyntaxError):
        return None
    defined = {found for statement in ast.walk(tree) for found in _bound(statement)}
    if attribute in defined or defined & {"*", "__getattr__"}:
        return None
    return f"{spec.origin} defines no {attribute!r}{did_you_mean(attribute, defined)}"


def is_own_module(name: str) -> bool:
    """Return whether the module with this dotted name is the user's own, not part of this program."""
    return not name.startswith(_PROGRAM)


def is_own_code(function: Any) -> bool:
    """Return whether a function or class is the user's own, not part of this program."""
    return is_own_module(str(function.__module__))


def source_digest(function: Any) -> str:
    """Return a hash of the source of a function or class and, if it is the user's, of what it uses there.

    Used are the functions, classes and constants of its module that it names, and those that they name in
    turn; comments do not count. What it imports from elsewhere is not followed. Code without a source is
    its name. The hash has 16 hexadecimal digits.
    """
    return hashlib.sha256(_with_used(function).encode()).hexdigest()[:16]


def _with_used(function: Any) -> str:
    source = _source(function)
    if not is_own_code(function):
        return source
    try:
        own = ast.parse(textwrap.dedent(source))
        module = ast.parse(inspect.getsource(sys.modules[function.__module__]))
    except (SyntaxError, OSError, TypeError):
        # A lambda amid a statement, or a notebook, which has no file.
        return source
    return "\n".join([ast.unparse(own), *_used(_names(own), module)])


def _find(name: str) -> ModuleSpec | None:
    """Return where a module is, without importing it or the packages around it."""
    importlib.invalidate_caches()
    first, *rest = name.split(".")
    try:
        spec = importlib.util.find_spec(first) or PathFinder.find_spec(first, [os.getcwd()])
    except (ImportError, ValueError):
        spec = None
    for number in range(len(rest)):
        if spec is None or spec.submodule_search_locations is None:
            return None
        full_name = ".".join([first, *rest[: number + 1]])
        spec = PathFinder.find_spec(full_name, list(spec.submodule_search_locations))
    return spec


def _bound(statement: ast.AST) -> set[str]:
    """Return the names that a statement defines or imports."""
    if isinstance(statement, ast.AsyncFunctionDef):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
    return _defined(statement)


def _used(names: set[str], module: ast.Module) -> list[str]:
    """Return the statements of a module that define names, and the names that these use in turn."""
    seen: set[str] = set()
    found: set[str] = set()
    while names - seen:
        name = (names - seen).pop()
        seen.add(name)
        for statement in module.body:
            if name in _defined(statement):
                found.add(ast.unparse(statement))
                names = names | _names(statement)
    return sorted(found)


def _defined(statement: ast.AST) -> set[str]:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
        stored = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
        return {node.id for node in stored if isinstance(node.ctx, ast.Store)}
    return set()


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _source(function: Any) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return str(getattr(function, "__qualname__", function.__name__))

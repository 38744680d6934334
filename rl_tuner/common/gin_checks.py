"""Checks of the names and types in gin files against what this program can configure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from rl_tuner.common.errors import UserError, did_you_mean
from rl_tuner.common.gin_files import (
    Reference,
    Statement,
    modules,
    read_catalogue,
    statements,
)
from rl_tuner.common.own_code import is_own_module, missing_module

_TYPES = {
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "True or False"),
    "str": ((str,), "a string in quotes"),
    "None": ((type(None),), "None"),
}
_LISTS = {"Sequence[int]": "a list of whole numbers such as [100]", "tuple": "a list"}
_OBJECT = re.compile(r"[A-Z]\w+$")
# Types of which any value may be one.
_ANYTHING = {"Any", "Sequence"}


def check(files: Sequence[str], params: Sequence[str] = ()) -> list[Statement]:
    """Read gin files and single bindings, and check their names and types.

    If a file imports a module of the user's own, an unknown name may be defined there; gin checks
    those names later.

    Returns:
        The statements, those of included files first.

    Raises:
        UserError: a file or an imported module does not exist, a line cannot be read, or a name or value
            is wrong.
    """
    found = statements(files, params)
    catalogue = read_catalogue()
    imports = [
        statement for statement in found if not statement.parameter and not statement.selector
    ]
    for statement in imports:
        if why := missing_module(statement.value):
            raise UserError(f"{statement.where}: {why}")
    own_modules = any(is_own_module(statement.value) for statement in imports)
    for statement in found:
        if statement.parameter:
            _check(statement, catalogue, own_modules)
    if imports and not own_modules:
        _check_imported(found, {_package(statement.value) for statement in imports})
    return found


def mistyped(annotation: str, value: Any) -> str | None:
    """Describe the values that a type takes if `value` is not one of them; return None if it is."""
    if annotation in _LISTS:
        elements = value if isinstance(value, (list, tuple)) else [None]
        whole = annotation == "tuple" or all(mistyped("int", each) is None for each in elements)
        return None if isinstance(value, (list, tuple)) and whole else _LISTS[annotation]
    if annotation == "Pair":
        return None if value is None or _is_pair(value) else "a pair (low, high), None for no bound"
    kinds = annotation.split(" | ")
    objects = [kind for kind in kinds if kind not in _TYPES]
    if any(kind in _ANYTHING or not _OBJECT.match(kind) for kind in objects):
        return None
    if any(_is_one(value, *_TYPES[kind]) for kind in kinds if kind in _TYPES):
        return None
    if objects and not isinstance(value, (int, float, str, list, tuple, dict, type(None))):
        return None
    texts = [_TYPES[kind][1] for kind in kinds if kind in _TYPES]
    return " or ".join([*(["an object, written @NAME()"] if objects else []), *texts])


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) == 2
        and all(each is None or _is_one(each, (int, float), "") for each in value)
    )


def _is_one(value: Any, kinds: tuple[type, ...], meaning: str) -> bool:
    del meaning
    # A bool is an int in Python, but not a valid count or rate.
    return isinstance(value, kinds) and (not isinstance(value, bool) or bool in kinds)


def _check(statement: Statement, catalogue: dict[str, dict[str, str]], own_modules: bool) -> None:
    where, name, parameter, value = (
        statement.where,
        statement.name,
        statement.parameter,
        statement.value,
    )
    if name in ("", "macro"):
        return
    if name not in catalogue:
        if not own_modules:
            raise UserError(f"{where}: unknown name {name!r}{did_you_mean(name, catalogue)}")
        return
    parameters = catalogue[name]
    if parameter not in parameters:
        has = ", ".join(parameters) or "none"
        hint = did_you_mean(parameter, parameters)
        raise UserError(f"{where}: {name} has no setting {parameter!r}{hint} (it has {has})")
    for reference in _references(value):
        found = reference.name
        if found and found not in catalogue and not own_modules:
            raise UserError(f"{where}: unknown name {found!r}{did_you_mean(found, catalogue)}")
    if not isinstance(value, Reference) and (takes := mistyped(parameters[parameter], value)):
        raise UserError(f"{where}: {name}.{parameter} must be {takes}, not {value!r}")


def _check_imported(found: Sequence[Statement], packages: set[str]) -> None:
    """Reject settings of what the gin files do not import, such as another kind's dataset."""
    homes = modules()
    absent = {name for name, home in homes.items() if _package(home) not in packages}
    there = homes.keys() - absent
    for statement in found:
        if statement.parameter and statement.name in absent:
            hint = did_you_mean(statement.name, there)
            raise UserError(
                f"{statement.where}: this job has no {statement.name}{hint} (it is in"
                f" {homes[statement.name]}, which no gin file here imports)"
            )


def _package(module: str) -> str:
    return module.rpartition(".")[0]


def _references(value: Any) -> Iterator[Reference]:
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, dict):
        yield from (found for item in value.values() for found in _references(item))
    elif isinstance(value, (list, tuple)):
        yield from (found for item in value for found in _references(item))

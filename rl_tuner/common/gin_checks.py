"""Checks of the names and types in gin files against what this program can configure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from rl_tuner.common.errors import UserError, did_you_mean
from rl_tuner.common.gin_files import (
    Reference,
    Statement,
    macro_name,
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
    if wrong := complaints(found):
        raise UserError(*wrong)
    return found


def complaints(found: Sequence[Statement]) -> list[str]:
    """Return what is wrong with the names and types of statements, in their order."""
    catalogue = read_catalogue()
    imports = [
        statement for statement in found if not statement.parameter and not statement.selector
    ]
    own_modules = any(is_own_module(statement.value) for statement in imports)
    wrong: list[str] = []
    for statement in imports:
        if why := missing_module(statement.value):
            wrong.append(f"{statement.where}: {why}")
    for statement in found:
        try:
            if statement.parameter:
                _check(statement, catalogue, own_modules)
        except UserError as error:
            wrong += error.lines
    wrong += _of_macros(found, catalogue, own_modules)
    # Code of one's own may open a scope.
    wrong += [] if own_modules else _of_scopes(found)
    if imports and not own_modules:
        wrong += _not_imported(found, {_package(statement.value) for statement in imports})
    return list(dict.fromkeys(wrong))


def _of_macros(
    found: Sequence[Statement], catalogue: dict[str, dict[str, str]], own_modules: bool
) -> list[str]:
    """Return what is wrong with macros: those that no setting reads, and those that are nowhere set."""
    defined = {name: statement for statement in found if (name := macro_name(statement))}
    used = [(s, r.macro) for s in found for r in _references(s.value) if r.macro]
    names = {name for _, name in used}
    wrong = []
    for name, statement in defined.items():
        if name not in names:
            owners = [owner for owner, has in catalogue.items() if name in has]
            hint = f"; did you mean {' or '.join(f'{o}.{name}' for o in owners[:3])}?"
            if not owners:
                hint = did_you_mean(name, names) or f"; write %{name} where it is wanted"
            wrong.append(f"{statement.where}: no setting reads {name!r}{hint}")
    for statement, name in used:
        # A module of the user's own may define constants.
        if name not in defined and not (own_modules and "." in name):
            hint = did_you_mean(name, defined) or f"; add {name} = ..."
            wrong.append(f"{statement.where}: %{name} is nowhere set{hint}")
    return wrong


def _of_scopes(found: Sequence[Statement]) -> list[str]:
    """Return the settings of scopes in which nothing is made."""
    references = [reference for statement in found for reference in _references(statement.value)]
    used = {scope for reference in references for scope in reference.scope.split("/")}
    return [
        f"{statement.where}: nothing is made in the scope {scope!r}"
        + (did_you_mean(scope, used) or f"; write @{scope}/{statement.name}() where it is wanted")
        for statement in found
        if statement.scope and statement.name != "macro"
        for scope in statement.scope.split("/")
        if scope not in used
    ]


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
    if isinstance(value, Reference):
        _check_reference(statement, value, parameters[parameter])
    elif takes := mistyped(parameters[parameter], value):
        raise UserError(f"{where}: {name}.{parameter} must be {takes}, not {_written(value)}")


def _check_reference(statement: Statement, reference: Reference, annotation: str) -> None:
    """Reject an object where a number or text is wanted, and a class where an object is wanted."""
    if reference.macro:
        return
    where, setting = statement.where, f"{statement.name}.{statement.parameter}"
    kinds = annotation.split(" | ")
    if all(kind in _TYPES for kind in kinds) or annotation in _LISTS or annotation == "Pair":
        texts = " or ".join(_TYPES[kind][1] for kind in kinds if kind in _TYPES)
        takes = texts or _LISTS.get(annotation, "a pair (low, high)")
        raise UserError(f"{where}: {setting} must be {takes}, not {_written(reference)}")
    is_object = all(_OBJECT.match(kind) and kind not in _ANYTHING for kind in kinds)
    if is_object and not reference.is_called:
        called = _written(reference._replace(is_called=True))
        raise UserError(f"{where}: an object needs brackets: {setting} = {called}")


def _written(value: Any) -> str:
    """Return a value as it is written in gin."""
    if isinstance(value, Reference):
        brackets = "()" if value.is_called else ""
        scope = f"{value.scope}/" if value.scope else ""
        return f"%{value.macro}" if value.macro else f"@{scope}{value.selector}{brackets}"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(map(_written, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    return repr(value)


def _not_imported(found: Sequence[Statement], packages: set[str]) -> list[str]:
    """Return the settings of what the gin files do not import, such as another kind's dataset."""
    homes = modules()
    absent = {name for name, home in homes.items() if _package(home) not in packages}
    there = homes.keys() - absent
    wrong = []
    for statement in found:
        if statement.parameter and statement.name in absent:
            hint = did_you_mean(statement.name, there)
            wrong.append(
                f"{statement.where}: this job has no {statement.name}{hint} (it is in"
                f" {homes[statement.name]}, which no gin file here imports)"
            )
    return wrong


def _package(module: str) -> str:
    return module.rpartition(".")[0]


def _references(value: Any) -> Iterator[Reference]:
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, dict):
        yield from (found for item in value.values() for found in _references(item))
    elif isinstance(value, (list, tuple)):
        yield from (found for item in value for found in _references(item))

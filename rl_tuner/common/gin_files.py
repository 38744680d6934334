"""Finding gin files, and checking them before anything heavy is imported."""

from __future__ import annotations

import difflib
import glob
import json
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from gin import config_parser

from rl_tuner.common.errors import UserError
from rl_tuner.common.own_code import is_own_module

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The working directory, then gin/ inside an installed package or next to it in a checkout.
ROOTS = ("", _PACKAGE, os.path.dirname(_PACKAGE))
CATALOGUE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "configurables.json")

_TYPES = {
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "True or False"),
    "str": ((str,), "a string in quotes"),
}
_UNQUOTED = re.compile(r"=\s*([A-Za-z_./~][\w./:~-]*)\s*(?:#.*)?$")


class Reference(NamedTuple):
    """A value such as @Psi() or %name.

    Attributes:
        selector: the name after @; "" for a macro.
    """

    selector: str


class Statement(NamedTuple):
    """A binding or an import.

    Attributes:
        where: file and line, for an error.
        selector: name of the configurable; "" for an import or a macro.
        parameter: name of the bound parameter.
        value: the bound value; the module for an import.
    """

    where: str
    selector: str
    parameter: str
    value: Any


class _Delegate(config_parser.ParserDelegate):
    def configurable_reference(self, scoped_configurable_name: str, evaluate: bool) -> Reference:
        return Reference(scoped_configurable_name.rpartition("/")[2])

    def macro(self, macro_name: str) -> Reference:
        return Reference("")


def find(name: str) -> str:
    """Return the path of a gin file, given by its path or by the name of one in this program.

    Raises:
        UserError: there is no such file; the message suggests one with a similar name.
    """
    names = [name, f"{name}.gin", os.path.join("gin", name), os.path.join("gin", f"{name}.gin")]
    for root in ROOTS:
        for candidate in names:
            path = os.path.join(root, candidate)
            if os.path.isfile(path):
                return path
    known = shipped()
    bare = os.path.splitext(os.path.basename(name))[0]
    close = difflib.get_close_matches(bare, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"this program has {', '.join(known)}"
    raise UserError(f"gin file {name} does not exist; {hint}")


def shipped() -> list[str]:
    """Return the names of the gin files in this program, such as psi_music."""
    for root in ROOTS[1:]:
        paths = glob.glob(os.path.join(root, "gin", "*.gin"))
        if paths:
            return sorted(os.path.splitext(os.path.basename(path))[0] for path in paths)
    return []


def check(files: Sequence[str], params: Sequence[str] = ()) -> list[str]:
    """Find gin files and check their names and types against what this program can configure.

    If a file imports a module of the user's own, an unknown name may be defined there; gin checks
    those names later.

    Args:
        files: names of gin files.
        params: single bindings.

    Returns:
        The paths of the files.

    Raises:
        UserError: a file does not exist, a line cannot be read, or a name or value is wrong.
    """
    paths = [find(name) for name in files]
    statements = [statement for path in paths for statement in _read(path)]
    statements += [s for param in params for s in _parse(param, f"--gin_param={param!r}")]
    catalogue = read_catalogue()
    imported = [s.value for s in statements if not s.parameter and not s.selector]
    own_modules = any(is_own_module(module) for module in imported)
    for statement in statements:
        if statement.parameter:
            _check(statement, catalogue, own_modules)
    return paths


def read_catalogue() -> dict[str, dict[str, str]]:
    """Return every configurable of this program: name -> parameter -> type."""
    with open(CATALOGUE, encoding="utf-8") as file:
        return json.load(file)


def mistyped(annotation: str, value: Any) -> str | None:
    """Describe the values that a type takes if `value` is not one of them; return None if it is."""
    kinds, meaning = _TYPES.get(annotation, (None, ""))
    # A bool is an int in Python, but not a valid count or rate.
    if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
        return meaning
    return None


def _read(path: str, seen: tuple[str, ...] = ()) -> Iterator[Statement]:
    if path in seen:
        raise UserError(f"gin file {path} includes itself; remove the include")
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"gin file {path} cannot be read: {error}") from error
    yield from _parse(text, path, (*seen, path))


def _parse(text: str, name: str, seen: tuple[str, ...] = ()) -> Iterator[Statement]:
    lines = text.splitlines()
    try:
        parser = config_parser.ConfigParser(text, _Delegate())
        for found in parser:
            line = found.location.line_num
            where = f"{name} line {line}" if seen else name
            if isinstance(found, config_parser.IncludeStatement):
                yield from _read(find(found.filename), seen)
            elif isinstance(found, config_parser.ImportStatement):
                yield Statement(where, "", "", found.module)
            elif isinstance(found, config_parser.BindingStatement):
                yield Statement(where, found.selector, found.arg_name, found.value)
    except SyntaxError as error:
        line = error.lineno or 1
        shown = lines[line - 1].strip() if line <= len(lines) else ""
        where = f"{name} line {line}" if seen else name
        unquoted = _UNQUOTED.search(shown)
        if unquoted:
            before, text = shown[: unquoted.start(1)], unquoted[1]
            if text in read_catalogue():
                raise UserError(f"{where}: an object needs @ and (): {before}@{text}()") from error
            raise UserError(f"{where}: a string needs quotes: {before}'{text}'") from error
        raise UserError(f"{where}: gin cannot read {shown!r}: {error.msg}") from error
    except Exception as error:
        # Python's tokenizer raises errors of its own for an unclosed bracket or quote.
        raise UserError(f"{name}: gin cannot read {text.strip()[:80]!r}: {error}") from error


def _check(statement: Statement, catalogue: dict[str, dict[str, str]], own_modules: bool) -> None:
    where, selector, parameter, value = statement
    name = selector.rpartition(".")[2]
    if name in ("", "macro"):
        return
    if name not in catalogue:
        if not own_modules:
            raise UserError(f"{where}: unknown name {name!r}{_close(name, catalogue)}")
        return
    parameters = catalogue[name]
    if parameter not in parameters:
        has = ", ".join(parameters) or "none"
        raise UserError(
            f"{where}: {name} has no setting {parameter!r}{_close(parameter, parameters)} (it has {has})"
        )
    for reference in _references(value):
        found = reference.selector.rpartition(".")[2]
        if found and found not in catalogue and not own_modules:
            raise UserError(f"{where}: unknown name {found!r}{_close(found, catalogue)}")
    if not isinstance(value, Reference) and (takes := mistyped(parameters[parameter], value)):
        raise UserError(f"{where}: {name}.{parameter} must be {takes}, not {value!r}")


def _references(value: Any) -> Iterator[Reference]:
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, dict):
        yield from (found for item in value.values() for found in _references(item))
    elif isinstance(value, (list, tuple)):
        yield from (found for item in value for found in _references(item))


def _close(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""

"""Finding and reading gin files without importing anything heavy."""

from __future__ import annotations

import functools
import glob
import json
import os
import tokenize
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from gin import config_parser

from rl_tuner.common import gin_syntax
from rl_tuner.common.errors import UserError, did_you_mean

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The working directory, then gin/ inside an installed package or next to it in a checkout.
ROOTS = ("", _PACKAGE, os.path.dirname(_PACKAGE))
CATALOGUE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "configurables.json")


class Reference(NamedTuple):
    """A value such as @Psi() or %name.

    Attributes:
        selector: the name after @; "" for a macro.
        macro: the name after %; "" for anything else.
        is_called: whether brackets follow the name after @.
        scope: what stands before the name and a slash; "" for none.
    """

    selector: str
    macro: str = ""
    is_called: bool = True
    scope: str = ""

    @property
    def name(self) -> str:
        """The name without its module; "" for a macro."""
        return self.selector.rpartition(".")[2]


class Statement(NamedTuple):
    """A binding or an import.

    Attributes:
        where: file and line, for an error.
        selector: name of the configurable; "" for an import or a macro.
        parameter: name of the bound parameter.
        value: the bound value; the module for an import.
        scope: scope of the configurable; "" for none.
    """

    where: str
    selector: str
    parameter: str
    value: Any
    scope: str = ""

    @property
    def name(self) -> str:
        """The name of the configurable without its module."""
        return self.selector.rpartition(".")[2]


class _Delegate(config_parser.ParserDelegate):
    def configurable_reference(self, scoped_configurable_name: str, evaluate: bool) -> Reference:
        scope, _, selector = scoped_configurable_name.rpartition("/")
        return Reference(selector, is_called=evaluate, scope=scope)

    def macro(self, macro_name: str) -> Reference:
        return Reference("", macro_name)


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
    hint = did_you_mean(bare, known) or f"; this program has {', '.join(known)}"
    raise UserError(f"gin file {name} does not exist{hint}")


def shipped() -> list[str]:
    """Return the names of the gin files in this program, such as psi_music."""
    for root in ROOTS[1:]:
        paths = glob.glob(os.path.join(root, "gin", "*.gin"))
        if paths:
            return sorted(os.path.splitext(os.path.basename(path))[0] for path in paths)
    return []


def statements(files: Sequence[str], params: Sequence[str] = ()) -> list[Statement]:
    """Return the statements of gin files and of what they include, then those of single bindings.

    Args:
        files: names of gin files, see `find`.
        params: single bindings.

    Raises:
        UserError: a file does not exist, or a line cannot be read.
    """
    found = [statement for name in files for statement in _read(find(name))]
    for param in params:
        found += _parse(param, f"--gin_param={param!r}")
    return found


def parse(text: str, name: str) -> Iterator[Statement]:
    """Yield the statements of a gin file's text and of what it includes.

    Args:
        text: the text.
        name: its path, for an error.

    Raises:
        UserError: a line cannot be read, or an included file does not exist.
    """
    return _parse(text, name, (name,))


def included(text: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield where a gin file's text includes another file, and the name of that file.

    Raises:
        UserError: a line cannot be read.
    """
    for found in _parsed(text, name, True):
        if isinstance(found, config_parser.IncludeStatement):
            yield f"{name} line {found.location.line_num}", found.filename


def macro_name(statement: Statement) -> str:
    """Return the name of the macro that a statement sets; "" if it sets none."""
    if statement.selector.rpartition(".")[2] == "macro" and statement.parameter == "value":
        return statement.scope
    return statement.selector if statement.selector and not statement.parameter else ""


def read_catalogue() -> dict[str, dict[str, str]]:
    """Return every configurable of this program: name -> parameter -> type."""
    return _read_list()["configurables"]


def objectives() -> list[str]:
    """Return the names of this program's objectives."""
    return _read_list()["objectives"]


def modules() -> dict[str, str]:
    """Return the modules of the configurables that exist only if a gin file imports them, by name."""
    return _read_list()["modules"]


@functools.cache
def _read_list() -> dict[str, Any]:
    with open(CATALOGUE, encoding="utf-8") as file:
        return json.load(file)


def _read(path: str, seen: tuple[str, ...] = ()) -> Iterator[Statement]:
    if path in seen:
        raise UserError(f"gin file {path} includes itself; remove the include")
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"gin file {path} cannot be read: {error}") from error
    yield from _parse(text, path, (*seen, path))


def _included(name: str, where: str) -> str:
    try:
        return find(name)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error


def _parse(text: str, name: str, seen: tuple[str, ...] = ()) -> Iterator[Statement]:
    for found in _parsed(text, name, bool(seen)):
        where = f"{name} line {found.location.line_num}" if seen else name
        if isinstance(found, config_parser.IncludeStatement):
            yield from _read(_included(found.filename, where), seen)
        elif isinstance(found, config_parser.ImportStatement):
            yield Statement(where, "", "", found.module)
        elif isinstance(found, config_parser.BindingStatement):
            yield Statement(where, found.selector, found.arg_name, found.value, found.scope or "")


def _parsed(text: str, name: str, has_lines: bool) -> Iterator[Any]:
    """Yield gin's own statements."""
    try:
        yield from config_parser.ConfigParser(text, _Delegate())
    except (SyntaxError, ValueError, tokenize.TokenError) as error:
        # Python's tokenizer and literal reader raise errors of their own.
        told = getattr(error, "lineno", None)
        line, sentence = gin_syntax.explain(text, told, read_catalogue())
        where = f"{name} line {line}" if has_lines else name
        raise UserError(f"{where}: {sentence}") from error

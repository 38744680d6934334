"""Whose code a run folder may execute: this program's, and what this user made or trusted on this machine."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from typing import Any

from rl_tuner.common.errors import UserError
from rl_tuner.common.files import write_text
from rl_tuner.common.gin_files import (
    ROOTS,
    Reference,
    Statement,
    find,
    included,
    macro_name,
    parse,
    read_catalogue,
)
from rl_tuner.common.own_code import is_own_module
from rl_tuner.common.progress import warn
from rl_tuner.common.run_folder import CONFIG_FILE

_STATE, _LIST = "sequence-tutor", "trusted"
# A macro may be set to another one, or to itself.
_DEEPEST = 50


def check(run_dir: str, trusted: bool) -> None:
    """Refuse a run whose settings execute code outside of this program, unless the user trusts it.

    A run that this user made on this machine is trusted by itself, and so is one trusted before.

    Args:
        run_dir: folder of a run with its config.gin.
        trusted: whether the user says that the run is trusted.

    Raises:
        UserError: the settings name such code, or include files from elsewhere.
    """
    path = os.path.join(run_dir, CONFIG_FILE)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    _check_includes(text, path, os.path.realpath(run_dir))
    found = list(dict.fromkeys(own_code(parse(text, path))))
    if not found:
        return
    if trusted:
        remember(text)
    elif _digest(text) not in _remembered():
        raise UserError(
            f"{path} would execute code that is not part of this program: {', '.join(found)}; read it, and"
            " if you trust whoever made this run, add --trust (trust=True in Python)"
        )


def remember(text: str) -> None:
    """Remember the settings of a run that this user made or trusts; nothing, if they name no other code."""
    if not any(own_code(parse(text, CONFIG_FILE))):
        return
    digest, known = _digest(text), _remembered()
    if digest in known:
        return
    try:
        write_text(_path(), "".join(f"{line}\n" for line in [*known, digest]))
    except OSError as error:
        warn(
            f"{_path()} cannot be written ({error.strerror}), so opening this run will need --trust"
        )


def own_code(statements: Iterable[Statement]) -> Iterator[str]:
    """Yield the modules and functions outside of this program that statements would execute."""
    catalogue = read_catalogue()
    statements = list(statements)
    macros = {macro_name(s): s.value for s in statements if macro_name(s)}
    for statement in statements:
        if not statement.selector and not statement.parameter:
            if is_own_module(f"{statement.value}."):
                yield f"module {statement.value}"
            continue
        annotation = catalogue.get(statement.name, {}).get(statement.parameter, "")
        if "Callable" in annotation:
            for name in _texts(statement.value, macros):
                if is_own_module(name):
                    yield f"function {name}"


def _texts(value: Any, macros: dict[str, Any], depth: int = 0) -> Iterator[str]:
    """Yield the strings in a value, also those of its macros."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Reference) and value.macro in macros and depth < _DEEPEST:
        yield from _texts(macros[value.macro], macros, depth + 1)
    elif isinstance(value, (list, tuple)) and not isinstance(value, Reference):
        for item in value:
            yield from _texts(item, macros, depth + 1)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item, macros, depth + 1)


def _check_includes(text: str, name: str, folder: str, seen: tuple[str, ...] = ()) -> None:
    """Refuse files that a run's settings include from outside of its folder and of this program."""
    homes = [folder, *(os.path.realpath(os.path.join(root, "gin")) for root in ROOTS[1:])]
    for where, file in included(text, name):
        path = os.path.realpath(find(file))
        if not any(path.startswith(f"{home}{os.sep}") for home in homes):
            raise UserError(
                f"{where}: a run includes only files of its own folder and of this program, not {path}"
            )
        if path in seen:
            raise UserError(f"{where}: {path} includes itself; remove the include")
        with open(path, encoding="utf-8") as opened:
            _check_includes(opened.read(), path, folder, (*seen, path))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _remembered() -> list[str]:
    try:
        with open(_path(), encoding="utf-8") as file:
            return file.read().split()
    except (OSError, UnicodeDecodeError):
        return []


def _path() -> str:
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(state, _STATE, _LIST)

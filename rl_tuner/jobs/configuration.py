"""gin: reading files and bindings, and the settings that a configurable will be called with."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
from collections.abc import Sequence
from typing import Any

import gin

from rl_tuner.common.errors import UserError

_TYPES = {
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "True or False"),
    "str": ((str,), "a text in quotes"),
}
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# What holds the folder gin/: an installed package has it inside, a checkout beside.
GIN_ROOT = _PACKAGE if os.path.isdir(os.path.join(_PACKAGE, "gin")) else os.path.dirname(_PACKAGE)


def configure(files: Sequence[str], params: Sequence[str]) -> None:
    """Reads gin files, then single bindings, which win; files and includes are also found from GIN_ROOT.

    Raises:
        UserError: a file is missing, or a line names something unknown or makes no sense.
    """
    gin.clear_config()
    for name in files:
        if not any(os.path.isfile(os.path.join(root, name)) for root in ("", GIN_ROOT)):
            raise UserError(f"gin file {name} does not exist")
    gin.add_config_file_search_path(GIN_ROOT)
    try:
        gin.parse_config_files_and_bindings(
            [name if os.path.isfile(name) else os.path.join(GIN_ROOT, name) for name in files],
            list(params),
            print_includes_and_imports=False,
        )
    except (ValueError, TypeError, SyntaxError, OSError, ImportError, AttributeError) as error:
        raise UserError(one_line(error)) from error


def one_line(error: BaseException) -> str:
    """A gin error as one sentence: what it says, then where."""
    if isinstance(error, SyntaxError):
        place = f"{error.filename or 'gin binding'} line {error.lineno}" if error.lineno else ""
        return f"gin cannot read {place}: {error.msg}: {(error.text or '').strip()}"
    text = re.sub(r"\s+", " ", str(error)).strip()
    # gin adds which function it called, with its address in memory: the name is enough.
    text = re.sub(r" In call to configurable ('[^']+') \(<.*?>\)", r" (in \1)", text)
    return re.sub(r"\s*In (bindings string|file) \"", r" in \1 \"", text)


def build(selector: str, **kwargs: Any) -> Any:
    """Calls a configurable with its bindings and `kwargs`.

    Raises:
        UserError: a binding is missing or has a value that the configurable refuses.
    """
    try:
        return gin.get_configurable(selector)(**kwargs)
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError(f"{selector}: {one_line(error)}") from error


def check_types(selector: str) -> None:
    """Compares the bindings of a configurable, references followed, with its annotations.

    Raises:
        UserError: a number is bound to a text, or the like.
    """
    parameters = inspect.signature(gin.get_configurable(selector)).parameters
    for name, value in gin.get_bindings(selector, resolve_references=False).items():
        if isinstance(value, gin.config.ConfigurableReference):
            if value.selector != "gin.macro":
                check_types(value.scoped_selector)
            continue
        annotation = parameters[name].annotation
        annotation = getattr(annotation, "__name__", annotation)
        kinds, meaning = _TYPES.get(annotation, (None, ""))
        # A bool is an int to Python, but no count or rate to a user.
        if kinds and (
            not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)
        ):
            raise UserError(f"{selector}.{name} takes {meaning}, not {value!r}")


def settings(selector: str) -> dict[str, Any]:
    """Every parameter of a configurable with the value it will have, references followed.

    Args:
        selector: name of a configurable.

    Returns:
        JSON-serialisable values by parameter name; a reference becomes {"@name": its settings}.
    """
    function = gin.get_configurable(selector)
    values = {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    values |= gin.get_bindings(selector, resolve_references=False)
    return {name: _plain(value) for name, value in sorted(values.items())}


def _plain(value: Any) -> Any:
    if isinstance(value, gin.config.ConfigurableReference):
        if value.selector == "gin.macro":
            return _plain(gin.query_parameter(f"{value.scoped_selector.split('/')[0]}/macro.value"))
        return {f"@{value.scoped_selector}": settings(value.scoped_selector)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f"@{type(value).__name__}": dataclasses.asdict(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return repr(value)

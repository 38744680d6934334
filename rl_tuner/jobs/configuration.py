"""Reading gin files and bindings, and the settings with which a configurable will be called."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

import gin

from rl_tuner.common import gin_checks, gin_files
from rl_tuner.common.errors import UserError
from rl_tuner.common.own_code import import_function, is_own_code, source_digest
from rl_tuner.common.settings import (
    annotated_type,
    cosmetic_names,
    described,
)

_SETTING = re.compile(r"[A-Za-z_]\w*\.\w+ ")


def configure(files: Sequence[str], params: Sequence[str]) -> None:
    """Read gin files, then single bindings, which override them; `gin_files.find` locates the files.

    Raises:
        UserError: a file is missing, or a line contains an unknown name or an invalid value.
    """
    gin_checks.check(files, params)
    _parse([gin_files.find(name) for name in files], list(params))


def configure_text(text: str, name: str) -> None:
    """Read the text of a gin file.

    Raises:
        UserError: a line contains an unknown name or an invalid value; the message starts with `name`.
    """
    try:
        _parse([], [text])
    except UserError as error:
        raise UserError(f"{name}: {error}") from error


def _parse(paths: list[str], bindings: list[str]) -> None:
    gin.clear_config()
    # An included file is found as one on the command line is, by its path or by its name alone.
    gin.config.register_file_reader(_open_gin_file, _is_gin_file)
    # gin logs every folder in which it does not find an included file; a file that is nowhere is an error.
    logging.disable(logging.ERROR)
    try:
        gin.parse_config_files_and_bindings(paths, bindings, print_includes_and_imports=False)
    except (ValueError, TypeError, SyntaxError, OSError, ImportError, AttributeError) as error:
        raise UserError(gin_sentence(error)) from error
    finally:
        logging.disable(logging.NOTSET)


def _open_gin_file(name: str) -> IO[str]:
    return open(gin_files.find(name), encoding="utf-8")


def _is_gin_file(name: str) -> bool:
    try:
        gin_files.find(name)
    except UserError:
        return False
    return True


def gin_sentence(error: BaseException) -> str:
    """Return a gin error in one line: the message, then the place."""
    if isinstance(error, SyntaxError):
        place = f"{error.filename or 'gin binding'} line {error.lineno}" if error.lineno else ""
        return f"gin cannot read {place}: {error.msg}: {(error.text or '').strip()}"
    text = re.sub(r"\s+", " ", str(error)).strip()
    # gin appends the configurables it called, with the memory addresses of their functions.
    text = re.sub(r" In call to configurable '[^']+' \(<.*?>\)", "", text)
    return re.sub(r"\s*In (bindings string|file) \"", r" in \1 \"", text)


def build(selector: str, **kwargs: Any) -> Any:
    """Call a configurable with its bindings and `kwargs`.

    Raises:
        UserError: a binding is missing or has a value that the configurable rejects.
    """
    try:
        return gin.get_configurable(selector)(**kwargs)
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError(_naming(selector, gin_sentence(error))) from error


def _naming(selector: str, sentence: str) -> str:
    """Return a sentence with the name of a configurable in front, unless it names a setting itself."""
    return sentence if _SETTING.match(sentence) else f"{selector}: {sentence}"


def check_types(selector: str) -> None:
    """Check the bindings of a configurable, and of those it refers to, against their annotations.

    Raises:
        UserError: a value has the wrong type, such as a string where a number is expected.
    """
    parameters = inspect.signature(_unscoped(selector)).parameters
    for name, value in gin.get_bindings(selector, resolve_references=False).items():
        references = list(_references(value))
        for reference in references:
            if reference.selector != "gin.macro":
                check_types(reference.scoped_selector)
        if references and value is references[0]:
            continue
        takes = gin_checks.mistyped(annotated_type(parameters[name].annotation), value)
        if takes:
            raise UserError(f"{selector}.{name} must be {takes}, not {value!r}")


def _references(value: Any) -> Iterator[gin.config.ConfigurableReference]:
    """Yield the references in a value, which may be a list or a dictionary of them."""
    if isinstance(value, gin.config.ConfigurableReference):
        yield value
    elif isinstance(value, (list, tuple)):
        yield from (found for item in value for found in _references(item))
    elif isinstance(value, dict):
        yield from (found for item in value.values() for found in _references(item))


def settings(selector: str) -> dict[str, Any]:
    """Return the parameters of a configurable that affect its output, with their values.

    Args:
        selector: name of a configurable.

    Returns:
        JSON-serialisable values by parameter name, without cosmetic parameters; a reference is followed
        and becomes {"@name": its settings}, with a digest of the source if it is the user's own code.
    """
    function = _unscoped(selector)
    cosmetic = cosmetic_names(function) | getattr(function, "cosmetic_settings", frozenset())
    parameters = inspect.signature(function).parameters
    found = {
        name: described(_named_function(parameters[name].annotation, value), _reference)
        for name, value in sorted(_values(function, selector).items())
        if name not in cosmetic
    }
    own = inspect.unwrap(function)
    return found | {"class": source_digest(own)} if is_own_code(own) else found


def _named_function(annotation: Any, value: Any) -> Any:
    """Return the function that a parameter names by a string, such as 'my_reward.score'."""
    if not isinstance(value, str) or "Callable" not in str(annotation):
        return value
    try:
        return import_function(value)
    except Exception:
        # The configurable itself reports a name that leads nowhere, when it is called.
        return value


def arguments(selector: str, names: Iterable[str] | None = None) -> dict[str, Any]:
    """Return the values that parameters of a configurable will have, with macros resolved.

    Args:
        selector: name of a configurable.
        names: names of the parameters; None is all.
    """
    values = _values(_unscoped(selector), selector)
    return {name: _macro(value) for name, value in values.items() if names is None or name in names}


def built_arguments(selector: str) -> dict[str, Any]:
    """Return the values that parameters of a configurable will have, with its references built.

    Raises:
        UserError: a reference cannot be built, because one of its own settings is invalid or missing.
    """
    try:
        return _values(_unscoped(selector), selector) | gin.get_bindings(selector)
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError(_naming(selector, gin_sentence(error))) from error


def _unscoped(selector: str) -> Any:
    """Return a configurable by its name; what gin returns for one in a scope has no signature."""
    return gin.get_configurable(selector.rpartition("/")[2])


def _values(function: Any, selector: str) -> dict[str, Any]:
    values = {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    return values | gin.get_bindings(selector, resolve_references=False)


def _macro(value: Any) -> Any:
    if isinstance(value, gin.config.ConfigurableReference) and value.selector == "gin.macro":
        return _macro(gin.query_parameter(f"{value.scoped_selector.split('/')[0]}/macro.value"))
    return value


def _reference(value: Any) -> Any:
    if not isinstance(value, gin.config.ConfigurableReference):
        return NotImplemented
    if value.selector == "gin.macro":
        return described(_macro(value), _reference)
    return {f"@{value.scoped_selector}": settings(value.scoped_selector)}

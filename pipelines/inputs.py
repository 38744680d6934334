"""Expansion of inputs (files, folders, patterns and lists) into a list of files.

A pattern such as `tunes/**/*.mid` is a glob: `**` stands for any number of folders. `@files.txt` is a text
file with one input per line.
"""

import dataclasses
import glob
import os
from collections.abc import Iterable, Iterator

from rl_tuner.common.errors import UserError

LIST_PREFIX = "@"
_WRONG = "does not exist; give a file, a folder, a pattern such as 'tunes/*.mid' or '@' and a list"


@dataclasses.dataclass(frozen=True, order=True)
class InputFile:
    """A file to read.

    Attributes:
        name: Name in messages and descriptions: the given folder's name and the path below it, never the
            full path.
        path: Path of the file.
    """

    name: str
    path: str


@dataclasses.dataclass(frozen=True)
class Input:
    """One input after the expansion of patterns and lists.

    Attributes:
        path: A file, a folder, or the name of a collection.
        name: Its name in messages and descriptions, as in `InputFile`.
        is_single: Whether it was given by itself, so that an unknown file type is an error instead of a
            rejection.
    """

    path: str
    name: str
    is_single: bool = True


def check_inputs(inputs: Iterable[str], prefix: str = "") -> None:
    """Make sure that files and folders exist.

    Args:
        inputs: Files, folders, patterns, lists and names.
        prefix: Beginning of a name that is not a path, such as "music21:"; "" for none.

    Raises:
        UserError: if an input does not exist.
    """
    expand(inputs, prefix)


def expand(inputs: Iterable[str], prefix: str = "") -> list[Input]:
    """Return the inputs with patterns and lists replaced by what they stand for, without repetitions.

    The files of a pattern or a list are named like those of the folder that contains them all.

    Args:
        inputs: Files, folders, patterns, lists and names.
        prefix: Beginning of the name of a collection, which is not a path; "" for none.

    Raises:
        UserError: if an input does not exist, a pattern matches nothing or a list cannot be read.
    """
    found: dict[str, Input] = {}
    for given in inputs:
        for each in _expanded(given, prefix):
            found.setdefault(each.path, each)
    return list(found.values())


def list_files(inputs: Iterable[str], *, recursive: bool = True) -> list[InputFile]:
    """Return the given files and the files in the given folders, sorted, without duplicates or hidden files.

    Raises:
        UserError: if an input does not exist or cannot be read.
    """
    found: dict[str, InputFile] = {}
    for given in expand(inputs):
        for file in files_of(given, recursive):
            real = os.path.realpath(file.path)
            found[real] = min(file, found.get(real, file))
    return sorted(found.values())


def files_of(given: Input, recursive: bool = True) -> list[InputFile]:
    """Return the files of an expanded input, sorted: itself, or those of a folder that are not hidden.

    Raises:
        UserError: if a folder cannot be read.
    """
    if os.path.isdir(given.path):
        return sorted(_list_folder(given, recursive))
    return [InputFile(given.name, given.path)]


def _expanded(given: str, prefix: str) -> list[Input]:
    if prefix and given.startswith(prefix):
        return [Input(given, given)]
    if os.path.exists(given):
        return [Input(given, os.path.basename(os.path.abspath(given)))]
    if given.startswith(LIST_PREFIX):
        return _named(list(_listed(given.removeprefix(LIST_PREFIX), prefix)), prefix)
    if glob.has_magic(given):
        return _named(_matches(given, given), prefix, _root(given))
    raise UserError(f"input {given} {_WRONG}")


def _named(paths: list[str], prefix: str, root: str = "") -> list[Input]:
    """Return inputs named as in the folder `root`; by default that which contains them all."""
    places = {path for path in paths if not (prefix and path.startswith(prefix))}
    folders = [root] if root else {os.path.dirname(os.path.abspath(path)) for path in places}
    base = os.path.commonpath([os.path.abspath(folder) for folder in folders]) if folders else ""
    names = {path: f"{os.path.basename(base)}/{_below(path, base)}" for path in places}
    return [Input(path, names.get(path, path), is_single=False) for path in paths]


def _below(path: str, base: str) -> str:
    return os.path.relpath(path, base).replace(os.sep, "/")


def _root(pattern: str) -> str:
    """Return the folder before the first part of a pattern that has a wildcard."""
    parts = pattern.split(os.sep)
    plain = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    return os.sep.join(parts[:plain]) or (os.sep if pattern.startswith(os.sep) else ".")


def _matches(pattern: str, where: str) -> list[str]:
    found = sorted(glob.glob(pattern, recursive=True))
    if not found:
        raise UserError(f"input {where} matches no file; correct the pattern")
    # With **, a folder and the files in it both match.
    return [path for path in found if os.path.isfile(path)] or found


def _listed(path: str, prefix: str) -> Iterator[str]:
    """Yield the inputs of a list, one per line; blank lines are ignored."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.rstrip("\r\n") for line in file]
    except OSError as error:
        raise UserError(
            f"input {LIST_PREFIX}{path}: the list cannot be read: {error.strerror}"
        ) from error
    if not any(line.strip() for line in lines):
        raise UserError(f"input {LIST_PREFIX}{path}: the list is empty")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if (prefix and line.startswith(prefix)) or os.path.exists(line):
            yield line
        elif glob.has_magic(line):
            yield from _matches(line, f"{line} ({path}, line {number})")
        else:
            raise UserError(
                f"input {line} ({path}, line {number}) does not exist; correct the list"
            )


def _list_folder(given: Input, recursive: bool) -> list[InputFile]:
    def fail(error: OSError) -> None:
        raise UserError(f"cannot read {error.filename}: {error.strerror}")

    folder = given.path
    files = []
    for parent, folders, names in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if recursive and not name.startswith(".")]
        for name in names:
            path = os.path.join(parent, name)
            if not name.startswith(".") and os.path.isfile(path):
                files.append(InputFile(f"{given.name}/{_below(path, folder)}", path))
    return files

"""Expansion of inputs (files and folders) into a list of files."""

import dataclasses
import os
from collections.abc import Iterable

from rl_tuner.common.errors import UserError


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


def check_inputs(inputs: Iterable[str], prefix: str = "") -> None:
    """Make sure that files and folders exist.

    Args:
        inputs: Files, folders and names.
        prefix: Beginning of a name that is not a path, such as "music21:"; "" for none.

    Raises:
        UserError: if an input does not exist.
    """
    for given in inputs:
        if not (prefix and given.startswith(prefix)) and not os.path.exists(given):
            raise UserError(f"input {given} does not exist; give a file or a folder")


def list_files(inputs: Iterable[str], *, recursive: bool = True) -> list[InputFile]:
    """Return the given files and the files in the given folders, sorted, without duplicates or hidden files.

    Raises:
        UserError: if an input does not exist or cannot be read.
    """
    found: dict[str, InputFile] = {}
    for given in inputs:
        if os.path.isdir(given):
            files = _list_folder(given, recursive)
        elif os.path.isfile(given):
            files = [InputFile(os.path.basename(given), given)]
        else:
            raise UserError(f"input {given} does not exist; give a file or a folder")
        for file in files:
            real = os.path.realpath(file.path)
            found[real] = min(file, found.get(real, file))
    return sorted(found.values())


def _list_folder(folder: str, recursive: bool) -> list[InputFile]:
    def fail(error: OSError) -> None:
        raise UserError(f"cannot read {error.filename}: {error.strerror}")

    base = os.path.basename(os.path.abspath(folder))
    files = []
    for parent, folders, names in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if recursive and not name.startswith(".")]
        for name in names:
            path = os.path.join(parent, name)
            if not name.startswith(".") and os.path.isfile(path):
                relative = os.path.relpath(path, folder).replace(os.sep, "/")
                files.append(InputFile(f"{base}/{relative}", path))
    return files

"""One writer per folder: a second process is refused, with the first one's number, machine and start."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
import socket
from collections.abc import Iterator

import filelock

from rl_tuner.common.errors import UserError
from rl_tuner.common.files import write_text
from rl_tuner.common.run_folder import PREVIOUS

# The system frees the lock of a dead process; who holds it is told in a second file.
_LOCK, _WRITER = ".lock", ".writer.json"
# Files that `files.replacing` has not yet put into their place.
_TEMPORARY = re.compile(r"\.\d+\..+")


@contextlib.contextmanager
def only_writer(folder: str, *, beside: bool = False) -> Iterator[None]:
    """Keep other processes of this program from writing into a folder, which is made if it is missing.

    What killed processes left half-written is removed.

    Args:
        folder: the folder.
        beside: whether the lock is next to the folder, which itself will be replaced.

    Raises:
        UserError: another process writes there.
    """
    path = _path(folder, beside)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    lock = _acquired(folder, path)
    writer = _writer(path)
    try:
        start = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
        text = {"pid": os.getpid(), "host": socket.gethostname(), "start": start}
        write_text(writer, json.dumps(text) + "\n")
        if not beside:
            _sweep(folder)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.remove(writer)
        lock.release()


def check(folder: str) -> None:
    """Make sure that no other process writes into a folder; nothing is made.

    Raises:
        UserError: another process does.
    """
    path = _path(folder, False)
    if not os.path.exists(path):
        return
    # A folder that must not be written is refused elsewhere.
    with contextlib.suppress(OSError):
        _acquired(folder, path).release()


def _acquired(folder: str, path: str) -> filelock.BaseFileLock:
    """Return the lock of a folder, held by this process.

    Raises:
        UserError: another process holds it.
    """
    lock = filelock.FileLock(path)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        raise UserError(_refusal(folder, path)) from None
    return lock


def _path(folder: str, beside: bool) -> str:
    full_path = os.path.realpath(folder)
    if not beside:
        return os.path.join(full_path, _LOCK)
    parent, name = os.path.split(full_path)
    return os.path.join(parent, f".{name}{_LOCK}")


def _writer(path: str) -> str:
    return f"{path.removesuffix(_LOCK)}{_WRITER}"


def _refusal(folder: str, path: str) -> str:
    try:
        with open(_writer(path), encoding="utf-8") as file:
            found = json.load(file)
        who = f"process {found['pid']} on {found['host']}, since {found['start']}"
    except (OSError, ValueError, KeyError, TypeError):
        who = "another process"
    return f"{folder} is being written by {who}; wait for its end, or choose another folder"


def _sweep(folder: str) -> None:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != PREVIOUS]
        for name in names:
            if _TEMPORARY.fullmatch(name):
                with contextlib.suppress(OSError):
                    os.remove(os.path.join(parent, name))

"""Atomic writing: a file or folder is written under a temporary name beside it, then renamed."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: str) -> Iterator[str]:
    """Yield a temporary path with the same suffix; its file replaces `path` if the block succeeds."""
    folder, name = os.path.split(path)
    os.makedirs(folder or ".", exist_ok=True)
    temporary = os.path.join(folder, f".{os.getpid()}.{name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def write_text(path: str, text: str) -> None:
    """Write a text file atomically."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(text)


@contextlib.contextmanager
def replacing_folder(path: str) -> Iterator[str]:
    """Yield a temporary folder; it replaces the folder `path` if the block succeeds, else is deleted.

    What killed runs left beside it is cleaned up first, see `clean_up`.
    """
    full_path = os.path.realpath(path)
    parent, name = os.path.split(full_path)
    os.makedirs(parent, exist_ok=True)
    clean_up(full_path)
    with contextlib.ExitStack() as stack:
        temporary = tempfile.mkdtemp(prefix=f".{name}.partial-", dir=parent)
        stack.callback(shutil.rmtree, temporary, ignore_errors=True)
        lock = os.open(temporary, os.O_RDONLY)
        stack.callback(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield temporary
        for entry in os.scandir(temporary):
            _sync(entry.path)
        _publish(temporary, full_path)
        _sync(parent)


def clean_up(full_path: str) -> None:
    """Remove what killed runs left beside a folder, and restore the folder if one was about to replace it.

    The temporary folders of live runs are locked and stay.
    """
    parent, name = os.path.split(full_path)
    pattern = os.path.join(glob.escape(parent), glob.escape(f".{name}"))
    for leftover in glob.glob(f"{pattern}.partial-*"):
        descriptor = os.open(leftover, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)
        shutil.rmtree(leftover, ignore_errors=True)
    for replaced in glob.glob(f"{pattern}.replaced-*"):
        if not os.path.exists(full_path) and os.listdir(replaced):
            os.rename(replaced, full_path)
        else:
            shutil.rmtree(replaced, ignore_errors=True)


def _publish(temporary: str, full_path: str) -> None:
    # mkdtemp makes folders that only their owner can access.
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(temporary, 0o777 & ~umask)
    if not os.path.isdir(full_path):
        os.rename(temporary, full_path)
        return
    parent, name = os.path.split(full_path)
    replaced = tempfile.mkdtemp(prefix=f".{name}.replaced-", dir=parent)
    os.rename(full_path, replaced)
    os.rename(temporary, full_path)
    shutil.rmtree(replaced, ignore_errors=True)


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

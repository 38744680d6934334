"""Atomic writing: a file or folder is written under a temporary name, then renamed."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: str) -> Iterator[str]:
    """Yield a temporary path with the same suffix; it replaces `path` if the block succeeds."""
    folder, name = os.path.split(path)
    os.makedirs(folder or ".", exist_ok=True)
    temporary = os.path.join(folder, f".{os.getpid()}.{name}")
    try:
        yield temporary
        if os.path.isdir(temporary) and os.path.isdir(path):
            # A folder cannot be replaced in one step, so the old one is deleted last.
            old = f"{temporary}.old"
            os.rename(path, old)
            os.rename(temporary, path)
            shutil.rmtree(old)
        else:
            os.replace(temporary, path)
    finally:
        if os.path.isdir(temporary):
            shutil.rmtree(temporary)
        elif os.path.exists(temporary):
            os.remove(temporary)


def write_text(path: str, text: str) -> None:
    """Write a text file atomically."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(text)

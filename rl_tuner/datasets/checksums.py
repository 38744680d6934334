"""Checksums of the shards of a dataset, by which a cut, empty or exchanged shard is noticed."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from rl_tuner.common.errors import UserError


def of_file(path: str) -> dict[str, Any]:
    """Return the number of bytes and the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": os.path.getsize(path), "sha256": sha256}


def check(path: str, noted: dict[str, Any], where: str) -> None:
    """Make sure that a shard is the one that was written.

    Args:
        path: the shard.
        noted: what `of_file` returned when it was written.
        where: the file in which that is noted.

    Raises:
        UserError: it is another one, or cannot be read.
    """
    try:
        found = of_file(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    for name, unit in (("bytes", " bytes"), ("sha256", " as its SHA-256")):
        if found[name] != noted.get(name):
            raise UserError(
                f"{path} has {found[name]}{unit}, but {where} says {noted.get(name)}; make the dataset"
                " again"
            )

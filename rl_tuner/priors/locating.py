"""Finding a prior's file and reading its description, without importing TensorFlow."""

from __future__ import annotations

import json
import os
import zipfile
from typing import Any

from rl_tuner.common.errors import UserError
from rl_tuner.common.run_folder import PRIOR_FILE

_BYTES, _SLACK = 4, 1.5
# Metadata contain a vocabulary and histograms.
_LARGEST_CONFIG = 50_000_000


def prior_file(path: str) -> str:
    """Return the path of a prior's file.

    Args:
        path: a .keras file, or a folder that contains prior.keras.

    Raises:
        UserError: there is no such file.
    """
    path = os.fspath(path)
    file = os.path.join(path, PRIOR_FILE) if os.path.isdir(path) else path
    if not os.path.isfile(file):
        raise UserError(
            f"prior {file} does not exist; train one with `python -m rl_tuner.pretrain`"
        )
    return file


def metadata_of(path: str) -> dict[str, Any]:
    """Return kind, encoding and provenance of a prior; empty if the file cannot be read.

    Args:
        path: a .keras file.
    """
    config = _content_of(path).get("config")
    metadata = config.get("metadata") if isinstance(config, dict) else None
    return metadata if isinstance(metadata, dict) else {}


def check_sizes(path: str) -> None:
    """Make sure that a prior's file is as large as the network that it describes, before that is built.

    Args:
        path: a .keras file.

    Raises:
        UserError: the file describes another kind of model, or more weights than it can contain, or
            unpacks to far more than its own size.
    """
    content = _content_of(path)
    name = str(content.get("registered_name") or content.get("class_name") or "")
    if not content or "SequenceNetwork" not in name:
        if name:
            raise UserError(f"{path} contains a {name}, not a prior of this program")
        return
    size = os.path.getsize(path)
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(info.file_size for info in archive.infolist())
    try:
        weights = _count_weights(content["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"prior {path} does not describe a network ({error!r})") from error
    # Weights have four bytes and hardly compress.
    most = _SLACK * size + 2**20
    if _BYTES * weights > most or unpacked > most:
        raise UserError(
            f"prior {path} describes {weights:,} weights and unpacks to {unpacked:,} bytes, which its"
            f" {size:,} bytes cannot contain; train or import it again"
        )


def _count_weights(config: dict[str, Any]) -> int:
    """Return the number of weights of a `SequenceNetwork` with this config."""
    classes, cells = config["num_classes"], config["cells"]
    embedding = config.get("embedding_size", 0)
    sizes = [classes, embedding, *cells]
    if not all(isinstance(size, int) and size >= 0 for size in sizes):
        raise ValueError(f"its sizes are {sizes}")
    total = (classes + 1) * embedding
    width = embedding or classes + 1
    for size in cells:
        total += 4 * size * (width + size + 1)
        width = size
    return total + (width + 1) * (classes + bool(config.get("value_head")))


def _content_of(path: str) -> dict[str, Any]:
    """Return config.json of a .keras file; empty if it cannot be read: loading tells what is wrong."""
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo("config.json")
            if info.file_size > _LARGEST_CONFIG:
                raise UserError(
                    f"prior {path}: its config.json has {info.file_size:,} bytes; at most"
                    f" {_LARGEST_CONFIG:,} are read"
                )
            content = json.loads(archive.read(info))
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}

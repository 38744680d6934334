"""Finding a prior's file and reading its description, without importing TensorFlow."""

from __future__ import annotations

import json
import os
import zipfile
from typing import Any

from rl_tuner.common.errors import UserError
from rl_tuner.common.run_folder import PRIOR_FILE


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
    try:
        with zipfile.ZipFile(path) as archive, archive.open("config.json") as file:
            return json.load(file)["config"]["metadata"] or {}
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError):
        # Loading the prior tells what is wrong with it.
        return {}

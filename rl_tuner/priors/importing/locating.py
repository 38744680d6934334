"""Finding the file of a foreign model, without importing TensorFlow."""

from __future__ import annotations

import os
import re

from rl_tuner.common.errors import UserError

_SUFFIX = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")


def check_keras_file(path: str) -> None:
    """Make sure that a Keras model exists in the format that contains no code.

    Raises:
        UserError: it does not.
    """
    if not os.path.isfile(path):
        raise UserError(f"model {path} does not exist; give a .keras file")
    # Other formats can contain code that Keras would run.
    if not path.endswith(".keras"):
        raise UserError(
            f"{path} is not a .keras file; save the model again with model.save('NAME.keras')"
        )


def checkpoint_prefix(path: str) -> str:
    """Return the prefix of the files of a TensorFlow 1 checkpoint, or the path of a bundle or folder.

    Raises:
        UserError: there is no such checkpoint.
    """
    prefix = _SUFFIX.sub("", path)
    if os.path.isdir(path):
        if not os.path.isfile(os.path.join(path, "checkpoint")):
            raise UserError(f"{path} has no file 'checkpoint'; give the checkpoint itself")
    elif not os.path.isfile(f"{prefix}.index") and not os.path.isfile(prefix):
        raise UserError(
            f"checkpoint {prefix} does not exist; give its prefix, one of its files or a bundle (.mag)"
        )
    return prefix

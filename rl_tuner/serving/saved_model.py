"""SavedModel export of the tuned policy and its prior, which run without this program."""

from __future__ import annotations

import json
import os

import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.common.files import replacing, write_text
from rl_tuner.common.progress import working
from rl_tuner.core.tuner import RLTuner
from rl_tuner.serving import model_card
from rl_tuner.serving.description import describe
from rl_tuner.serving.signatures import ServedPolicy

# TensorFlow's folder for files in a SavedModel that its signatures do not read.
EXTRAS, DESCRIPTION_FILE = "assets.extra", "description.json"
_GRAPH = "saved_model.pb"


def export(tuner: RLTuner, output_dir: str, run_dir: str | None = None) -> None:
    """Write a SavedModel into a folder atomically, replacing an earlier SavedModel there.

    The model has the signatures of `ServedPolicy`; the folder also contains MODEL_CARD.md and
    assets.extra/description.json.

    Args:
        tuner: a tuned policy with its prior.
        output_dir: the folder to make.
        run_dir: folder of the run, for its settings, metrics and samples; None omits them.

    Raises:
        UserError: `output_dir` is a file, or a folder that contains anything but a SavedModel.
    """
    if os.path.isdir(output_dir) and os.listdir(output_dir):
        if not os.path.isfile(os.path.join(output_dir, _GRAPH)):
            raise UserError(
                f"{output_dir} is not empty and does not contain a SavedModel; choose another output_dir"
            )
    elif os.path.isfile(output_dir):
        raise UserError(f"{output_dir} is a file; export into a folder")
    description = describe(tuner, run_dir)
    served = ServedPolicy(tuner, description)
    with replacing(os.path.abspath(output_dir)) as temporary:
        with working(f"export: writing {output_dir}"):
            tf.saved_model.save(served, temporary, signatures=served.signatures)
        text = json.dumps(description, indent=2) + "\n"
        write_text(os.path.join(temporary, EXTRAS, DESCRIPTION_FILE), text)
        model_card.write_model_card(temporary, tuner, run_dir)


def export_version(
    tuner: RLTuner, output_dir: str, version: int | None = None, run_dir: str | None = None
) -> str:
    """Write a SavedModel as OUTPUT_DIR/VERSION, the layout that TensorFlow Serving expects.

    The folder of a version appears when it is complete, so that a server that watches `output_dir`
    can load it; a version is never replaced.

    Args:
        tuner: a tuned policy with its prior.
        output_dir: the folder of all versions of one model.
        version: version number, at least 1; None is the number after the latest.
        run_dir: see `export`.

    Returns:
        The folder of the version.

    Raises:
        UserError: the version already exists, or the folder contains anything but versions.
    """
    if os.path.isfile(output_dir):
        raise UserError(f"{output_dir} is a file; export into a folder")
    names = os.listdir(output_dir) if os.path.isdir(output_dir) else []
    if _GRAPH in names:
        raise UserError(
            f"{output_dir} is itself a SavedModel; give the folder for all versions of the model"
        )
    versions = [int(name) for name in names if name.isdecimal()]
    if any(not name.startswith(".") for name in names) and not versions:
        raise UserError(
            f"{output_dir} is not empty and contains no SavedModel versions; choose another folder"
        )
    if version is None:
        version = max(versions, default=0) + 1
    if version < 1:
        raise UserError(f"a version must be at least 1, not {version}")
    if version in versions:
        raise UserError(
            f"{output_dir} already contains version {version}; omit the version to take the next number"
        )
    folder = os.path.join(output_dir, str(version))
    export(tuner, folder, run_dir)
    return folder

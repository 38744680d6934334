"""SavedModel export of the tuned policy and its prior, which run without this program."""

from __future__ import annotations

import json
import os

import tensorflow as tf

from rl_tuner.common import outputs
from rl_tuner.common.files import replacing_folder, write_text
from rl_tuner.common.progress import working
from rl_tuner.core.tuner import RLTuner
from rl_tuner.serving import model_card
from rl_tuner.serving.description import describe
from rl_tuner.serving.signatures import ServedPolicy

# TensorFlow's folder for files in a SavedModel that its signatures do not read.
EXTRAS, DESCRIPTION_FILE = "assets.extra", "description.json"


def export(
    tuner: RLTuner, output_dir: str, run_dir: str | None = None, *, overwrite: bool = False
) -> None:
    """Write a SavedModel as a folder, atomically.

    The model has the signatures of `ServedPolicy`; the folder also contains MODEL_CARD.md and
    assets.extra/description.json.

    Args:
        tuner: a tuned policy with its prior.
        output_dir: the folder to make.
        run_dir: folder of the run, for its settings, metrics and samples; None omits them.
        overwrite: whether to replace an earlier SavedModel there.

    Raises:
        UserError: `output_dir` cannot be written, contains anything but a SavedModel, or contains one
            and `overwrite` is not set.
    """
    outputs.check_export(output_dir, overwrite=overwrite)
    with (
        working(f"export: writing {output_dir}"),
        replacing_folder(output_dir) as temporary,
    ):
        description = describe(tuner, run_dir)
        served = ServedPolicy(tuner, description)
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
        UserError: the version already exists, or the folder cannot be written or contains anything but
            versions.
    """
    version = outputs.choose_version(output_dir, version)
    folder = os.path.join(output_dir, str(version))
    export(tuner, folder, run_dir)
    return folder

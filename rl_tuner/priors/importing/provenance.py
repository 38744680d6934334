"""Writing priors that another program trained."""

from __future__ import annotations

import importlib.metadata
import os
from typing import Any

from rl_tuner.common.errors import UserError
from rl_tuner.common.files import replacing
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.datasets.reader import SequenceDataset
from rl_tuner.priors.training import PRIOR_FILE
from rl_tuner.tasks.melody import encoding

MELODY_ENCODING = {
    "min_note": encoding.MIN_NOTE,
    "max_note": encoding.MAX_NOTE,
    "num_classes": encoding.NUM_CLASSES,
    "steps_per_quarter": encoding.STEPS_PER_QUARTER,
    "transpose_to_key": encoding.TRANSPOSE_TO_KEY,
}
ZERO_START = "zeros: as if no class had come before, since the imported network has no start token"


def find_encoding(kind: str, num_classes: int, dataset_dir: str | None = None) -> dict[str, Any]:
    """The encoding that an imported network of this kind speaks.

    Args:
        kind: kind of sequences, such as "melody".
        num_classes: classes that the network generates.
        dataset_dir: a dataset of the same kind and classes; only melodies do without one.

    Raises:
        UserError: kind, classes and dataset do not fit together.
    """
    if dataset_dir is None:
        if kind != "melody":
            raise UserError(
                f"the encoding of {kind!r} is not known: give --dataset_dir of a dataset of that kind"
            )
        found, where = MELODY_ENCODING, "the melody encoding has"
    else:
        dataset = SequenceDataset(dataset_dir)
        if dataset.kind != kind:
            raise UserError(f"{dataset_dir} holds {dataset.kind} sequences, not {kind} ones")
        found, where = dataset.description["encoding"], f"{dataset_dir} has"
    if found["num_classes"] != num_classes:
        raise UserError(
            f"the network generates {num_classes} classes, but {where} {found['num_classes']}"
        )
    return found


def save_imported(
    network: SequenceNetwork,
    output_dir: str,
    kind: str,
    encoding: dict[str, Any],
    imported: dict[str, Any],
) -> str:
    """Writes output_dir/prior.keras, in place of one that is there.

    Args:
        network: the prior; its metadata are filled in.
        output_dir: the folder.
        kind: kind of sequences.
        encoding: as in a dataset.json.
        imported: where the weights came from; "cells" and "num_classes" are added.

    Returns:
        The path of the file.

    Raises:
        UserError: the folder cannot be written.
    """
    facts = imported | {"cells": network.cells, "num_classes": network.num_classes}
    versions = {name: importlib.metadata.version(name) for name in ("tensorflow", "keras")}
    network.metadata = {
        "kind": kind,
        "encoding": encoding,
        # Nothing is known of the data, which is not the same as no data.
        "provenance": {
            "imported": facts,
            "class_histogram": None,
            "properties": None,
            "scores": None,
            "versions": versions,
        },
    }
    path = os.path.join(output_dir, PRIOR_FILE)
    try:
        with replacing(path) as temporary:
            network.save(temporary)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    return path

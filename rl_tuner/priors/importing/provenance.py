"""Saving of priors that another program trained."""

from __future__ import annotations

import importlib.metadata
import os
from typing import Any

from rl_tuner.common.errors import UserError
from rl_tuner.common.files import replacing
from rl_tuner.common.run_folder import PRIOR_FILE
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.datasets.reader import SequenceDataset

ZERO_START = "zeros: as if no class had come before, since the imported network has no start token"


def find_encoding(
    kind: str,
    num_classes: int,
    dataset_dir: str | None = None,
    encoding: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the encoding of an imported network.

    Args:
        kind: kind of sequences, such as "melody".
        num_classes: classes that the network generates.
        dataset_dir: a dataset of the same kind and classes; None takes `encoding`.
        encoding: the encoding of the kind, where it does not depend on data.

    Raises:
        UserError: the kind or the number of classes does not fit the dataset or the encoding.
    """
    if dataset_dir is None:
        if encoding is None:
            raise UserError(
                f"kind {kind!r} needs dataset_dir, the folder of a dataset of this kind: its encoding depends"
                " on the data"
            )
        found, where = encoding, f"the encoding of {kind!r} has"
    else:
        dataset = SequenceDataset(dataset_dir)
        if dataset.kind != kind:
            raise UserError(
                f"{dataset_dir} contains {dataset.kind} sequences, not {kind} sequences"
            )
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
    """Write output_dir/prior.keras, replacing an earlier one.

    Args:
        network: the prior; its metadata are set.
        output_dir: the folder.
        kind: kind of sequences.
        encoding: encoding as in a dataset.json.
        imported: origin of the weights; "cells" and "num_classes" are added.

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
        # None means unknown, not empty.
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

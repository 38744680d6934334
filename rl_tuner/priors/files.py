"""Files of priors: a .keras file with architecture, weights, vocabulary and provenance."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import keras
import numpy as np

from rl_tuner.common.errors import UserError, first_line
from rl_tuner.common.files import replacing
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.task import Task
from rl_tuner.datasets.reader import SequenceDataset
from rl_tuner.priors.locating import check_sizes, prior_file


def save_prior(
    network: SequenceNetwork, dataset: SequenceDataset, scores: dict[str, Any], path: str
) -> None:
    """Write a prior as a .keras file with the vocabulary and provenance of its dataset."""
    network.metadata = {
        "kind": dataset.kind,
        "encoding": dataset.description["encoding"],
        "provenance": {
            "source": dataset.description.get("source"),
            "licence": dataset.description.get("licence"),
            "settings": dataset.description.get("settings"),
            "splits": {
                name: {key: split.get(key) for key in ("sequences", "tokens")}
                for name, split in dataset.description["splits"].items()
            },
            "class_histogram": dataset.description.get("class_histogram"),
            "properties": dataset.description.get("properties"),
            "scores": scores,
            "versions": {
                name: importlib.metadata.version(name) for name in ("tensorflow", "keras")
            },
        },
    }
    with replacing(path) as temporary:
        network.save(temporary)


def load_prior(path: str) -> SequenceNetwork:
    """Read a prior written by `save_prior`; loading does not execute code from the file.

    Args:
        path: a .keras file, or a folder that contains prior.keras.

    Raises:
        UserError: the file is missing, damaged or not a prior, its sizes do not fit its weights, or a
            weight is NaN or infinite.
    """
    path = prior_file(path)
    check_sizes(path)
    try:
        network = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise UserError(
            f"prior {path} cannot be read ({first_line(error)}); train or import it again"
        ) from error
    if not isinstance(network, SequenceNetwork):
        raise UserError(f"{path} contains a {type(network).__name__}, not a prior of this program")
    for weight in network.weights:
        if not np.isfinite(weight.numpy()).all():
            raise UserError(
                f"prior {path}: {weight.path} contains values that are NaN or infinite; train or import it"
                " again"
            )
    return network


def load_matching_prior(path: str, task: Task) -> SequenceNetwork:
    """Read a prior and let a task adopt its vocabulary.

    Raises:
        UserError: the prior cannot be read, or generates other sequences than the task needs.
    """
    prior = load_prior(path)
    adopt_prior(task, prior, f"prior {path}")
    return prior


def adopt_prior(task: Task, prior: SequenceNetwork, name: str) -> None:
    """Let a task adopt the vocabulary of a prior.

    Args:
        task: the task.
        prior: the network to tune.
        name: name of the prior in an error message.

    Raises:
        UserError: the prior generates other sequences than the task needs.
    """
    kind = prior.metadata.get("kind", task.kind)
    if kind != task.kind:
        raise UserError(
            f"{name} generates {kind} sequences, but the task needs {task.kind} sequences; train a prior for"
            " this task"
        )
    task.adopt(prior.metadata)
    if prior.num_classes != task.num_classes:
        raise UserError(
            f"{name} generates {prior.num_classes} classes, but the task needs {task.num_classes}; train a"
            " prior for this task"
        )

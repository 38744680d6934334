"""Datasets and priors that take no time to make."""

import os

import keras
import numpy as np

from rl_tuner.common.run_folder import PRIOR_FILE
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.datasets import sequence_examples, writer
from rl_tuner.datasets.reader import SequenceDataset
from rl_tuner.priors.files import save_prior
from rl_tuner.tasks.melody.encoding import MELODY_ENCODING
from rl_tuner.tasks.molecule import tokens

SMILES = ("CCO", "CCN", "CCC", "CCCO", "CCCN", "CCOC", "c1ccccc1", "Cc1ccccc1", "CC(C)O", "OCCO")

_TAILS = ("C", "CC", "CO", "CN", "CCl", "C=O", "C(C)C", "CF")
# Enough molecules for three splits.
NAMED = [*SMILES, *(f"{head}{tail}" for head in SMILES[:5] for tail in _TAILS)]


def write_dataset(folder, kind, encoding, sequences, texts=None):
    """A dataset whose three splits hold the same sequences."""
    examples = []
    for index, row in enumerate(sequences):
        context = {"id": str(index), "length": len(row)}
        context |= {"smiles": texts[index]} if texts else {"steps_per_bar": 16}
        examples.append((sequence_examples.serialise(context, row), len(row)))
    description = {"format": 1, "kind": kind, "encoding": encoding, "splits": {}}
    splits = dict.fromkeys(writer.SPLITS, examples)
    writer.write_dataset(str(folder), description, splits, [], num_shards=1, overwrite=False)
    return str(folder)


def melodies(folder, count=12, length=32):
    rng = np.random.default_rng(0)
    rows = [rng.integers(2, 38, length).tolist() for _ in range(count)]
    return write_dataset(folder, "melody", MELODY_ENCODING, rows)


def molecules(folder):
    vocabulary = tokens.Vocabulary.of(SMILES, "atom")
    rows = [vocabulary.encode(smiles) for smiles in SMILES]
    encoding = tokens.Encoding.measure(vocabulary, rows).to_json()
    return write_dataset(folder, "molecule", encoding, rows, SMILES)


def prior(folder, dataset_dir):
    """An untrained prior, saved."""
    data = SequenceDataset(dataset_dir)
    keras.utils.set_random_seed(0)
    network = SequenceNetwork(data.num_classes, [8])
    path = os.path.join(str(folder), PRIOR_FILE)
    os.makedirs(str(folder), exist_ok=True)
    save_prior(network, data, {}, path)
    return path

"""Building and reading small datasets of molecules."""

import csv
import json
import os

import pytest
from rdkit import RDConfig

from pipelines.molecule import build
from rl_tuner.datasets import tfrecords
from rl_tuner.tasks.molecule import tokens

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
GOOD = os.path.join(ROOT, "testdata", "molecules", "good")
BAD = os.path.join(ROOT, "testdata", "molecules", "bad")
ALL_TRAIN = {"validation_ratio": 0.0, "test_ratio": 0.0}


def make(inputs, output_dir, **changes):
    options = {"num_processes": 1} | changes
    inputs = [str(given) for given in inputs]
    return build.build_molecule_dataset(inputs, str(output_dir), **options)


def build_lines(lines, folder, **changes):
    """Returns the description of a dataset of these lines, all for training, in folder/d."""
    (folder / "in.smi").write_text("".join(f"{line}\n" for line in lines))
    return make([folder / "in.smi"], folder / "d", **(ALL_TRAIN | changes))


def read(folder, same_text=True):
    """Returns (split, smiles, spelled text, classes, source) of every string, by TensorFlow's parser."""
    tf = pytest.importorskip("tensorflow")
    with open(os.path.join(folder, "dataset.json")) as file:
        description = json.load(file)
    vocabulary = tokens.Vocabulary.from_json(description["encoding"])
    names = {"id": tf.string, "source": tf.string, "smiles": tf.string}
    names |= {"length": tf.int64, "spelling": tf.int64}
    strings = []
    for split, content in description["splits"].items():
        for shard in content["shards"]:
            path = os.path.join(folder, shard)
            for offset, _ in tfrecords.record_spans(path):
                context, lists = tf.io.parse_single_sequence_example(
                    tfrecords.read_record(path, offset),
                    {name: tf.io.FixedLenFeature([], kind) for name, kind in names.items()},
                    {"tokens": tf.io.FixedLenSequenceFeature([], tf.int64)},
                )
                classes = lists["tokens"].numpy().tolist()
                assert len(classes) == context["length"].numpy()
                assert classes.index(tokens.END) == len(classes) - 1
                smiles, source = (context[n].numpy().decode() for n in ("smiles", "source"))
                text = vocabulary.decode(classes)
                if same_text:
                    assert (text == smiles) == (context["spelling"].numpy() == 0)
                strings.append((split, smiles, text, classes, source))
    return strings


def smiles_of(folder):
    return {smiles for _, smiles, *_ in read(folder)}


def rejected(folder):
    with open(os.path.join(folder, "rejected.csv"), newline="") as file:
        return [tuple(row) for row in csv.reader(file)][1:]


def files(folder):
    return {n: open(os.path.join(folder, n), "rb").read() for n in sorted(os.listdir(folder))}


def nci_lines(count):
    """Returns the first SMILES strings of the set that comes with RDKit."""
    with open(os.path.join(RDConfig.RDDataDir, "NCI", "first_5K.smi")) as file:
        return [line.split()[0] for line in file][:count]

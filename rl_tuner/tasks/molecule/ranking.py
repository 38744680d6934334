"""Ranked lists of generated molecules: the valid, distinct ones, best first, with what is known of them."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from rdkit import Chem, DataStructs
from rdkit.Chem import rdDepictor

from rl_tuner.common.files import replacing, write_text
from rl_tuner.tasks.molecule.chemistry import Properties
from rl_tuner.tasks.molecule.probes import fingerprint_generator

_BLOCK = 16_384  # training molecules whose fingerprints are in memory
_RADIUS, _BITS = 2, 2048
_PROPERTIES = ("logp", "qed", "sa", "molecular_weight", "heavy_atoms", "largest_ring")


@dataclasses.dataclass(frozen=True)
class Nearest:
    """The nearest training molecule of each of N molecules.

    Attributes:
        smiles: its canonical SMILES.
        similarity: Tanimoto similarity of Morgan fingerprints (radius 2, 2,048 bits), 0 .. 1.
        is_new: whether the molecule itself is not a training molecule.
    """

    smiles: list[str]
    similarity: list[float]
    is_new: list[bool]


def distinct(properties: Sequence[Properties | None]) -> list[int]:
    """Return the places of the first occurrence of each distinct valid molecule."""
    places: dict[str, int] = {}
    for place, found in enumerate(properties):
        if found is not None:
            places.setdefault(found.canonical, place)
    return list(places.values())


def nearest(smiles: Sequence[str], training: Iterable[str]) -> Nearest:
    """Find the nearest training molecule of each molecule; the first of several at the same distance.

    Args:
        smiles: N canonical SMILES.
        training: canonical SMILES of the training molecules, at least one; time is proportional to N times
            their number, memory is not.
    """
    generator = fingerprint_generator(_RADIUS, _BITS)

    def prints(texts: Sequence[str]) -> list[Any]:
        return [generator.GetFingerprint(Chem.MolFromSmiles(text)) for text in texts]

    found = Nearest([""] * len(smiles), [-1.0] * len(smiles), [True] * len(smiles))
    own, fingerprints = {text: place for place, text in enumerate(smiles)}, prints(smiles)
    known = iter(training)
    while block := list(itertools.islice(known, _BLOCK)):
        references = prints(block)
        for place, fingerprint in enumerate(fingerprints):
            similarities = np.array(DataStructs.BulkTanimotoSimilarity(fingerprint, references))
            best = int(np.argmax(similarities))
            if similarities[best] > found.similarity[place]:
                found.smiles[place] = block[best]
                found.similarity[place] = float(similarities[best])
        for text in own.keys() & block:
            # Other molecules may have the same fingerprint.
            found.smiles[own[text]], found.is_new[own[text]] = text, False
    return found


def table(
    properties: Sequence[Properties],
    rewards: np.ndarray,
    log_policy: np.ndarray,
    log_prior: np.ndarray,
    columns: Mapping[str, np.ndarray],
    neighbours: Nearest | None,
) -> list[dict[str, Any]]:
    """Return one row per molecule, the largest reward first.

    Args:
        properties: properties of N valid, distinct molecules.
        rewards: float [N].
        log_policy: float [N], log-probability of each string under the tuned policy, in nats.
        log_prior: float [N], the same under the prior.
        columns: further numbers, name -> float [N].
        neighbours: nearest training molecules; None if the training data are unknown.
    """
    rows = []
    for rank, place in enumerate(np.argsort(-np.asarray(rewards), kind="stable"), start=1):
        found = properties[place]
        row: dict[str, Any] = {"rank": rank, "smiles": found.canonical}
        row["reward"] = float(rewards[place])
        row |= {name: float(column[place]) for name, column in columns.items()}
        row |= {name: getattr(found, name) for name in _PROPERTIES}
        row |= {"nll_tuned": -float(log_policy[place]), "nll_prior": -float(log_prior[place])}
        if neighbours:
            row["new"] = neighbours.is_new[place]
            row["nearest_training"] = neighbours.smiles[place]
            row["nearest_similarity"] = neighbours.similarity[place]
        rows.append(row)
    return rows


def write_csv(path: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows with equal keys; without any, an empty file."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _shown(value) for key, value in row.items()} for row in rows)
    write_text(path, text.getvalue())


def write_sdf(path: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the molecules of rows with 2D coordinates; each column is a property."""
    with replacing(path) as temporary:
        writer = Chem.SDWriter(temporary)
        for row in rows:
            mol = Chem.MolFromSmiles(row["smiles"])
            rdDepictor.Compute2DCoords(mol)
            mol.SetProp("_Name", f"rank_{row['rank']}")
            for name, value in row.items():
                mol.SetProp(name, str(_shown(value)))
            writer.write(mol)
        writer.close()


def _shown(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value

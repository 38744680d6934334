"""Diversity filters: the reward of a molecule falls once its bucket, such as a scaffold, is full."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import gin
import numpy as np
from rdkit import Chem, DataStructs

from rl_tuner.common.ranges import Range, check
from rl_tuner.tasks.molecule.probes import fingerprint_generator, scaffold_of

BUCKETS = ("scaffold", "generic_scaffold", "molecule", "similarity")
_RANGES = {
    "DiversityFilter": {
        "size": Range(least=1, whole=True),
        "threshold": Range(),
        "radius": Range(least=0, most=1),
    }
}
# As steep as REINVENT's: the sigmoid falls within about half of the bucket's size.
_STEEPNESS = 0.15


def _step(share: float) -> float:
    return 1.0 if share <= 1 else 0.0


def _linear(share: float) -> float:
    return max(0.0, 1.0 - share)


def _sigmoid(share: float) -> float:
    return 1.0 - 1.0 / (1.0 + math.exp(-min(50.0, (2.0 * share - 1.0) / _STEEPNESS)))


def _tanh(share: float) -> float:
    return 1.0 - math.tanh(3.0 * share)


SHAPES: dict[str, Callable[[float], float]] = {
    "step": _step,
    "linear": _linear,
    "sigmoid": _sigmoid,
    "tanh": _tanh,
}


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class DiversityFilter:
    """Lowers the positive reward of molecules whose bucket already has many good molecules.

    With n the number of distinct molecules of the bucket whose own reward is at least `threshold`, and s the
    size of a bucket, the reward is multiplied by, depending on the shape,
    "step": 1 for n <= s, else 0; "linear": max(0, 1 - n / s);
    "sigmoid": 1 - 1 / (1 + exp(-(2 n / s - 1) / 0.15)); "tanh": 1 - tanh(3 n / s).
    The step counts the molecule itself, the others only those before it. Each distinct molecule keeps its
    place: it is counted once, and has the factor of the current count whenever it is sampled.

    Attributes:
        bucket: what molecules of one bucket have in common: the Bemis-Murcko "scaffold", the
            "generic_scaffold" (its graph alone), the "molecule" itself, counted by how often it was
            sampled, or a "similarity" above `radius` to the first molecule of the bucket.
        size: s.
        threshold: reward from which a molecule is counted.
        shape: "step", "linear", "sigmoid" or "tanh".
        radius: Tanimoto similarity of Morgan fingerprints (radius 2) from which molecules share a bucket.

    Raises:
        ValueError: a name is unknown, or a number is out of range.
    """

    bucket: str = "scaffold"
    size: int = 25
    threshold: float = 0.4
    shape: str = "step"
    radius: float = 0.6

    def __post_init__(self) -> None:
        for name, known in (("bucket", BUCKETS), ("shape", tuple(SHAPES))):
            if getattr(self, name) not in known:
                options = ", ".join(map(repr, known))
                raise ValueError(
                    f"DiversityFilter.{name} must be one of {options}, not {getattr(self, name)!r}"
                )
        numbers = {name: getattr(self, name) for name in ("size", "threshold", "radius")}
        check(_RANGES, "DiversityFilter", **numbers)

    def factor(self, count: int) -> float:
        """Return the factor for a bucket in which `count` molecules were before."""
        itself = 1 if self.shape == "step" else 0
        return SHAPES[self.shape]((count + itself) / self.size)


class Buckets:
    """The buckets of a run and the molecules in them.

    Args:
        settings: the filter.
    """

    def __init__(self, settings: DiversityFilter) -> None:
        self._settings = settings
        self._counts: dict[str, int] = {}
        self._places: dict[str, tuple[str, int]] = {}
        self._centres: list[tuple[str, DataStructs.ExplicitBitVect]] = []

    def factors(self, molecules: Sequence[tuple[str, float]]) -> np.ndarray:
        """Count molecules, in their order, and return the factor of each reward, float64 [M].

        Args:
            molecules: canonical SMILES of M valid molecules, each with its own reward.
        """
        return np.array([self._factor(*molecule) for molecule in molecules], np.float64)

    def state(self) -> dict[str, Any]:
        """Return all that is remembered, as JSON-serialisable values."""
        centres = [smiles for smiles, _ in self._centres]
        return {"counts": self._counts, "places": self._places, "centres": centres}

    def restore(self, state: dict[str, Any]) -> None:
        """Remember what `state` returned."""
        self._counts = dict(state["counts"])
        self._places = {smiles: (place[0], place[1]) for smiles, place in state["places"].items()}
        self._centres = [(smiles, _fingerprint(smiles)) for smiles in state["centres"]]

    def _factor(self, smiles: str, reward: float) -> float:
        bucket = self._bucket_of(smiles)
        count = self._counts.get(bucket, 0)
        is_repeated = smiles in self._places and self._settings.bucket != "molecule"
        if is_repeated and self._places[smiles][1]:
            # The molecule itself is among those that were counted.
            count -= 1
        elif not is_repeated:
            counts = reward >= self._settings.threshold
            self._counts[bucket] = count + counts
            self._places[smiles] = bucket, int(counts)
        return self._settings.factor(count)

    def _bucket_of(self, smiles: str) -> str:
        if smiles in self._places:
            return self._places[smiles][0]
        kind = self._settings.bucket
        if kind == "similarity":
            return self._cluster_of(smiles)
        return smiles if kind == "molecule" else _scaffold(smiles, kind == "generic_scaffold")

    def _cluster_of(self, smiles: str) -> str:
        """Return the first molecule of the nearest bucket, or this one, which then begins a bucket."""
        fingerprint = _fingerprint(smiles)
        if self._centres:
            prints = [known for _, known in self._centres]
            similarities = DataStructs.BulkTanimotoSimilarity(fingerprint, prints)
            nearest = int(np.argmax(similarities))
            if similarities[nearest] >= self._settings.radius:
                return self._centres[nearest][0]
        self._centres.append((smiles, fingerprint))
        return smiles


def _fingerprint(smiles: str) -> DataStructs.ExplicitBitVect:
    return fingerprint_generator(2, 2048).GetFingerprint(Chem.MolFromSmiles(smiles))


@functools.lru_cache(maxsize=100_000)
def _scaffold(smiles: str, is_generic: bool) -> str:
    return scaffold_of(Chem.MolFromSmiles(smiles), is_generic)

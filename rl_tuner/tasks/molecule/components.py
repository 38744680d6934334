"""Components of a molecule's score, to be combined in gin."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Sequence

import gin
import numpy as np
from rdkit import Chem, rdBase

from rl_tuner.tasks.molecule import chemistry
from rl_tuner.tasks.molecule.chemistry import Probe, Properties
from rl_tuner.tasks.molecule.probes import SimilarityProbe, SubstructureProbe
from rl_tuner.tasks.molecule.transforms import Transform

USUAL_RING = 6


@dataclasses.dataclass(frozen=True)
class Component(abc.ABC):
    """One number of a valid molecule, with its weight and transform.

    Attributes:
        weight: weight among the components, above 0.
        transform: converts the number into a desirability; None uses the number itself.
        name: name in summaries and tables; empty is the usual name of the component.

    Raises:
        ValueError: the weight is not positive, or the transform is not callable.
    """

    weight: float = 1.0
    transform: Transform | None = None
    name: str = ""

    usual_name = ""
    wanted = frozenset[str]()

    def __post_init__(self) -> None:
        kind = type(self).__name__
        is_number = isinstance(self.weight, (int, float)) and not isinstance(self.weight, bool)
        if not is_number or not 0 < self.weight < math.inf:
            raise ValueError(f"{kind}.weight must be a number above 0, not {self.weight!r}")
        if self.transform is not None and not callable(self.transform):
            raise ValueError(
                f"{kind}.transform must be a transform such as @Sigmoid(), not {self.transform!r}"
            )
        if not self.name:
            object.__setattr__(self, "name", self.usual_name)

    @property
    def probe(self) -> Probe | None:
        """The probe that the component needs in addition to `wanted`; None for none."""
        return None

    @abc.abstractmethod
    def values(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return the number of each of N valid molecules, before the transform: float64 [N]."""

    def desirability(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return the number of each of N valid molecules after the transform: float64 [N]."""
        values = self.values(properties)
        return values if self.transform is None else self.transform(values)


@gin.configurable(module="rl_tuner")
class Validity(Component):
    """The number 1 for every valid molecule."""

    usual_name = "valid"

    def values(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return ones."""
        return np.ones(len(properties))


@gin.configurable(module="rl_tuner")
class LogP(Component):
    """Crippen logP."""

    usual_name, wanted = "logp", frozenset([chemistry.LOGP])

    def values(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return the logP."""
        return _array(p.logp for p in properties)


@gin.configurable(module="rl_tuner")
class QED(Component):
    """Quantitative estimate of drug-likeness, 0 .. 1."""

    usual_name, wanted = "qed", frozenset([chemistry.QED])

    def values(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return the QED."""
        return _array(p.qed for p in properties)


@gin.configurable(module="rl_tuner")
class SyntheticAccessibility(Component):
    """The SA score, 1 (easy) to 10 (hard)."""

    usual_name, wanted = "sa", frozenset([chemistry.SA])

    def values(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return the SA score."""
        return _array(p.sa for p in properties)


@gin.configurable(module="rl_tuner")
class NormalisedSA(Component):
    """(10 - SA) / 9: 1 for molecules that are easy to make, 0 for those that are hard to make."""

    usual_name, wanted = "normalised_sa", frozenset([chemistry.SA])

    def values(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return the normalised score."""
        return (10.0 - _array(p.sa for p in properties)) / 9.0


@gin.configurable(module="rl_tuner")
class RingPenalty(Component):
    """max(0, L - 6) for a largest ring of L atoms; use a transform for which less is better."""

    usual_name = "ring_penalty"

    def values(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return the penalty, at least 0."""
        return ring_penalty(properties)


@gin.configurable(module="rl_tuner")
class MolecularWeight(Component):
    """Average molecular weight in dalton."""

    usual_name = "molecular_weight"

    def values(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return the weight."""
        return _array(p.molecular_weight for p in properties)


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Similarity(Component):
    """Tanimoto similarity of Morgan fingerprints to a given molecule, 0 .. 1.

    Attributes:
        reference: SMILES of the molecule.
        radius: radius of the fingerprint's environments, in bonds.
        bits: length of the fingerprint.

    Raises:
        ValueError: `reference` is not a molecule.
    """

    reference: str = ""
    radius: int = 2
    bits: int = 2048

    usual_name = "similarity"

    def __post_init__(self) -> None:
        super().__post_init__()
        with rdBase.BlockLogs():
            if not isinstance(self.reference, str) or chemistry.parse(self.reference) is None:
                raise ValueError(f"Similarity.reference must be a SMILES, not {self.reference!r}")
        if self.radius < 0 or self.bits < 1:
            raise ValueError(
                f"Similarity.radius must be at least 0 and Similarity.bits at least 1, not {self.radius}"
                f" and {self.bits}"
            )

    @property
    def probe(self) -> Probe | None:
        """The probe by which a worker measures the similarity."""
        return SimilarityProbe(self.reference, self.radius, self.bits)

    def values(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return the similarity."""
        return _probed(self.probe, properties)


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Substructure(Component):
    """The number 1 if a molecule has a required substructure, or lacks a forbidden one, else 0.

    Attributes:
        smarts: the substructure as a SMARTS pattern.
        required: whether the substructure is required; otherwise it is forbidden.

    Raises:
        ValueError: `smarts` is not a pattern.
    """

    smarts: str = ""
    required: bool = True

    usual_name = "substructure"

    def __post_init__(self) -> None:
        super().__post_init__()
        with rdBase.BlockLogs():
            pattern = Chem.MolFromSmarts(self.smarts) if isinstance(self.smarts, str) else None
        if pattern is None or not pattern.GetNumAtoms():
            raise ValueError(f"Substructure.smarts must be a SMARTS, not {self.smarts!r}")

    @property
    def probe(self) -> Probe | None:
        """The probe by which a worker matches the pattern."""
        return SubstructureProbe(self.smarts)

    def values(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return 1 or 0."""
        found = _probed(self.probe, properties)
        return found if self.required else 1.0 - found


def _probed(probe: Probe | None, properties: Sequence[Properties]) -> np.ndarray:
    if probe is None:
        raise ValueError("a component without a probe has no probed values")
    return _array(p.probed[probe.key] for p in properties)


def ring_penalty(properties: Sequence[Properties]) -> np.ndarray:
    """Return max(0, L - 6) for the L atoms of each molecule's largest ring: float64 [N]."""
    return _array(max(0, p.largest_ring - USUAL_RING) for p in properties)


def _array(values) -> np.ndarray:
    return np.array(list(values), np.float64)

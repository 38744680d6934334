"""Similarity to a given molecule as a component of a score."""

from __future__ import annotations

import dataclasses

import gin
from rdkit import rdBase

from rl_tuner.tasks.molecule import chemistry
from rl_tuner.tasks.molecule.component import ProbedComponent
from rl_tuner.tasks.molecule.fingerprints import Fingerprint
from rl_tuner.tasks.molecule.probes import SimilarityProbe


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Similarity(ProbedComponent):
    """Tanimoto similarity of fingerprints to a given molecule, 0 .. 1.

    Attributes:
        reference: SMILES of the molecule.
        fingerprint: "ECFP" (Morgan), "FCFP" (Morgan on features of atoms), "AP" (atom pairs), "TT"
            (topological torsions), "path" (RDKit's own) or "pharmacophore" (pairs and triples, slow).
        radius: radius of the environments of ECFP and FCFP, in bonds: 2 is ECFP4.
        counts: whether to compare how often each feature occurs instead of which ones occur.
        bits: length of the vector of bits; counts and pharmacophores are not folded.

    Raises:
        ValueError: `reference` is not a molecule, or the fingerprint does not exist.
    """

    reference: str = ""
    fingerprint: str = "ECFP"
    radius: int = 2
    counts: bool = False
    bits: int = 2048

    usual_name = "similarity"

    def __post_init__(self) -> None:
        super().__post_init__()
        with rdBase.BlockLogs():
            if not isinstance(self.reference, str) or chemistry.parse(self.reference) is None:
                raise ValueError(f"Similarity.reference must be a SMILES, not {self.reference!r}")
        try:
            self._kind()
        except ValueError as error:
            raise ValueError(f"Similarity.{error}") from error

    @property
    def probe(self) -> SimilarityProbe:
        """The probe by which a worker measures the similarity."""
        return SimilarityProbe(self.reference, self._kind())

    def _kind(self) -> Fingerprint:
        return Fingerprint(self.fingerprint, self.radius, self.counts, self.bits)

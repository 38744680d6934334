"""Probes: numbers that workers measure on the molecule itself, such as a similarity."""

from __future__ import annotations

import dataclasses
import functools

from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from rl_tuner.tasks.molecule import chemistry


@dataclasses.dataclass(frozen=True)
class SimilarityProbe:
    """Tanimoto similarity of Morgan fingerprints to a given molecule, 0 .. 1.

    Attributes:
        reference: SMILES of the molecule.
        radius: radius of the fingerprint's environments, in bonds.
        bits: length of the fingerprint.
    """

    reference: str
    radius: int = 2
    bits: int = 2048

    @property
    def key(self) -> str:
        """A name that is unique for these settings."""
        return f"similarity {self.reference} {self.radius} {self.bits}"

    def __call__(self, mol: Chem.Mol) -> float:
        """Return the similarity of a sanitised molecule."""
        generator = fingerprint_generator(self.radius, self.bits)
        return DataStructs.TanimotoSimilarity(
            generator.GetFingerprint(mol), _fingerprint(self.reference, self.radius, self.bits)
        )


@dataclasses.dataclass(frozen=True)
class SubstructureProbe:
    """The number 1 for a molecule that matches a pattern, else 0.

    Attributes:
        smarts: the pattern.
    """

    smarts: str

    @property
    def key(self) -> str:
        """A name that is unique for this pattern."""
        return f"substructure {self.smarts}"

    def __call__(self, mol: Chem.Mol) -> float:
        """Return 1 if a sanitised molecule matches, else 0."""
        return float(mol.HasSubstructMatch(_pattern(self.smarts)))


@functools.lru_cache(maxsize=16)
def fingerprint_generator(radius: int, bits: int) -> rdFingerprintGenerator.FingerprintGenerator64:
    """Return RDKit's generator of Morgan fingerprints."""
    return rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=bits)


@functools.lru_cache(maxsize=64)
def _fingerprint(smiles: str, radius: int, bits: int) -> DataStructs.ExplicitBitVect:
    return fingerprint_generator(radius, bits).GetFingerprint(chemistry.parse(smiles))


@functools.lru_cache(maxsize=64)
def _pattern(smarts: str) -> Chem.Mol:
    return Chem.MolFromSmarts(smarts)

"""Fingerprints of molecules by name, as bits or as counts, and their Tanimoto similarity.

Worker processes import this module, so it must not import TensorFlow.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator as generators

from rl_tuner.tasks.molecule import chemistry

# GuacaMol's longest distance of an atom pair, in bonds.
_PAIR_DISTANCE = 10
PHARMACOPHORE = "pharmacophore"


@dataclasses.dataclass(frozen=True)
class Fingerprint:
    """A kind of fingerprint.

    Attributes:
        kind: one of `KINDS`.
        radius: radius of the environments of ECFP and FCFP, in bonds; their usual names have the diameter:
            ECFP4 has the radius 2.
        counts: whether to count how often each feature occurs, without folding; otherwise the presence
            of each is a bit.
        bits: length of the vector of bits; counts and pharmacophores are not folded.

    Raises:
        ValueError: the kind is unknown, a number is out of range, or pharmacophores are to be counted.
    """

    kind: str = "ECFP"
    radius: int = 2
    counts: bool = False
    bits: int = 2048

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"fingerprint must be one of {', '.join(KINDS)}, not {self.kind!r}")
        for name, least in (("radius", 0), ("bits", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(
                    f"{name} must be a whole number of at least {least}, not {value!r}"
                )
        if not isinstance(self.counts, bool):
            raise ValueError(f"counts must be True or False, not {self.counts!r}")
        if self.counts and self.kind == PHARMACOPHORE:
            raise ValueError(
                "counts must be False for pharmacophores, which are only present or absent"
            )

    def of(self, mol: Chem.Mol) -> Any:
        """Return the fingerprint of a sanitised molecule."""
        if self.kind == PHARMACOPHORE:
            return _pharmacophores(mol)
        generator = _generator(self.kind, self.radius, self.bits)
        return (
            generator.GetSparseCountFingerprint(mol)
            if self.counts
            else generator.GetFingerprint(mol)
        )

    def similarity(self, mol: Chem.Mol, reference: str) -> float:
        """Return the Tanimoto similarity of a sanitised molecule to that of a valid SMILES, 0 .. 1."""
        return DataStructs.TanimotoSimilarity(_of_reference(self, reference), self.of(mol))


def _ecfp(radius: int, bits: int) -> Any:
    return generators.GetMorganGenerator(radius=radius, fpSize=bits)


def _fcfp(radius: int, bits: int) -> Any:
    features = generators.GetMorganFeatureAtomInvGen()
    return generators.GetMorganGenerator(
        radius=radius, fpSize=bits, atomInvariantsGenerator=features
    )


def _pairs(radius: int, bits: int) -> Any:
    del radius
    return generators.GetAtomPairGenerator(maxDistance=_PAIR_DISTANCE, fpSize=bits)


def _torsions(radius: int, bits: int) -> Any:
    del radius
    return generators.GetTopologicalTorsionGenerator(fpSize=bits)


def _paths(radius: int, bits: int) -> Any:
    del radius
    return generators.GetRDKitFPGenerator(fpSize=bits)


_MAKERS: dict[str, Callable[[int, int], Any]] = {
    "ECFP": _ecfp,
    "FCFP": _fcfp,
    "AP": _pairs,
    "TT": _torsions,
    "path": _paths,
}
KINDS = (*_MAKERS, PHARMACOPHORE)


@functools.lru_cache(maxsize=16)
def _generator(kind: str, radius: int, bits: int) -> Any:
    return _MAKERS[kind](radius, bits)


@functools.lru_cache(maxsize=64)
def _of_reference(fingerprint: Fingerprint, smiles: str) -> Any:
    return fingerprint.of(chemistry.parse(smiles))


def _pharmacophores(mol: Chem.Mol) -> Any:
    """Return the pairs and triples of pharmacophores of Gobbi & Poppinger (1998)."""
    # Importing them takes a while, and only some rewards need them.
    from rdkit.Chem.Pharm2D import Generate, Gobbi_Pharm2D

    return Generate.Gen2DFingerprint(mol, Gobbi_Pharm2D.factory)

"""Probes: numbers that workers measure on the molecule itself, such as a similarity."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping

from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams
from rdkit.Chem.Scaffolds import MurckoScaffold

from rl_tuner.tasks.molecule.fingerprints import Fingerprint


@dataclasses.dataclass(frozen=True)
class SimilarityProbe:
    """Tanimoto similarity of fingerprints to a given molecule, 0 .. 1.

    Attributes:
        reference: SMILES of the molecule.
        fingerprint: kind of fingerprint.
    """

    reference: str
    fingerprint: Fingerprint

    @property
    def key(self) -> str:
        """A name that is unique for these settings."""
        kind = self.fingerprint
        settings = f"{kind.kind} {kind.radius} {kind.counts} {kind.bits}"
        return f"similarity {self.reference} {settings}"

    def __call__(self, mol: Chem.Mol) -> float:
        """Return the similarity of a sanitised molecule."""
        return self.fingerprint.similarity(mol, self.reference)


@dataclasses.dataclass(frozen=True)
class SubstructureProbe:
    """The number of matches of a pattern in a molecule.

    Attributes:
        smarts: the pattern.
    """

    smarts: str

    @property
    def key(self) -> str:
        """A name that is unique for this pattern."""
        return f"substructure {self.smarts}"

    def __call__(self, mol: Chem.Mol) -> float:
        """Return the number of matches in a sanitised molecule that differ in at least one atom."""
        return float(len(mol.GetSubstructMatches(_pattern(self.smarts))))


@dataclasses.dataclass(frozen=True)
class DescriptorProbe:
    """One of RDKit's descriptors.

    Attributes:
        descriptor: its name in `rdkit.Chem.Descriptors`.
    """

    descriptor: str

    @property
    def key(self) -> str:
        """A name that is unique for this descriptor."""
        return f"descriptor {self.descriptor}"

    def __call__(self, mol: Chem.Mol) -> float:
        """Return the descriptor of a sanitised molecule."""
        return float(descriptor_functions()[self.descriptor](mol))


@dataclasses.dataclass(frozen=True)
class FormulaProbe:
    """Closeness to a molecular formula, see `descriptors.Formula`.

    Attributes:
        counts: the elements of the formula, each with its number of atoms.
        is_geometric: whether the mean is geometric instead of arithmetic.
    """

    counts: tuple[tuple[str, int], ...]
    is_geometric: bool

    @property
    def key(self) -> str:
        """A name that is unique for this formula and mean."""
        return f"formula {self.counts} {self.is_geometric}"

    def __call__(self, mol: Chem.Mol) -> float:
        """Return the closeness of a sanitised molecule, 0 .. 1."""
        found = {"H": 0}
        for atom in mol.GetAtoms():
            found[atom.GetSymbol()] = found.get(atom.GetSymbol(), 0) + 1
            found["H"] += atom.GetTotalNumHs()
        exponents = [-((found.get(e, 0) - wanted) ** 2) / 2 for e, wanted in self.counts]
        exponents.append(-((sum(found.values()) - sum(n for _, n in self.counts)) ** 2) / 8)
        if self.is_geometric:
            return math.exp(sum(exponents) / len(exponents))
        return sum(map(math.exp, exponents)) / len(exponents)


@dataclasses.dataclass(frozen=True)
class AlertsProbe:
    """The number of alerts of a molecule, each counted once.

    Attributes:
        catalogs: names of RDKit's lists.
        patterns: further alerts as SMARTS.
    """

    catalogs: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """A name that is unique for these alerts."""
        return f"alerts {self.catalogs} {self.patterns}"

    def __call__(self, mol: Chem.Mol) -> float:
        """Return the number of alerts that a sanitised molecule matches."""
        found = len(_catalog(self.catalogs).GetMatches(mol)) if self.catalogs else 0
        return float(found + sum(mol.HasSubstructMatch(_pattern(p)) for p in self.patterns))


@dataclasses.dataclass(frozen=True)
class ScaffoldProbe:
    """The number 1 for a molecule with a given Bemis-Murcko scaffold, else 0.

    Attributes:
        scaffold: canonical SMILES of the scaffold.
        is_generic: whether only the graph counts: all atoms are carbon and all bonds are single.
    """

    scaffold: str
    is_generic: bool = False

    @property
    def key(self) -> str:
        """A name that is unique for this scaffold."""
        return f"scaffold {self.scaffold} {self.is_generic}"

    def __call__(self, mol: Chem.Mol) -> float:
        """Return 1 if a sanitised molecule has the scaffold, else 0."""
        return float(scaffold_of(mol, self.is_generic) == self.scaffold)


def scaffold_of(mol: Chem.Mol, is_generic: bool) -> str:
    """Return the SMILES of a molecule's Bemis-Murcko scaffold, or of its graph; empty without rings."""
    scaffold = MurckoScaffold.GetScaffoldForMol(mol)
    if is_generic:
        # The generic molecule has exocyclic atoms again, where double bonds were.
        scaffold = MurckoScaffold.GetScaffoldForMol(MurckoScaffold.MakeScaffoldGeneric(scaffold))
    # Stereochemistry is not part of a scaffold that many molecules share.
    return Chem.MolToSmiles(scaffold, isomericSmiles=False)


@functools.cache
def descriptor_functions() -> Mapping[str, Callable[[Chem.Mol], float]]:
    """Return RDKit's descriptors by name."""
    # They are many modules, which only some rewards need.
    from rdkit.Chem import Descriptors

    return dict(Descriptors.descList)


@functools.lru_cache(maxsize=16)
def fingerprint_generator(radius: int, bits: int) -> rdFingerprintGenerator.FingerprintGenerator64:
    """Return RDKit's generator of Morgan fingerprints."""
    return rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=bits)


@functools.lru_cache(maxsize=256)
def _pattern(smarts: str) -> Chem.Mol:
    return Chem.MolFromSmarts(smarts)


@functools.lru_cache(maxsize=8)
def _catalog(names: tuple[str, ...]) -> FilterCatalog:
    params = FilterCatalogParams()
    for name in names:
        params.AddCatalog(getattr(FilterCatalogParams.FilterCatalogs, name))
    return FilterCatalog(params)

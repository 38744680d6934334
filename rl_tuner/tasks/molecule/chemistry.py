"""Properties of one molecule at a time, with exactly the values of RDKit's own functions.

Worker processes import this module, so it must not import TensorFlow.
"""

from __future__ import annotations

import functools
import importlib.util
import math
import os
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple, Protocol

from rdkit import Chem, RDConfig, RDLogger
from rdkit.Chem import Crippen, rdMolDescriptors, rdqueries
from rdkit.Chem.Scaffolds import MurckoScaffold

from rl_tuner.tasks.molecule import drug_likeness

LOGP, QED, SA, SCAFFOLD = "logp", "qed", "sa", "scaffold"
DEFAULT_WANTED = frozenset([LOGP, QED, SA])
ALL_WANTED = DEFAULT_WANTED | {SCAFFOLD}
NOTHING: Mapping[str, float] = {}


class Properties(NamedTuple):
    """Properties of a valid molecule.

    Attributes:
        canonical: canonical SMILES.
        heavy_atoms: number of atoms other than hydrogen, at least 1.
        molecular_weight: average molecular weight in dalton.
        largest_ring: number of atoms of the largest ring in the smallest set of smallest rings; 0 for
            none.
        logp: Crippen logP (Wildman & Crippen 1999); NaN if it was not wanted.
        qed: quantitative estimate of drug-likeness, 0 to 1; NaN if it was not wanted.
        sa: synthetic accessibility score, 1 (easy) to 10 (hard); NaN if it was not wanted.
        scaffold: SMILES of the Bemis-Murcko scaffold, empty for a molecule without rings; None if
            it was not wanted.
        probed: results of the probes, by their keys.
    """

    canonical: str
    heavy_atoms: int
    molecular_weight: float
    largest_ring: int
    logp: float = math.nan
    qed: float = math.nan
    sa: float = math.nan
    scaffold: str | None = None
    probed: Mapping[str, float] = NOTHING


class Probe(Protocol):
    """An additional number to measure on a molecule; it is sent to workers, so it must be picklable.

    Attributes:
        key: name of the number in `Properties.probed`.
    """

    @property
    def key(self) -> str:
        """The name of the number in `Properties.probed`."""
        ...

    def __call__(self, mol: Chem.Mol) -> float:
        """Return the number for a sanitised molecule, which must not be modified."""


def silence() -> None:
    """Turn off RDKit's log, which has a warning for every invalid string."""
    RDLogger.DisableLog("rdApp.*")


def prepare(wanted: frozenset[str] = DEFAULT_WANTED, probes: Sequence[Probe] = ()) -> None:
    """Load all data and fill all caches in advance, so that the first molecule is not slower."""
    silence()
    properties("CC1CCC(c2ccccc2)CN1C=O", wanted, probes)


def parse(smiles: str) -> Chem.Mol | None:
    """Return the sanitised molecule of a SMILES; None if it is invalid or has no heavy atom."""
    try:
        mol = Chem.MolFromSmiles(smiles)
    except (RuntimeError, ValueError):
        # Some invalid strings violate an invariant of RDKit instead of failing in its parser.
        return None
    return mol if mol is not None and mol.GetNumHeavyAtoms() else None


def properties(
    smiles: str, wanted: frozenset[str] = DEFAULT_WANTED, probes: Sequence[Probe] = ()
) -> Properties | None:
    """Measure the molecule of a SMILES.

    Args:
        smiles: any string.
        wanted: which of `LOGP`, `QED`, `SA`, `SCAFFOLD` to compute.
        probes: additional numbers to compute.

    Returns:
        its properties; None if the string is not a valid molecule.

    Raises:
        ValueError: `wanted` has an unknown name.
    """
    mol = parse(smiles)
    return None if mol is None else measure(mol, Chem.MolToSmiles(mol), wanted, probes)


def measure(
    mol: Chem.Mol,
    canonical: str,
    wanted: frozenset[str] = DEFAULT_WANTED,
    probes: Sequence[Probe] = (),
) -> Properties:
    """Measure a freshly parsed molecule; see `properties`."""
    if not wanted <= ALL_WANTED:
        raise ValueError(f"unknown properties {sorted(wanted - ALL_WANTED)}")
    rings = mol.GetRingInfo().AtomRings()
    largest_ring = max(map(len, rings), default=0)
    logp = Crippen.MolLogP(mol) if wanted & {LOGP, QED} else math.nan
    return Properties(
        canonical=canonical,
        heavy_atoms=mol.GetNumHeavyAtoms(),
        molecular_weight=rdMolDescriptors._CalcMolWt(mol),
        largest_ring=largest_ring,
        logp=logp if LOGP in wanted else math.nan,
        qed=drug_likeness.qed(mol, canonical, logp, rings) if QED in wanted else math.nan,
        sa=synthetic_accessibility(mol, largest_ring) if SA in wanted else math.nan,
        scaffold=scaffold(mol) if SCAFFOLD in wanted else None,
        probed={probe.key: float(probe(mol)) for probe in probes} if probes else NOTHING,
    )


def scaffold(mol: Chem.Mol) -> str:
    """Return the SMILES of the Bemis-Murcko scaffold: rings and their linkers; empty without rings."""
    return MurckoScaffold.MurckoScaffoldSmiles(mol=mol)


def synthetic_accessibility(mol: Chem.Mol, largest_ring: int) -> float:
    """Return the score of Ertl & Schuffenhauer (2009), as RDKit's contributed `sascorer` computes it.

    SA = 11 - 9 (f + c + d + 5) / 6.5, flattened above 8 and cut to 1 .. 10, of
    f, the mean contribution of the molecule's Morgan fragments of radius 2,
    c = n - n^1.005 - log10(stereo + 1) - log10(spiro + 1) - log10(bridge + 1) - [macrocycle] log10 2,
    d = max(0, ln(n / distinct fragments) / 2), n the number of atoms.

    Args:
        mol: a freshly parsed molecule, so that no possible stereo centre is marked yet.
        largest_ring: number of atoms of its largest ring, 0 for none; above 8 it is a macrocycle.
    """
    contributions, generator = _fragments()
    fragments = generator.GetSparseCountFingerprint(mol).GetNonzeroElements()
    total = 0.0
    for fragment, count in fragments.items():
        total += contributions.get(fragment, -4) * count
    mean = total / sum(fragments.values())

    atoms = mol.GetNumAtoms()
    complexity = 0.0 - (atoms**1.005 - atoms)
    complexity -= math.log10(_stereo_centres(mol) + 1)
    complexity -= math.log10(rdMolDescriptors.CalcNumSpiroAtoms(mol) + 1)
    complexity -= math.log10(rdMolDescriptors.CalcNumBridgeheadAtoms(mol) + 1)
    if largest_ring > 8:
        complexity -= math.log10(2)
    density = math.log(atoms / len(fragments)) * 0.5 if atoms > len(fragments) else 0.0

    # The order of these sums is that of sascorer, so that even the last bit is equal.
    score = 11.0 - (mean + complexity + density + 4.0 + 1.0) / 6.5 * 9.0
    if score > 8.0:
        score = 8.0 + math.log(score + 1.0 - 9.0)
    return min(max(score, 1.0), 10.0)


def _stereo_centres(mol: Chem.Mol) -> int:
    """Return the number of assigned and possible stereo centres by RDKit's legacy perception."""
    if not Chem.GetUseLegacyStereoPerception():
        return len(Chem.FindMolChiralCenters(mol, includeUnassigned=True))
    Chem.AssignStereochemistry(mol, cleanIt=True, force=True, flagPossibleStereoCenters=True)
    return len(mol.GetAtomsMatchingQuery(_is_stereo_centre()))


@functools.cache
def _is_stereo_centre() -> Chem.QueryAtom:
    query = rdqueries.HasPropQueryAtom("_CIPCode")
    query.ExpandQuery(
        rdqueries.HasPropQueryAtom("_ChiralityPossible"), Chem.CompositeQueryType.COMPOSITE_OR
    )
    return query


@functools.cache
def _fragments() -> tuple[dict[int, float], Any]:
    """Return the contributions of fragments, and the fingerprint generator that finds the fragments."""
    scorer = sascorer()
    if scorer._fscores is None:
        scorer.readFragmentScores()
    return scorer._fscores, scorer.mfpgen


@functools.cache
def sascorer() -> ModuleType:
    """Return RDKit's contributed module `sascorer`, which is not on the import path."""
    path = os.path.join(RDConfig.RDContribDir, "SA_Score", "sascorer.py")
    specification = importlib.util.spec_from_file_location("sascorer", path)
    if specification is None or specification.loader is None:
        raise ImportError(f"RDKit's file {path} is missing; install RDKit with its Contrib folder")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module

"""Standardisation of one molecule, and its conversion into strings of tokens; needs RDKit."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable

from rdkit import Chem
from rdkit.Chem import rdqueries
from rdkit.Chem.MolStandardize import rdMolStandardize
from rdkit.Chem.Scaffolds import MurckoScaffold

from pipelines.molecule import fragments, parsing
from pipelines.molecule.entries import Entry
from pipelines.molecule.settings import MoleculeSettings
from rl_tuner.common.errors import first_line
from rl_tuner.datasets import writer
from rl_tuner.datasets.writer import RejectedError
from rl_tuner.tasks.molecule import chemistry, histograms, tokens

# Reading a canonical string may give another canonical string; nearly all converge in a few rounds.
_CANONICAL_ROUNDS = 4
# Random spellings of small molecules repeat each other, so more are drawn than needed.
_DRAWS_PER_SPELLING = 4


@dataclasses.dataclass(frozen=True)
class Molecule:
    """A standardised molecule.

    Attributes:
        smiles: The canonical SMILES.
        split: "train", "validation" or "test".
        spellings: The strings, the canonical one first; each with its tokens separated by spaces.
        properties: The properties from `measure`; empty if they were not measured.
        changes: The changes made by standardisation, as short fixed phrases.
    """

    smiles: str
    split: str
    spellings: tuple[str, ...]
    properties: tuple[float, ...]
    changes: tuple[str, ...] = ()


def read_molecule(entry: Entry, settings: MoleculeSettings) -> Molecule | writer.Rejection:
    """Return the molecule of an entry, or its rejection."""
    try:
        parsed = parsing.parse(entry)
        mol, changes = standardise(parsed, settings)
        # An atom is at least one token, and RDKit's time for writing grows quadratically.
        if mol.GetNumAtoms() > settings.max_length:
            raise RejectedError("too long", f"{mol.GetNumAtoms()} atoms")
        smiles, mol = canonicalise(mol, read_from=entry.text if mol is parsed else "")
        check(smiles, mol, settings)
        canonical = _tokenise(smiles, mol, settings)
        split = writer.split_of(
            split_key(smiles, mol, settings.split),
            validation_ratio=settings.validation_ratio,
            test_ratio=settings.test_ratio,
        )
    except RejectedError as error:
        return entry.reject(error.reason, error.detail)
    is_trained = split == "train"
    spellings = _random_spellings(smiles, mol, settings) if is_trained else []
    is_measured = is_trained and settings.property_histograms
    properties = measure(mol, smiles, length=len(canonical)) if is_measured else ()
    strings = tuple(map(" ".join, [canonical, *spellings]))
    changes += ["CXSMILES extension left out"] if entry.extension else []
    return Molecule(smiles, split, strings, properties, tuple(changes))


def standardise(mol: Chem.Mol, settings: MoleculeSettings) -> tuple[Chem.Mol, list[str]]:
    """Return the molecule standardised according to the settings, and the changes.

    Atom maps are always removed; salts, charges, isotopes, stereochemistry and tautomers depend on the
    settings.

    Raises:
        RejectedError: if RDKit cannot standardise the molecule.
    """
    changes = []
    maps = mol.GetAtomsMatchingQuery(_HAS_MAP)
    for atom in maps:
        atom.SetAtomMapNum(0)
    if maps:
        changes.append("atom maps left out")
    for is_asked, change, phrase in (
        (settings.strip_salts, fragments.choose, "fragments left out"),
        (settings.neutralise, _UNCHARGER.uncharge, "charges removed"),
        (not settings.keep_isotopes, _without_isotopes, "isotopes left out"),
        (not settings.keep_stereo, _without_stereo, "stereochemistry left out"),
        (settings.merge_tautomers, _canonical_tautomer, "tautomer changed"),
    ):
        if is_asked:
            mol, is_changed = _changed(mol, change)
            changes += [phrase] if is_changed else []
    return mol, changes


def canonicalise(mol: Chem.Mol, read_from: str = "") -> tuple[str, Chem.Mol]:
    """Return the canonical SMILES of a molecule and the molecule as read from it.

    Args:
        mol: The molecule.
        read_from: The SMILES string from which the molecule was read, which saves work if it is
            canonical; "" if it was changed or not read from SMILES.

    Raises:
        RejectedError: if RDKit cannot read its own string, or the strings do not converge.
    """
    smiles = Chem.MolToSmiles(mol)
    if smiles == read_from:
        return smiles, mol
    for _ in range(_CANONICAL_ROUNDS):
        mol = Chem.MolFromSmiles(smiles)
        if mol is None:
            raise RejectedError("no canonical SMILES", smiles)
        previous, smiles = smiles, Chem.MolToSmiles(mol)
        if smiles == previous:
            return smiles, mol
    raise RejectedError("no canonical SMILES", smiles)


def check(smiles: str, mol: Chem.Mol, settings: MoleculeSettings) -> None:
    """Raise RejectedError if a molecule has atoms that are not allowed, or too few or too many."""
    strange = {_element(token) for token in tokens.split(smiles, "atom")} - {*settings.elements, ""}
    if strange:
        raise RejectedError("element not allowed", ", ".join(sorted(strange)))
    heavy_atoms = mol.GetNumHeavyAtoms()
    if heavy_atoms < settings.min_heavy_atoms:
        raise RejectedError("too few heavy atoms", f"{heavy_atoms}")
    if 0 < settings.max_heavy_atoms < heavy_atoms:
        raise RejectedError("too many heavy atoms", f"{heavy_atoms}")


def split_key(smiles: str, mol: Chem.Mol, split: str) -> bytes:
    """Return the key that determines the split: the canonical SMILES of the molecule or its scaffold.

    Scaffolds are those of Bemis and Murcko, without stereochemistry. A molecule without a ring has no
    scaffold and uses its own SMILES; otherwise all of these molecules would be in one split.
    """
    if split == "scaffold":
        scaffold = MurckoScaffold.MurckoScaffoldSmiles(mol=mol, includeChirality=False)
        return (scaffold or smiles).encode()
    return smiles.encode()


def measure(mol: Chem.Mol, smiles: str, length: int) -> tuple[float, ...]:
    """Return the quantities of `histograms.QUANTITIES`, in their order.

    Args:
        mol: A molecule.
        smiles: Its canonical SMILES.
        length: Number of tokens of its string.
    """
    properties = chemistry.measure(mol, smiles)
    return tuple(
        getattr(properties, quantity.attribute) if quantity.attribute else length
        for quantity in histograms.QUANTITIES
    )


def _tokenise(smiles: str, mol: Chem.Mol, settings: MoleculeSettings) -> list[str]:
    """Return the tokens of a spelling of a molecule."""
    try:
        found = tokens.split(smiles, settings.representation)
    except ValueError as error:
        raise RejectedError("no SELFIES", first_line(error)) from error
    if len(found) < settings.min_length:
        raise RejectedError("too short", f"{len(found)} tokens")
    if len(found) > settings.max_length:
        raise RejectedError("too long", f"{len(found)} tokens")
    if settings.representation == "selfies":
        again = Chem.MolFromSmiles(tokens.join(found, settings.representation))
        if again is None or Chem.MolToSmiles(again) != Chem.MolToSmiles(mol):
            raise RejectedError("SELFIES give another molecule")
    return found


def _random_spellings(smiles: str, mol: Chem.Mol, settings: MoleculeSettings) -> list[list[str]]:
    """Return up to `augment` distinct random spellings of the molecule, as tokens.

    They depend only on the seed and the canonical SMILES.
    """
    if not settings.augment:
        return []
    digest = hashlib.sha256(f"{settings.seed} {smiles}".encode()).digest()
    seed = int.from_bytes(digest[:4], "big") % (2**31 - 1) + 1
    draws = Chem.MolToRandomSmilesVect(mol, settings.augment * _DRAWS_PER_SPELLING, seed)
    spellings: list[list[str]] = []
    for draw in dict.fromkeys(draws):
        again = Chem.MolFromSmiles(draw) if draw != smiles else None
        if again is None or Chem.MolToSmiles(again) != smiles:
            continue
        try:
            spelling = _tokenise(draw, mol, settings)
        except RejectedError:
            continue
        if spelling not in spellings:
            spellings.append(spelling)
        if len(spellings) == settings.augment:
            break
    return spellings


def _changed(mol: Chem.Mol, change: Callable[[Chem.Mol], Chem.Mol]) -> tuple[Chem.Mol, bool]:
    """Return the changed molecule, and whether it differs from the original."""
    try:
        changed = change(mol)
    except (RuntimeError, ValueError) as error:
        raise RejectedError("cannot be standardised", first_line(error)) from error
    if changed is mol:
        return mol, False
    return changed, Chem.MolToSmiles(changed) != Chem.MolToSmiles(mol)


@functools.cache
def _element(token: str) -> str:
    """Return the symbol of the element of a token in a SMILES string; "" if it is not an atom."""
    mol = Chem.MolFromSmiles(token, sanitize=False)
    return mol.GetAtomWithIdx(0).GetSymbol() if mol is not None and mol.GetNumAtoms() else ""


def _without_isotopes(mol: Chem.Mol) -> Chem.Mol:
    if not any(atom.GetIsotope() for atom in mol.GetAtoms()):
        return mol
    mol = Chem.Mol(mol)
    for atom in mol.GetAtoms():
        atom.SetIsotope(0)
    # Deuterium is written as a separate atom, ordinary hydrogen is not.
    return Chem.RemoveHs(mol)


def _without_stereo(mol: Chem.Mol) -> Chem.Mol:
    mol = Chem.Mol(mol)
    Chem.RemoveStereochemistry(mol)
    return mol


def _canonical_tautomer(mol: Chem.Mol) -> Chem.Mol:
    return _TAUTOMERS.Canonicalize(mol)


_HAS_MAP = rdqueries.HasPropQueryAtom("molAtomMapNumber")
_UNCHARGER = rdMolStandardize.Uncharger()
_TAUTOMERS = rdMolStandardize.TautomerEnumerator()

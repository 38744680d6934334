"""Fast computation of QED, with exactly the values of RDKit.

Bickerton et al. (2012), "Quantifying the chemical beauty of drugs". RDKit's function strips hydrogens
from molecules that have none, computes logP again, looks for each of eleven acceptors twice, counts
rings on an edited copy and tries all 116 structural alerts on every molecule. This module computes the
same eight numbers in less time; RDKit's own formula combines them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from rdkit import Chem
from rdkit.Chem import QED, FilterCatalog, rdMolDescriptors

# RDKit stops at 1,000 matches; molecules of this size stay below that with the combined pattern too.
_MAX_ATOMS = 500
_STRICT = rdMolDescriptors.NumRotatableBondsOptions.Strict


def qed(mol: Chem.Mol, smiles: str, logp: float, rings: Sequence[Sequence[int]]) -> float:
    """Return the quantitative estimate of drug-likeness with RDKit's default weights, 0 to 1.

    Args:
        mol: a sanitised molecule.
        smiles: its canonical SMILES.
        logp: its Crippen logP.
        rings: the atoms of each ring, from its ring information.

    Returns:
        the number that `rdkit.Chem.QED.default` returns.
    """
    if mol.GetNumAtoms() > _MAX_ATOMS or _has_explicit_hydrogen(mol, smiles):
        return QED.default(mol)
    properties = QED.QEDproperties(
        MW=rdMolDescriptors._CalcMolWt(mol),
        ALOGP=logp,
        HBA=_acceptors(mol, smiles),
        HBD=rdMolDescriptors.CalcNumHBD(mol),
        PSA=rdMolDescriptors.CalcTPSA(mol),
        ROTB=rdMolDescriptors.CalcNumRotatableBonds(mol, _STRICT),
        AROM=_aromatic_rings(mol, smiles, rings),
        ALERTS=len(_catalog(_satisfied(smiles)).GetMatches(mol)),
    )
    return QED.qed(mol, qedProperties=properties)


def _has_explicit_hydrogen(mol: Chem.Mol, smiles: str) -> bool:
    # An explicit hydrogen atom is written [H], [2H], [H+] and so on.
    if not re.search(r"\[\d*H", smiles):
        return False
    return any(atom.GetAtomicNum() == 1 for atom in mol.GetAtoms())


def _acceptors(mol: Chem.Mol, smiles: str) -> int:
    """Return the number of matches of all acceptor patterns."""
    if "[S-" in smiles:
        # Two patterns can match the same atom, which must then count twice.
        return sum(len(mol.GetSubstructMatches(pattern)) for pattern in QED.Acceptors)
    return len(mol.GetSubstructMatches(_any_acceptor()))


@functools.cache
def _any_acceptor() -> Chem.Mol:
    """Return all acceptor patterns, each of one atom, combined into one pattern of alternatives."""
    alternatives = [smarts[1:-1].replace(";", "&") for smarts in QED.AcceptorSmarts]
    return Chem.MolFromSmarts(f"[{','.join(alternatives)}]")


def _aromatic_rings(mol: Chem.Mol, smiles: str, rings: Sequence[Sequence[int]]) -> int:
    """Return the number of rings that remain when the aliphatic ring atoms are deleted."""
    if not rings:
        return 0
    gone = {atom for (atom,) in mol.GetSubstructMatches(QED.AliphaticRings)}
    independent = mol.GetNumBonds() - mol.GetNumAtoms() + smiles.count(".") + 1
    memberships = sum(atom in gone for ring in rings for atom in ring)
    if len(rings) == independent and memberships == len(gone):
        # The rings are a basis, and every atom to delete is in exactly one of them: any sum that
        # uses its ring passes through it, so the rings without such atoms span the remainder.
        return sum(gone.isdisjoint(ring) for ring in rings)
    return len(Chem.GetSSSR(Chem.DeleteSubstructs(Chem.Mol(mol), QED.AliphaticRings)))


@functools.lru_cache(maxsize=1024)
def _catalog(satisfied: tuple[bool, ...]) -> FilterCatalog.FilterCatalog:
    """Return the alerts that a molecule can match, given which of `_needs` it satisfies."""
    met = {need for need, holds in zip(_needs(), satisfied, strict=True) if holds}
    catalog = FilterCatalog.FilterCatalog()
    for needs, entry in _alerts():
        if met.issuperset(needs):
            catalog.AddEntry(entry)
    return catalog


@functools.cache
def _alerts() -> list[tuple[list[frozenset[str]], FilterCatalog.FilterCatalogEntry]]:
    """Return every structural alert with the marks that its molecules need, see `needed_marks`."""
    alerts = []
    for smarts, pattern in zip(QED.StructuralAlertSmarts, QED.StructuralAlerts, strict=True):
        matcher = FilterCatalog.SmartsMatcher(smarts, pattern, 1)
        entry = FilterCatalog.FilterCatalogEntry(smarts, matcher)
        alerts.append((needed_marks(smarts), entry))
    return alerts


@functools.cache
def _needs() -> tuple[frozenset[str], ...]:
    """Return the distinct needs of all alerts."""
    return tuple(dict.fromkeys(need for needs, _ in _alerts() for need in needs))


def _satisfied(smiles: str) -> tuple[bool, ...]:
    """Return which of `_needs` a SMILES satisfies."""
    has = smiles.__contains__
    return tuple([any(map(has, need)) for need in _needs()])


def needed_marks(smarts: str) -> list[frozenset[str]]:
    """Return marks that occur in the canonical SMILES of every molecule that matches a SMARTS.

    An atom needs the symbol of one of its possible elements; double and triple bonds, ring closures
    and charges need their characters. Overlooking a need only costs time.

    Args:
        smarts: a pattern.

    Returns:
        sets of strings: at least one string of each set occurs in the SMILES.
    """
    outside, brackets = _split_brackets(smarts)
    needed = {frozenset([mark]) for mark in "=#" if mark in outside}
    if re.search(r"\d", outside):
        needed.add(frozenset("1"))
    for symbol in re.findall(r"Cl|Br|[CNOPSFIcnops]", outside):
        needed.add(frozenset([symbol]))
    for bracket in brackets:
        needed |= _needed_by_bracket(bracket)
    return sorted(needed, key=sorted)


def _split_brackets(smarts: str) -> tuple[str, list[str]]:
    """Return the text outside all brackets, and the contents of the outermost brackets."""
    outside, brackets, depth = "", [], 0
    for character in smarts:
        if character == "[":
            depth += 1
            if depth == 1:
                brackets.append("")
                continue
        elif character == "]":
            depth -= 1
            if depth == 0:
                continue
        if depth:
            brackets[-1] += character
        else:
            outside += character
    return outside, brackets


def _needed_by_bracket(bracket: str) -> set[frozenset[str]]:
    if "$" in bracket:
        return set()
    alternatives = bracket.split(";")[0].split(",")
    needed = set()
    for sign in "+-":
        if all(re.search(rf"\{sign}(?!0)", alternative) for alternative in alternatives):
            needed.add(frozenset([sign]))
    symbols = [_symbols(alternative) for alternative in alternatives]
    if all(symbols):
        needed.add(frozenset().union(*symbols))
    return needed


def _symbols(alternative: str) -> set[str]:
    """Return the symbols of the element in an alternative of a bracket; empty if it names no element."""
    if match := re.match(r"#(\d+)", alternative):
        symbol = Chem.GetPeriodicTable().GetElementSymbol(int(match[1]))
        return {symbol, symbol.lower()}
    match = re.match(r"\d*(Cl|Br|[A-Z][a-z]|[CNOPSFIBK]|se|te|[cnops])", alternative)
    if not match:
        return set()
    # A one-letter symbol may be followed by a valence or another property, such as in Nv3.
    is_one_letter = match[1] != "Br" and match[1][1:] in ("v", "r", "x", "h")
    return {match[1][0] if is_one_letter else match[1]}

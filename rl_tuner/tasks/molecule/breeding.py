"""Offspring of molecules by crossover and mutation of their graphs, after Jensen (2019).

J. H. Jensen, "A graph-based genetic algorithm and generative model/Monte Carlo tree search for the
exploration of chemical space", Chemical Science 10 (2019), 3567. The code is our own: it edits the graphs
directly instead of applying reactions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from rdkit import Chem, rdBase

ELEMENTS = ("C", "N", "O", "S", "F", "Cl", "Br", "P")
# Carbon is the commonest atom of a drug-like molecule; phosphorus is rare.
_WEIGHTS = np.array([6, 4, 4, 1, 1, 1, 0.5, 0.25])
_MOST_RING = 8
_TRIES = 10
_ORDERS = (Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE)


def offspring(
    first: str, second: str, mutation_rate: float, generator: np.random.Generator
) -> str | None:
    """Return a child of two molecules: parts of both joined, and with some probability mutated.

    Args:
        first: a valid SMILES.
        second: a valid SMILES.
        mutation_rate: probability that the child is mutated.
        generator: source of every random choice.

    Returns:
        its canonical SMILES; None if ten attempts gave no sensible molecule.
    """
    with rdBase.BlockLogs():
        one, other = Chem.MolFromSmiles(first), Chem.MolFromSmiles(second)
        for _ in range(_TRIES):
            child = crossover(one, other, generator)
            if child is not None and generator.random() < mutation_rate:
                child = mutate(child, generator)
            if child is not None:
                return Chem.MolToSmiles(child)
    return None


def crossover(first: Chem.Mol, second: Chem.Mol, generator: np.random.Generator) -> Chem.Mol | None:
    """Return a part of one molecule joined with a part of another; None if they do not fit."""
    in_ring = bool(generator.random() < 0.5)
    parts = [_part(parent, in_ring, generator) for parent in (first, second)]
    if parts[0] is None or parts[1] is None:
        return None
    return _sensible(_join(parts[0], parts[1], generator))


def mutate(mol: Chem.Mol, generator: np.random.Generator) -> Chem.Mol | None:
    """Return a molecule with one random change of its graph; None if the change makes no sense."""
    change = _CHANGES[int(generator.integers(len(_CHANGES)))]
    edited = Chem.RWMol(mol)
    Chem.Kekulize(edited, clearAromaticFlags=True)
    return _sensible(edited) if change(edited, generator) else None


def _part(mol: Chem.Mol, in_ring: bool, generator: np.random.Generator) -> Chem.Mol | None:
    """Return one of the two parts that remain after one bond, or two bonds of a ring, were cut."""
    whole = Chem.Mol(mol)
    Chem.Kekulize(whole, clearAromaticFlags=True)
    cut = _ring_bonds(whole, generator) if in_ring else _chain_bond(whole, generator)
    if not cut:
        return None
    broken = Chem.FragmentOnBonds(whole, cut, dummyLabels=[(0, 0)] * len(cut))
    parts = Chem.GetMolFrags(broken, asMols=True, sanitizeFrags=False)
    if len(parts) != 2:
        return None
    return parts[int(generator.integers(2))]


def _chain_bond(mol: Chem.Mol, generator: np.random.Generator) -> list[int]:
    bonds = [
        bond.GetIdx()
        for bond in mol.GetBonds()
        if not bond.IsInRing() and bond.GetBondType() == Chem.BondType.SINGLE
    ]
    return [_one(bonds, generator)] if bonds else []


def _ring_bonds(mol: Chem.Mol, generator: np.random.Generator) -> list[int]:
    rings = mol.GetRingInfo().BondRings()
    if not rings:
        return []
    ring = _one(list(rings), generator)
    free = [bond for bond in ring if mol.GetRingInfo().NumBondRings(bond) == 1]
    if len(free) < 2:
        return []
    return [int(bond) for bond in generator.choice(free, 2, replace=False)]


def _join(first: Chem.Mol, second: Chem.Mol, generator: np.random.Generator) -> Chem.RWMol | None:
    """Join two parts at their open bonds, in one of the possible orders."""
    both = Chem.RWMol(Chem.CombineMols(first, second))
    open_ends = [atom.GetIdx() for atom in both.GetAtoms() if atom.GetAtomicNum() == 0]
    left = [end for end in open_ends if end < first.GetNumAtoms()]
    right = [end for end in open_ends if end >= first.GetNumAtoms()]
    if len(left) != len(right) or not left:
        return None
    for a, b in zip(left, generator.permutation(right)):
        bond = both.GetAtomWithIdx(a).GetBonds()[0]
        neighbours = [_neighbour(both, end) for end in (a, int(b))]
        if both.GetBondBetweenAtoms(*neighbours) is not None:
            return None
        both.AddBond(*neighbours, bond.GetBondType())
    for end in sorted(open_ends, reverse=True):
        both.RemoveAtom(end)
    return both


def _neighbour(mol: Chem.RWMol, end: int) -> int:
    return mol.GetAtomWithIdx(end).GetNeighbors()[0].GetIdx()


def _sensible(edited: Chem.RWMol | None) -> Chem.Mol | None:
    """Return a graph as a molecule; None if it is not one whole molecule with usual rings and atoms."""
    if edited is None:
        return None
    for atom in edited.GetAtoms():
        # The number of hydrogens follows from the new bonds.
        if not atom.GetFormalCharge():
            atom.SetNoImplicit(False)
            atom.SetNumExplicitHs(0)
    try:
        mol = Chem.MolFromSmiles(Chem.MolToSmiles(edited))
    except (RuntimeError, ValueError):
        return None
    if mol is None or mol.GetNumHeavyAtoms() < 2 or len(Chem.GetMolFrags(mol)) != 1:
        return None
    if any(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms()):
        return None
    rings = mol.GetRingInfo().AtomRings()
    if max(map(len, rings), default=0) > _MOST_RING or mol.HasSubstructMatch(_STRAINED):
        return None
    return mol


# Allenes and alkynes in small rings, and two double bonds at one ring atom.
_STRAINED = Chem.MolFromSmarts("[r3,r4,r5,r6,r7;$(*#*),$(*(=*)=[#6,#7])]")


def _append_atom(mol: Chem.RWMol, generator: np.random.Generator) -> bool:
    place = _atom_with_hydrogen(mol, generator)
    if place is None:
        return False
    new = mol.AddAtom(Chem.Atom(_element(generator)))
    mol.AddBond(place, new, _order(generator))
    return True


def _insert_atom(mol: Chem.RWMol, generator: np.random.Generator) -> bool:
    single = [b for b in mol.GetBonds() if b.GetBondType() == Chem.BondType.SINGLE]
    if not single:
        return False
    bond = _one(single, generator)
    ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
    new = mol.AddAtom(Chem.Atom(_element(generator)))
    mol.RemoveBond(*ends)
    for end in ends:
        mol.AddBond(end, new, Chem.BondType.SINGLE)
    return True


def _delete_atom(mol: Chem.RWMol, generator: np.random.Generator) -> bool:
    removable = [atom for atom in mol.GetAtoms() if atom.GetDegree() in (1, 2)]
    if len(removable) < 1 or mol.GetNumAtoms() < 3:
        return False
    atom = _one(removable, generator)
    ends = [neighbour.GetIdx() for neighbour in atom.GetNeighbors()]
    if len(ends) == 2:
        if mol.GetBondBetweenAtoms(*ends) is not None:
            return False
        mol.AddBond(*ends, Chem.BondType.SINGLE)
    mol.RemoveAtom(atom.GetIdx())
    return True


def _change_atom(mol: Chem.RWMol, generator: np.random.Generator) -> bool:
    atom = mol.GetAtomWithIdx(int(generator.integers(mol.GetNumAtoms())))
    new = Chem.Atom(_element(generator))
    if new.GetAtomicNum() == atom.GetAtomicNum() or atom.GetFormalCharge():
        return False
    mol.ReplaceAtom(atom.GetIdx(), new)
    return True


def _change_bond(mol: Chem.RWMol, generator: np.random.Generator) -> bool:
    bonds = list(mol.GetBonds())
    if not bonds:
        return False
    bond, order = _one(bonds, generator), _order(generator)
    if bond.GetBondType() == order:
        return False
    bond.SetBondType(order)
    return True


def _close_ring(mol: Chem.RWMol, generator: np.random.Generator) -> bool:
    place = _atom_with_hydrogen(mol, generator)
    if place is None:
        return False
    distances = Chem.GetDistanceMatrix(mol)[place]
    # Mostly rings of five and six atoms.
    size = int(generator.choice([3, 4, 5, 6, 7], p=[0.1, 0.1, 0.35, 0.4, 0.05]))
    others = [
        atom.GetIdx()
        for atom in mol.GetAtoms()
        if distances[atom.GetIdx()] == size - 1 and atom.GetTotalNumHs()
    ]
    if not others:
        return False
    mol.AddBond(place, _one(others, generator), Chem.BondType.SINGLE)
    return True


def _open_ring(mol: Chem.RWMol, generator: np.random.Generator) -> bool:
    bonds = [bond for bond in mol.GetBonds() if bond.IsInRing()]
    if not bonds:
        return False
    bond = _one(bonds, generator)
    mol.RemoveBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
    return True


_CHANGES: tuple[Callable[[Chem.RWMol, np.random.Generator], bool], ...] = (
    _append_atom,
    _insert_atom,
    _delete_atom,
    _change_atom,
    _change_bond,
    _close_ring,
    _open_ring,
)


def _atom_with_hydrogen(mol: Chem.RWMol, generator: np.random.Generator) -> int | None:
    atoms = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetTotalNumHs()]
    return _one(atoms, generator) if atoms else None


def _element(generator: np.random.Generator) -> str:
    return str(generator.choice(ELEMENTS, p=_WEIGHTS / _WEIGHTS.sum()))


def _order(generator: np.random.Generator) -> Chem.BondType:
    return _ORDERS[int(generator.choice(3, p=[0.6, 0.35, 0.05]))]


def _one(items: list, generator: np.random.Generator):
    return items[int(generator.integers(len(items)))]

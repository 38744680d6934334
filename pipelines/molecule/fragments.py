"""Choice of the fragment that is the molecule: the drug rather than its counter-ions and solvents."""

import functools

from rdkit import Chem
from rdkit.Chem import rdMolDescriptors
from rdkit.Chem.MolStandardize import rdMolStandardize

# Usual components of pharmaceutical salts (the choice of Stahl and Wermuth, Handbook of Pharmaceutical
# Salts) and of their crystals, written neutral and without stereochemistry. Fatty acids are absent,
# since a substance with a fatty acid is just as often a soap.

# Bases, and then acids, that are sometimes the drug themselves.
_BASES = """
C[N+](C)(C)CCO NCCCCC(N)C(=O)O N=C(N)NCCCC(N)C(=O)O NC(Cc1c[nH]cn1)C(=O)O
NCCCC(N)C(=O)O NCCN C1CNCCN1 C1COCCN1 CC(C)(C)N CCNCC CC(C)NC(C)C CN(C)CCO CCN(CC)CCO
c1ccncc1 c1c[nH]cn1 O=C(O)c1ccccc1O Cn1c2nc(Cl)[nH]c2c(=O)n(C)c1=O
"""
_ACIDS = """
O=CO CC(=O)O CCC(=O)O CCCCCC(=O)O CCCCC(CC)C(=O)O
O=C(O)C(F)(F)F O=C(O)C(Cl)(Cl)Cl O=C(O)CCl O=C(O)CO CC(O)C(=O)O CC(=O)C(=O)O
O=C(O)C(=O)O O=C(O)CC(=O)O O=C(O)CCC(=O)O O=C(O)CCCC(=O)O O=C(O)CCCCC(=O)O O=C(O)CCCCCCCCC(=O)O
O=C(O)C=CC(=O)O O=C(O)CC(O)C(=O)O O=C(O)C(O)C(O)C(=O)O O=C(O)CC(O)(CC(=O)O)C(=O)O
O=C(O)C(O)C(O)C(O)C(O)CO O=C(O)C(O)C(O)C(O)C(O)C(O)CO O=C(O)C1OC(O)C(O)C(O)C1O
O=CC(O)C(O)C(O)C(O)C(=O)O O=C(O)C(O)C(O)C(O)C(O)C(=O)O
O=C(O)C(O)C(O)C(OC1OC(CO)C(O)C(O)C1O)C(O)CO O=C1OC(C(O)CO)C(O)=C1O
O=C(O)C1(O)CC(O)C(O)C(O)C1 O=C(O)C(O)c1ccccc1 O=C(O)c1ccccc1 O=C(O)c1cc(O)ccc1O
O=C(O)c1ccc(O)cc1 O=C(O)C=Cc1ccccc1 O=C(O)CNC(=O)c1ccccc1 O=C(O)c1cccnc1 O=C(O)c1cc(=O)[nH]c(=O)[nH]1
O=C(O)c1ccc2ccccc2c1O O=C(O)c1cc2ccccc2cc1O
O=C(O)c1cc2ccccc2c(Cc2c(O)c(C(=O)O)cc3ccccc23)c1O
O=C1CCC(C(=O)O)N1 NC(CC(=O)O)C(=O)O NC(CCC(=O)O)C(=O)O CC(=O)NCC(=O)O NCC(=O)O
O=C(OC(C(=O)O)C(OC(=O)c1ccccc1)C(=O)O)c1ccccc1
Cc1ccc(C(=O)OC(C(=O)O)C(OC(=O)c2ccc(C)cc2)C(=O)O)cc1
CS(=O)(=O)O CCS(=O)(=O)O O=S(=O)(O)CCS(=O)(=O)O O=S(=O)(O)CCO O=S(=O)(O)c1ccccc1
Cc1ccc(S(=O)(=O)O)cc1 O=S(=O)(O)c1ccc(Cl)cc1 O=S(=O)(O)c1cccc2ccccc12 O=S(=O)(O)c1ccc2ccccc2c1
O=S(=O)(O)c1cccc2c(S(=O)(=O)O)cccc12 CC1(C)C2CCC1(CS(=O)(=O)O)C(=O)C2 O=S(=O)(O)C(F)(F)F
O=S(=O)(O)NC1CCCCC1 COS(=O)(=O)O CCOS(=O)(=O)O CCCCCCCCCCCCOS(=O)(=O)O
O=S(=O)(NS(=O)(=O)C(F)(F)F)C(F)(F)F O=C1NS(=O)(=O)c2ccccc21
O=[N+]([O-])c1cc([N+](=O)[O-])c(O)c([N+](=O)[O-])c1
c1ccc([B-](c2ccccc2)(c2ccccc2)c2ccccc2)cc1
O=C(O)O N#CS N=C=S C#N N=C=O N#CO
"""
# Bases that are hardly ever the drug.
_HELPERS = """
CNCC(O)C(O)C(O)C(O)CO NC(CO)(CO)CO NCCO OCCNCCO OCCN(CCO)CCO OCCN1CCCC1
C[N+](C)(C)C CC[N+](CC)(CC)CC CCCC[N+](CCCC)(CCCC)CCCC C[N+](C)(C)Cc1ccccc1
c1ccc(CNCCNCc2ccccc2)cc1 c1ccc(CCNCc2ccccc2)cc1 C1CCC(NC2CCCCC2)CC1 NC1CCCCC1 CCN(C(C)C)C(C)C
"""
_SOLVENTS = """
CO CCO CC(C)O CCCO CCCCO OCCO CC(O)CO OCC(O)CO CC(C)=O CCC(C)=O CC#N CCOCC COC(C)(C)C C1CCOC1 C1COCCO1
CCOC(C)=O COC(C)=O CN(C)C=O CN(C)C(C)=O CN1CCCC1=O CS(C)=O ClCCl ClC(Cl)Cl ClC(Cl)(Cl)Cl ClCCCl
c1ccccc1 Cc1ccccc1 CCCCC CCCCCC CCCCCCC C1CCCCC1 O=C=O S=C=S NC(N)=O
"""
_INORGANIC = 5
_UNCHARGER = rdMolStandardize.Uncharger()


def choose(mol: Chem.Mol) -> Chem.Mol:
    """Return the fragment of a molecule after which the substance is named.

    The first choice is an organic fragment that is not a usual counter-ion or solvent, followed by a
    base that can be a drug, an acid, a base that cannot, a solvent and an inorganic fragment, in this
    order. Among equals it is the fragment with the most heavy atoms, then the heaviest.

    Raises:
        RuntimeError or ValueError: if RDKit cannot neutralise a fragment.
    """
    if len(Chem.GetMolFrags(mol)) == 1:
        return mol
    return min(Chem.GetMolFrags(mol, asMols=True), key=_rank)


def _rank(fragment: Chem.Mol) -> tuple[int, int, float, str]:
    is_organic = any(atom.GetAtomicNum() == 6 for atom in fragment.GetAtoms())
    rank = _companions().get(_neutral_smiles(fragment), 0) if is_organic else _INORGANIC
    weight = rdMolDescriptors.CalcExactMolWt(fragment)
    return rank, -fragment.GetNumHeavyAtoms(), -weight, Chem.MolToSmiles(fragment)


def _neutral_smiles(fragment: Chem.Mol) -> str:
    plain = _UNCHARGER.uncharge(fragment)
    for atom in plain.GetAtoms():
        atom.SetIsotope(0)
    return Chem.MolToSmiles(Chem.RemoveHs(plain), isomericSmiles=False)


@functools.cache
def _companions() -> dict[str, int]:
    """Return the rank of every usual counter-ion and solvent, by its SMILES."""
    groups = enumerate((_BASES, _ACIDS, _HELPERS, _SOLVENTS), start=1)
    return {
        Chem.MolToSmiles(Chem.MolFromSmiles(smiles), isomericSmiles=False): rank
        for rank, group in groups
        for smiles in group.split()
    }

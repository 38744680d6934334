"""The drug, and not what came with it in the bottle."""

import pytest
from rdkit import Chem

from pipelines.molecule import fragments


@pytest.mark.parametrize(
    ("drug", "companions"),
    [
        # By heavy atoms, where neither is a usual companion: hydrogen does not count.
        ("OC(=O)c1cc(Cl)c(Cl)cc1Cl", "CCCCNCCCC"),
        # Acids around a small base, as such and as ions.
        ("CCCN", "Cc1ccc(S(=O)(=O)O)cc1"),
        ("CCC[NH3+]", "Cc1ccc(S(=O)(=O)[O-])cc1"),
        ("CNC1CCCC1", "O=C(O)/C=C/C(=O)O"),
        ("CNC1CCCC1", "O=C(O)/C=C\\C(=O)O"),
        ("CC(N)Cc1ccccc1", "O=C(O)[C@H](O)[C@@H](O)C(=O)O"),
        ("CCCN", "OC(=O)CC(O)(CC(=O)O)C(=O)O"),
        ("CCCN", "OC(=O)C(F)(F)F"),
        ("CCCN", "O=C(O)c1cc2ccccc2c(Cc2c(O)c(C(=O)O)cc3ccccc23)c1O"),
        ("CCCN", "[2H]OC([2H])=O"),
        # Bases around a small acid.
        ("CC(C)(O)C#CC(=O)O", "CNC[C@H](O)[C@@H](O)[C@H](O)[C@H](O)CO"),
        ("CC(C)(O)C#CC(=O)[O-]", "C[N+](C)(C)CCO.O.O"),
        ("CC(=O)Oc1ccccc1C(=O)O", "NCCCC[C@H](N)C(=O)O"),
        # A usual base rather than a usual acid, and either rather than water.
        ("C1CNCCN1", "OC(=O)CC(O)(CC(=O)O)C(=O)O"),
        ("CC(=O)[O-]", "CC(=O)[O-].[Ca+2].O"),
        ("CCO", "O"),
        # Inorganic ions, however large.
        ("C[n+]1ccccc1", "F[P-](F)(F)(F)(F)F"),
        ("NCCc1ccc(O)cc1", "Cl"),
        ("[O-]C(=O)c1ccccc1", "[Na+]"),
    ],
)
def test_the_drug_is_kept(drug, companions):
    for text in (f"{drug}.{companions}", f"{companions}.{drug}"):
        kept = fragments.choose(Chem.MolFromSmiles(text))
        assert Chem.MolToSmiles(kept) == Chem.CanonSmiles(drug)


def test_one_fragment_stays_what_it_is():
    mol = Chem.MolFromSmiles("CC(=O)O")
    assert fragments.choose(mol) is mol


def test_every_companion_is_a_molecule_of_one_fragment_without_a_charge_to_take_away():
    for smiles in fragments._companions():
        mol = Chem.MolFromSmiles(smiles)
        assert len(Chem.GetMolFrags(mol)) == 1, smiles
        assert fragments._neutral_smiles(mol) == smiles

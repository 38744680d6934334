import itertools
import math
import os
import pickle
import subprocess
import sys

import pytest
from rdkit import Chem, RDConfig
from rdkit.Chem import QED, Crippen, Descriptors
from rdkit.Chem.Scaffolds import MurckoScaffold

from rl_tuner.tasks.molecule import chemistry, drug_likeness

chemistry.silence()

# Spiro, bridged, fused, macrocyclic, charged, hypervalent, metallic, isotopic, with hydrogen atoms.
AWKWARD = """
C [NH4+] [2H]O[2H] [H][H].C [H-].[Na+] C1CC12CC2 C1CC2CCC1C2 C12C3C4C1C5C2C3C45 C1CCCCCCCCCCC1
c1ccc2c(c1)ccc1ccccc12 C1Cc2ccccc2C1 c1ccc2c(c1)Cc1ccccc1-2 C1CC2(CCc3ccccc32)CC1
O=S(=O)([O-])c1ccccc1.[Na+] CS(=O)(=O)[S-] [O-][Cl+3]([O-])([O-])[O-] F[P-](F)(F)(F)(F)F
CC[Hg]Cl C[Si](C)(C)F [15NH2]C O=[N+]([O-])c1ccccc1 CN=[N+]=[N-] C[n+]1ccccc1 OB(O)c1ccccc1
C1=CC=CC=CC=C1 c1ccc2[nH]ccc2c1 CC(O)(F)[C@H](N)C(=O)O F/C=C/F C[C@@H]1CC[C@H](C)CC1
c1cc2cc3ccc4cc1c2c1c3c4 C1CC2CC3CC1CC(C2)C3 O=C1C=CC(=O)C=C1 C#CC(=O)C S=C=S [Se]=C1NC=CN1
c1cc2ccc3cccc4ccc(c1)c2c34 C1c2ccc(cc2)CCc2ccc1cc2 [SH-].[K+] CSSC OO N#N C(F)(F)(F)F CCCCCCCC
"""
AWKWARD = AWKWARD.split()


def nci(stop=5_000, step=1):
    with open(os.path.join(RDConfig.RDDataDir, "NCI", "first_5K.smi")) as file:
        return [line.split()[0] for line in itertools.islice(file, 0, stop, step)]


def assert_as_rdkit_says(smiles):
    found, mol = chemistry.properties(smiles), Chem.MolFromSmiles(smiles)
    if mol is None or not mol.GetNumHeavyAtoms():
        assert found is None
        return
    assert found.canonical == Chem.MolToSmiles(mol)
    assert found.logp == Crippen.MolLogP(mol)
    assert found.qed == QED.default(mol)
    assert found.sa == chemistry.sascorer().calculateScore(mol)
    assert found.largest_ring == max(map(len, Chem.GetSSSR(mol)), default=0)
    assert found.molecular_weight == Descriptors.MolWt(mol)
    assert found.heavy_atoms == mol.GetNumHeavyAtoms()


@pytest.mark.parametrize("smiles", AWKWARD)
def test_awkward_molecules_measure_what_rdkit_says(smiles):
    assert_as_rdkit_says(smiles)


def test_common_molecules_measure_what_rdkit_says():
    for smiles in nci(step=12):
        assert_as_rdkit_says(smiles)


@pytest.mark.slow
def test_five_thousand_molecules_measure_what_rdkit_says():
    for smiles in nci():
        assert_as_rdkit_says(smiles)


def test_no_alert_is_passed_over():
    # Whatever matches an alert has what the alert is said to need.
    mols = [Chem.MolFromSmiles(smiles) for smiles in AWKWARD + nci(step=12)]
    canonical = {Chem.MolToSmiles(mol): mol for mol in mols if mol is not None}
    matched = 0
    for smarts in QED.StructuralAlertSmarts:
        pattern, needs = Chem.MolFromSmarts(smarts), drug_likeness.needed_marks(smarts)
        for smiles, mol in canonical.items():
            if mol.HasSubstructMatch(pattern):
                matched += 1
                assert all(any(mark in smiles for mark in need) for need in needs), smarts
    assert matched > 200


@pytest.mark.parametrize(
    ("smarts", "needs"),
    [
        ("C#C", ["#", "C"]),
        ("n[OH]", ["O", "n"]),
        ("[CH1](=O)", ["=", "C", "O"]),
        ("[NX3,NX4][F,Cl,Br,I]", ["Br Cl F I", "N"]),
        ("[#16][#16]", ["S s"]),
        ("[R0;D2][R0;D2]", []),
        ("[$([CH]),$(CC)]#CC", ["#", "C"]),
        ("C1NC1", ["1", "C", "N"]),
        ("[NX2+0]=[O+0]", ["=", "N", "O"]),
        ("[O+,s+]", ["+", "O s"]),
        ("[!C]C", ["C"]),
    ],
)
def test_what_a_pattern_needs(smarts, needs):
    assert sorted(" ".join(sorted(need)) for need in drug_likeness.needed_marks(smarts)) == needs


@pytest.mark.parametrize(
    "text", ["", "C(", "c1ccc", "C1CC", "[H][H]", "[H+]", "F(C)C=", "\x00", "é"]
)
def test_what_is_no_molecule(text):
    assert chemistry.properties(text) is None


def test_hand_counted():
    found = chemistry.properties("C1CCCCCCC1O")
    assert (found.canonical, found.largest_ring, found.heavy_atoms) == ("OC1CCCCCCC1", 8, 9)
    assert found.molecular_weight == pytest.approx(8 * 12.011 + 16 * 1.008 + 15.999)
    assert found.scaffold is None


def test_only_what_is_wanted_is_computed():
    found = chemistry.properties("CCO", frozenset())
    assert found.canonical == "CCO"
    assert all(math.isnan(value) for value in (found.logp, found.qed, found.sa))
    found = chemistry.properties("CCO", frozenset(["qed"]))
    assert found.qed == QED.default(Chem.MolFromSmiles("CCO"))
    assert math.isnan(found.logp)
    with pytest.raises(ValueError, match="colour"):
        chemistry.properties("C", frozenset(["colour"]))


def test_scaffold():
    wanted = frozenset([chemistry.SCAFFOLD])
    assert chemistry.properties("CCc1ccccc1", wanted).scaffold == "c1ccccc1"
    assert chemistry.properties("CCO", wanted).scaffold == ""
    for smiles in nci(stop=100):
        if found := chemistry.properties(smiles, wanted):
            assert found.scaffold == MurckoScaffold.MurckoScaffoldSmiles(smiles)


def test_properties_travel():
    found = chemistry.properties("CCO")
    assert pickle.loads(pickle.dumps(found)) == found
    assert len(pickle.dumps(found)) < 400


def test_workers_do_without_tensorflow():
    code = (
        "import sys; from rl_tuner.tasks.molecule import scoring, probes;"
        "assert not {'tensorflow', 'keras', 'matplotlib'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

"""The tasks in gin/pmo against GuacaMol's definitions, written out with RDKit's older functions."""

import glob
import math
import os

import gin
import numpy as np
import pytest
from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem import QED, Descriptors
from rdkit.Chem import rdMolDescriptors as rd
from rdkit.Chem.Pharm2D import Generate, Gobbi_Pharm2D

import rl_tuner.jobs.job  # noqa: F401  (gin knows its settings by importing it)
from pipelines.molecule.readers import list_entries
from rl_tuner.jobs import configuration
from rl_tuner.tasks.molecule import chemistry, tokens
from tests.tiny_job import ROOT

NAMES = sorted(
    os.path.basename(path)[:-4]
    for path in glob.glob(f"{ROOT}/gin/pmo/*.gin")
    if not path.endswith("base.gin")
)
SITAGLIPTIN = "Fc1cc(c(F)cc1F)CC(N)CC(=O)N3Cc2nnc(n2CC3)C(F)(F)F"
HOP = "CCCOc1cc2ncnc(Nc3ccc4ncsc4c3)c2cc1S(=O)(=O)C(C)(C)C"
CORE = "[#7]-c1n[c;h1]nc2[c;h1]c(-[#8])[c;h0][c;h1]c12"

ecfp4 = (rd.GetMorganFingerprint, {"radius": 2})
ecfp6 = (rd.GetMorganFingerprint, {"radius": 3})
fcfp4 = (rd.GetMorganFingerprint, {"radius": 2, "useFeatures": True})
pairs = (rd.GetAtomPairFingerprint, {"maxLength": 10})


def like(mol, smiles, kind):
    function, settings = kind
    return DataStructs.TanimotoSimilarity(
        function(mol, **settings), function(Chem.MolFromSmiles(smiles), **settings)
    )


def pharmacophores_like(mol):
    make = Generate.Gen2DFingerprint
    reference = make(Chem.MolFromSmiles(HOP), Gobbi_Pharm2D.factory)
    return DataStructs.TanimotoSimilarity(make(mol, Gobbi_Pharm2D.factory), reference)


def bell(x, mu, sigma):
    return math.exp(-0.5 * ((x - mu) / sigma) ** 2)


def at_most(x, mu, sigma):
    return bell(max(x, mu), mu, sigma)


def at_least(x, mu, sigma):
    return bell(min(x, mu), mu, sigma)


def has(mol, smarts):
    return float(mol.HasSubstructMatch(Chem.MolFromSmarts(smarts)))


def isomer(mol, **formula):
    whole = [atom.GetSymbol() for atom in Chem.AddHs(mol).GetAtoms()]
    scores = [bell(whole.count(element), count, 1) for element, count in formula.items()]
    return mean(*scores, bell(len(whole), sum(formula.values()), 2))


def mean(*scores):
    return math.prod(scores) ** (1 / len(scores))


def sitagliptin(mol):
    same = Chem.MolFromSmiles(SITAGLIPTIN)
    return (
        bell(Descriptors.MolLogP(mol), Descriptors.MolLogP(same), 0.2),
        bell(Descriptors.TPSA(mol), Descriptors.TPSA(same), 5),
    )


OSIMERTINIB = "COc1cc(N(C)CCN(C)C)c(NC(=O)C=C)cc1Nc2nccc(n2)c3cn(C)c4ccccc34"
FEXOFENADINE = "CC(C)(C(=O)O)c1ccc(cc1)C(O)CCCN2CCC(CC2)C(O)(c3ccccc3)c4ccccc4"
TASKS = {
    "celecoxib_rediscovery": lambda m: like(
        m, "CC1=CC=C(C=C1)C1=CC(=NN1C1=CC=C(C=C1)S(N)(=O)=O)C(F)(F)F", ecfp4
    ),
    "troglitazone_rediscovery": lambda m: like(
        m, "Cc1c(C)c2OC(C)(COc3ccc(CC4SC(=O)NC4=O)cc3)CCc2c(C)c1O", ecfp4
    ),
    "thiothixene_rediscovery": lambda m: like(
        m, "CN(C)S(=O)(=O)c1ccc2Sc3ccccc3C(=CCCN4CCN(C)CC4)c2c1", ecfp4
    ),
    "albuterol_similarity": lambda m: min(
        1, like(m, "CC(C)(C)NCC(O)c1ccc(O)c(CO)c1", fcfp4) / 0.75
    ),
    "mestranol_similarity": lambda m: min(
        1, like(m, "COc1ccc2C3CCC4(C)C(CCC4(O)C#C)C3CCc2c1", pairs) / 0.75
    ),
    "isomers_c7h8n2o2": lambda m: isomer(m, C=7, H=8, N=2, O=2),
    "isomers_c9h10n2o2pf2cl": lambda m: isomer(m, C=9, H=10, N=2, O=2, P=1, F=2, Cl=1),
    "median1": lambda m: mean(
        like(m, "CC1(C)C2CCC1(C)C(=O)C2", ecfp4), like(m, "CC(C)C1CCC(C)CC1O", ecfp4)
    ),
    "median2": lambda m: mean(
        like(m, "O=C1N(CC(N2C1CC3=C(C2C4=CC5=C(OCO5)C=C4)NC6=C3C=CC=C6)=O)C", ecfp6),
        like(m, "CCCC1=NN(C2=C1N=C(NC2=O)C3=C(C=CC(=C3)S(=O)(=O)N4CCN(CC4)C)OCC)C", ecfp6),
    ),
    "osimertinib_mpo": lambda m: mean(
        min(1, like(m, OSIMERTINIB, fcfp4) / 0.8),
        at_most(like(m, OSIMERTINIB, ecfp6), 0.85, 0.1),
        at_least(Descriptors.TPSA(m), 100, 10),
        at_most(Descriptors.MolLogP(m), 1, 1),
    ),
    "fexofenadine_mpo": lambda m: mean(
        min(1, like(m, FEXOFENADINE, pairs) / 0.8),
        at_least(Descriptors.TPSA(m), 90, 10),
        at_most(Descriptors.MolLogP(m), 4, 1),
    ),
    "ranolazine_mpo": lambda m: mean(
        min(1, like(m, "COc1ccccc1OCC(O)CN2CCN(CC(=O)Nc3c(C)cccc3C)CC2", pairs) / 0.7),
        at_least(Descriptors.TPSA(m), 95, 20),
        at_least(Descriptors.MolLogP(m), 7, 1),
        bell(sum(atom.GetSymbol() == "F" for atom in m.GetAtoms()), 1, 1),
    ),
    "perindopril_mpo": lambda m: mean(
        like(m, "O=C(OCC)C(NC(C(=O)N1C(C(=O)O)CC2CCCCC12)C)CCC", ecfp4),
        bell(rd.CalcNumAromaticRings(m), 2, 0.5),
    ),
    "amlodipine_mpo": lambda m: mean(
        like(m, r"Clc1ccccc1C2C(=C(/N/C(=C2/C(=O)OCC)COCCN)C)\C(=O)OC", ecfp4),
        bell(rd.CalcNumRings(m), 3, 0.5),
    ),
    "sitagliptin_mpo": lambda m: mean(
        bell(like(m, SITAGLIPTIN, ecfp4), 0, 0.1),
        *sitagliptin(m),
        isomer(m, C=16, H=15, F=6, N=5, O=1),
    ),
    "zaleplon_mpo": lambda m: mean(
        like(m, "O=C(C)N(CC)C1=CC=CC(C2=CC=NC3=C(C=NN23)C#N)=C1", ecfp4),
        isomer(m, C=19, H=17, N=3, O=2),
    ),
    "valsartan_smarts": lambda m: mean(
        has(m, "CN(C=O)Cc1ccc(c2ccccc2)cc1"),
        *sitagliptin(m),
        bell(Descriptors.BertzCT(m), Descriptors.BertzCT(Chem.MolFromSmiles(SITAGLIPTIN)), 30),
    ),
    "deco_hop": lambda m: np.mean(
        [
            min(1, pharmacophores_like(m) / 0.85),
            1 - has(m, "CS([#6])(=O)=O"),
            1 - has(m, "[#7]-c1ccc2ncsc2c1"),
            has(m, CORE),
        ]
    ),
    "scaffold_hop": lambda m: np.mean(
        [
            min(1, pharmacophores_like(m) / 0.75),
            has(m, "[#6]-[#6]-[#6]-[#8]-[#6]~[#6]~[#6]~[#6]~[#6]-[#7]-c1ccc2ncsc2c1"),
            1 - has(m, CORE),
        ]
    ),
    "qed": QED.qed,
}
# Some of these have what the tasks look for.
SOUGHT = [
    SITAGLIPTIN,
    HOP,
    OSIMERTINIB,
    FEXOFENADINE,
    "CNCN(C=O)Cc1ccc(-c2cc(F)ccc2NS(C)(=O)=O)cc1",
    "Fc1ccncc1",
]


@pytest.fixture(scope="module")
def molecules():
    entries, _ = list_entries(["builtin:nci"], recursive=False, column=None, max_bytes=2**30)
    some = (chemistry.parse(entry.text) for entry in entries[::40])
    usual = [mol for mol in some if mol is not None and mol.GetNumHeavyAtoms() < 40]
    return [chemistry.parse(smiles) for smiles in SOUGHT] + usual[:100]


def test_all_20_tasks_are_there():
    assert sorted(TASKS) == NAMES
    assert len(NAMES) == 20


@pytest.mark.parametrize("name", NAMES)
def test_a_task_is_the_published_one(name, molecules):
    configuration.configure([f"pmo/{name}"], [])
    reward = gin.get_configurable("ComponentReward")()
    measured = [
        chemistry.measure(Chem.Mol(m), Chem.MolToSmiles(m), reward.wanted, reward.probes)
        for m in molecules
    ]
    finished = np.ones(len(measured), bool)
    limits = tokens.Encoding(tokens.Vocabulary.of(["CCO"], "atom"), 40, 1, 1_000)
    parts = reward.parts([found.canonical for found in measured], measured, finished, limits)
    with rdBase.BlockLogs():
        expected = [TASKS[name](mol) for mol in molecules]
    np.testing.assert_allclose(sum(parts.values()), expected, rtol=2e-4, atol=1e-6)
    assert max(expected) > 0.01

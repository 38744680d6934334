import collections
import os

import pytest
from rdkit import Chem

from pipelines.molecule import parsing, standard
from pipelines.molecule.entries import smiles_entry
from rl_tuner.common import workers
from rl_tuner.tasks.molecule import chemistry, histograms
from tests.pipelines.molecule.molecules import (
    ALL_TRAIN,
    GOOD,
    build_lines,
    make,
    nci_lines,
    read,
    rejected,
    smiles_of,
)


def test_random_spellings_are_of_the_molecule(tmp_path):
    inputs = nci_lines(60)
    build_lines(inputs, tmp_path, augment=4, validation_ratio=0.2, property_histograms=False)
    strings = collections.defaultdict(list)
    for split, smiles, text, *_ in read(tmp_path / "d"):
        assert Chem.CanonSmiles(text) == smiles
        strings[split, smiles].append(text)
    assert {len(set(texts)) == len(texts) for texts in strings.values()} == {True}
    number = collections.Counter((split, len(texts)) for (split, _), texts in strings.items())
    assert {count for split, count in number if split == "validation"} == {1}
    assert number["train", 5] > 30


def test_random_spellings_hang_on_the_seed_and_the_molecule_only(tmp_path):
    lines = ["CC(=O)Oc1ccccc1C(=O)O", "CCO", "CN1CCC[C@H]1c1cccnc1"]
    other = [*reversed(lines[1:]), "OC(=O)c1ccccc1OC(C)=O", "CCCCN"]
    results = []
    for name, these, seed in [("a", lines, 1), ("b", other, 1), ("c", lines, 2)]:
        (tmp_path / name).mkdir()
        build_lines(these, tmp_path / name, augment=3, seed=seed)
        strings = read(tmp_path / name / "d")
        results.append({text for _, smiles, text, *_ in strings if smiles != "CCCCN"})
    assert results[0] == results[1] != results[2]
    assert {text for text in results[0] if Chem.CanonSmiles(text) == "CCO"} <= {
        *("CCO", "OCC", "C(C)O", "C(O)C")
    }


def test_measures_are_those_of_rdkit_bit_for_bit():
    from rdkit.Chem import QED, Crippen, Descriptors

    quantities = [quantity.name for quantity in histograms.QUANTITIES]
    for text in [
        *nci_lines(200),
        "C[C@H]1CC2CCC1(C)C2",
        "C1CCCCCCCCCC1",
        "[2H]c1ccccc1[N+](=O)[O-]",
    ]:
        entry = smiles_entry("a.smi", 1, text)
        smiles, mol = standard.canonicalise(parsing.parse(entry))
        found = dict(zip(quantities, standard.measure(mol, smiles, length=7), strict=True))
        fresh = Chem.MolFromSmiles(smiles)
        assert found == {
            "logP": Crippen.MolLogP(fresh),
            "QED": QED.qed(fresh),
            "SA": chemistry.sascorer().calculateScore(fresh),
            "largest_ring": max(map(len, fresh.GetRingInfo().AtomRings()), default=0),
            "weight": Descriptors.MolWt(fresh),
            "heavy_atoms": fresh.GetNumHeavyAtoms(),
            "length": 7,
        }


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"CC(=O)[O-]", "C[NH+](C)C", "C[C@H](N)O", "C[C@@H](N)O", "CCO"}),
        ({"neutralise": True}, {"CC(=O)O", "CN(C)C", "C[C@H](N)O", "C[C@@H](N)O", "CCO"}),
        ({"keep_stereo": False}, {"CC(=O)[O-]", "C[NH+](C)C", "CC(N)O", "CCO"}),
        (
            {"strip_salts": False, "elements": ["C", "H", "N", "O", "Na", "Cl"]},
            {"CC(=O)[O-].[Na+]", "C[NH+](C)C.[Cl-]", "C[C@H](N)O", "C[C@@H](N)O", "CCO"},
        ),
    ],
)
def test_standardisation(tmp_path, settings, expected):
    lines = ["[Na+].CC(=O)[O-]", "[Cl-].C[NH+](C)C", "C[C@H](N)O", "C[C@@H](N)O", "C(O)C"]
    build_lines(lines, tmp_path, **settings)
    assert smiles_of(tmp_path / "d") == {Chem.CanonSmiles(smiles) for smiles in expected}


def test_isotopes_and_tautomers_are_switches(tmp_path):
    lines = ["[2H]OC", "[13CH3]O", "CO", "CC(=O)CC(C)=O", "CC(O)=CC(C)=O"]
    build_lines(lines, tmp_path)
    assert smiles_of(tmp_path / "d") == {Chem.CanonSmiles(smiles) for smiles in lines}
    description = build_lines(
        lines, tmp_path, keep_isotopes=False, merge_tautomers=True, overwrite=True
    )
    assert smiles_of(tmp_path / "d") == {"CO", "CC(=O)CC(C)=O"}
    assert description["rejections"] == {"duplicate": 3}


def test_what_a_molecule_lost_is_counted(tmp_path):
    lines = ["CCO.Cl", "[CH3:1]N", "C[C@H](O)N |&1:1|", "CC[O-]", "[13CH3]OC", "CCC"]
    settings = {"neutralise": True, "keep_isotopes": False, "keep_stereo": False}
    changes = build_lines(lines, tmp_path, **settings)["changes"]
    assert changes == dict.fromkeys(
        [
            "fragments left out",
            "atom maps left out",
            "CXSMILES extension left out",
            "stereochemistry left out",
            "isotopes left out",
        ],
        1,
    )
    # Ethanol came twice, and the first of them had its charge.
    assert ("in.smi", "duplicate", "line 4: CC[O-] (of in.smi#1)") in rejected(tmp_path / "d")


@pytest.mark.parametrize(
    ("settings", "reason", "lost"),
    [
        ({"min_length": 4}, "too short", "CCO"),
        ({"max_length": 6}, "too long", "CCCCCCN"),
        ({"max_length": 8}, "too long", "CC(C)(C)O"),
        ({"min_heavy_atoms": 4}, "too few heavy atoms", "CCO"),
        ({"max_heavy_atoms": 6}, "too many heavy atoms", "CCCCCCN"),
        ({"elements": ["C", "O", "H"]}, "element not allowed", "CCCCCCN"),
    ],
)
def test_filters(tmp_path, settings, reason, lost):
    lines = ["CCCCO", "CCCCCO", lost]
    assert build_lines(lines, tmp_path, **settings)["rejections"] == {reason: 1}
    assert smiles_of(tmp_path / "d") == {"CCCCO", "CCCCCO"}


def test_a_molecule_too_much_for_rdkit_is_the_only_one_lost(tmp_path):
    lines = ["CCO", "C" * 25_000, "CCN", "C" * 100_001, "CCC"]
    description = build_lines(lines, tmp_path)
    assert description["rejections"] == {"too large": 1, "too long": 1}
    # Written out, a chain like this takes seconds and then, on most machines, the stack.
    description = build_lines(
        lines, tmp_path, max_length=10**6, timeout_seconds=2.0, overwrite=True
    )
    assert smiles_of(tmp_path / "d") == {"CCO", "CCN", "CCC"}
    assert description["rejections"].pop("too large") == 1
    assert set(description["rejections"]) <= {workers.CRASHED, workers.TIMED_OUT}
    ((_, detail),) = [(r, d) for _, r, d in rejected(tmp_path / "d") if r != "too large"]
    assert detail.startswith("line 2: CCC")


@pytest.mark.parametrize("representation", ["character", "selfies"])
def test_other_representations(tmp_path, representation):
    if representation == "selfies":
        pytest.importorskip("selfies")
    changes = {"representation": representation, "augment": 2}
    make([os.path.join(GOOD, "drugs.smi")], tmp_path / "d", **changes, **ALL_TRAIN)
    strings = read(tmp_path / "d", same_text=representation != "selfies")
    assert len({smiles for _, smiles, *_ in strings}) == 15
    assert len(strings) > 40
    for _, smiles, text, *_ in strings:
        assert Chem.CanonSmiles(text) == smiles

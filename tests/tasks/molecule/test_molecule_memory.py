"""The memory of the best molecules: offspring, spellings, and what they cost."""

import numpy as np
import pytest
from rdkit import Chem

from rl_tuner.common.errors import UserError
from rl_tuner.core.ledger import Ledger
from rl_tuner.tasks.molecule import breeding
from rl_tuner.tasks.molecule.memory import Memory
from rl_tuner.tasks.molecule.tokens import Vocabulary

PARENTS = [
    "CC(=O)Oc1ccccc1C(=O)O",
    "CCN(CC)CCNC(=O)c1ccc(N)cc1",
    "COc1ccc2[nH]cc(CCN)c2c1",
    "O=C1CCCN1CC#N",
    "FC(F)(F)c1ccc(Cl)cc1S(N)(=O)=O",
]
VOCABULARY = Vocabulary.of(PARENTS, "atom")


def children(count, rate, seed=0):
    generator = np.random.default_rng(seed)
    pairs = generator.integers(len(PARENTS), size=(count, 2))
    return [breeding.offspring(PARENTS[a], PARENTS[b], rate, generator) for a, b in pairs]


def test_offspring_are_whole_canonical_molecules_that_differ_from_their_parents():
    found = [child for child in children(300, 0.5) if child]
    assert len(found) > 250
    assert len(set(found)) > 150
    for child in found:
        mol = Chem.MolFromSmiles(child)
        assert Chem.MolToSmiles(mol) == child
        assert "." not in child
        assert max(map(len, mol.GetRingInfo().AtomRings()), default=0) <= 8


def test_without_mutation_a_child_has_only_its_parents_elements():
    generator = np.random.default_rng(1)
    for _ in range(50):
        child = breeding.offspring("CCOCCO", "CCSCCS", 0.0, generator)
        assert child is None or set(child) <= set("COS()")


def test_the_same_seed_breeds_the_same_children():
    assert children(20, 0.5, seed=7) == children(20, 0.5, seed=7)
    assert children(20, 0.5, seed=7) != children(20, 0.5, seed=8)


@pytest.mark.parametrize("change", breeding._CHANGES, ids=lambda change: change.__name__)
def test_every_mutation_changes_some_molecule(change):
    generator = np.random.default_rng(3)
    changed = 0
    for smiles in PARENTS * 10:
        edited = Chem.RWMol(Chem.MolFromSmiles(smiles))
        Chem.Kekulize(edited, clearAromaticFlags=True)
        if change(edited, generator):
            mol = breeding._sensible(edited)
            changed += mol is not None and Chem.MolToSmiles(mol) != Chem.CanonSmiles(smiles)
    assert changed >= 3


def test_the_memory_proposes_spellings_of_the_best_and_new_children():
    leaders = [Chem.CanonSmiles(smiles) for smiles in PARENTS]
    ledger = Ledger()
    ledger.admit(leaders)
    found = Memory(spellings=20, offspring=10).propose(leaders, ledger, VOCABULARY, [1, 2])
    strings = [VOCABULARY.decode(classes) for classes in found]
    spelled, bred = strings[:20], strings[20:]
    assert {Chem.CanonSmiles(string) for string in spelled} <= set(leaders)
    assert len(set(spelled)) > 10
    assert 5 <= len(bred) <= 10
    assert len(set(bred)) == len(bred)
    assert not {Chem.CanonSmiles(string) for string in bred} & set(leaders)
    again = Memory(spellings=20, offspring=10).propose(leaders, ledger, VOCABULARY, [1, 2])
    assert again == found


def test_the_best_are_chosen_most_often():
    memory = Memory(spellings=2_000, offspring=0, pressure=0.5)
    found = memory.propose(["C", "N", "O", "F"], (), Vocabulary.of(["CNOF"], "atom"), [0])
    letters = [Vocabulary.of(["CNOF"], "atom").decode(classes) for classes in found]
    chances = np.array([1 / 2, 1 / 3, 1 / 4, 1 / 5])
    expected = chances / chances.sum()
    shares = [letters.count(letter) / 2_000 for letter in "CNOF"]
    np.testing.assert_allclose(shares, expected, atol=0.04)


def test_what_the_vocabulary_cannot_write_is_not_proposed():
    memory = Memory(spellings=5, offspring=0)
    assert memory.propose(["CBr"], (), Vocabulary.of(["CCO"], "atom"), [0]) == []
    assert memory.propose([], (), VOCABULARY, [0]) == []


def test_bad_settings():
    with pytest.raises(ValueError, match="both 0; remove the memory"):
        Memory(spellings=0, offspring=0)
    with pytest.raises(ValueError, match=r"Memory\.best must be a whole number from 1 to 100"):
        Memory(best=101)
    with pytest.raises(ValueError, match=r"Memory\.mutation_rate"):
        Memory(mutation_rate=1.5)


def test_seeds_come_first_once_each(tmp_path):
    path = tmp_path / "seeds.smi"
    path.write_text("OCC first\n\nCCN\nc1ccccc1\n")
    memory = Memory(spellings=0, offspring=2, seeds=str(path))
    proposed = [
        [VOCABULARY.decode(row) for row in memory.propose([], (), VOCABULARY, [0, iteration])]
        for iteration in range(3)
    ]
    assert proposed == [["CCO", "CCN"], ["c1ccccc1"], []]
    with pytest.raises(UserError, match=r"seeds.smi: CCN: .*; remove it"):
        memory.propose([], (), Vocabulary.of(["CCO"], "atom"), [0, 0])


@pytest.mark.parametrize(
    ("text", "message"), [("CCO\nC(\n", r"line 2: 'C\(' is no molecule"), (None, "cannot be read")]
)
def test_seeds_that_cannot_be_read(tmp_path, text, message):
    path = tmp_path / "seeds.smi"
    if text:
        path.write_text(text)
    with pytest.raises(ValueError, match=message):
        Memory(seeds=str(path))
    with pytest.raises(ValueError, match=r"set Memory\.offspring above 0"):
        Memory(offspring=0, seeds=str(path))

"""Ranked lists of molecules, and beginnings that no molecule has."""

import csv

import numpy as np
import pytest
from rdkit import Chem

from pipelines.molecule.readers import list_entries
from rl_tuner.common.errors import UserError
from rl_tuner.tasks.molecule import chemistry, opening, ranking, tokens

SMILES = ["CCO", "OCC", "C(", "c1ccccc1C", "CCN"]


def rows():
    properties = [chemistry.properties(smiles) for smiles in SMILES]
    places = ranking.distinct(properties)
    assert places == [0, 3, 4]
    found = [properties[place] for place in places]
    near = ranking.nearest([one.canonical for one in found], ["CCO", "Cc1ccccc1F", "CCCl"])
    rewards, nll = np.array([1.0, 3.0, 2.0]), np.array([-1.0, -2.0, -3.0])
    return ranking.table(found, rewards, nll, nll - 1, {"value_x": rewards * 2}, near)


def test_molecules_are_ranked_with_all_that_is_known():
    best, second, third = rows()
    assert [r["smiles"] for r in (best, second, third)] == ["Cc1ccccc1", "CCN", "CCO"]
    assert (best["rank"], best["reward"], best["value_x"]) == (1, 3.0, 6.0)
    assert (best["nll_tuned"], best["nll_prior"]) == (2.0, 3.0)
    assert best["nearest_training"] == "Cc1ccccc1F"
    assert best["new"] and second["new"] and not third["new"]
    assert third["nearest_training"] == "CCO" and third["nearest_similarity"] == 1.0


def test_neighbours_are_the_same_when_the_training_molecules_come_in_blocks(monkeypatch):
    smiles = ["CCO", "Cc1ccccc1", "CCCCCCCC"]
    # Those of long chains have one fingerprint.
    training = ["CCCl", "C" * 9, "Cc1ccccc1F", "C" * 8, "CCO", "CCN", "CCO"]
    whole = ranking.nearest(smiles, iter(training))
    assert whole.smiles == ["CCO", "Cc1ccccc1F", "CCCCCCCC"]
    assert whole.is_new == [False, True, False]
    for size in (1, 2, 3):
        monkeypatch.setattr(ranking, "_BLOCK", size)
        assert ranking.nearest(smiles, iter(training)) == whole


def test_files_can_be_read_again(tmp_path):
    made = rows()
    ranking.write_csv(str(tmp_path / "a.csv"), made)
    ranking.write_sdf(str(tmp_path / "a.sdf"), made)
    with open(tmp_path / "a.csv", encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert [row["smiles"] for row in read] == [row["smiles"] for row in made]
    mols = list(Chem.SDMolSupplier(str(tmp_path / "a.sdf")))
    assert [Chem.MolToSmiles(mol) for mol in mols] == [row["smiles"] for row in made]
    assert float(mols[0].GetProp("reward")) == 3.0
    ranking.write_csv(str(tmp_path / "none.csv"), [])
    assert (tmp_path / "none.csv").read_text() == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("CC)", "closes a branch"),
        ("C(C)(C)(C)(C)C", "too many bonds"),
        ("N(C)(C)(C)C", "too many bonds"),
        ("C()C", "not the beginning"),
        ("C==C", "not the beginning"),
    ],
)
def test_a_beginning_that_cannot_be_completed_is_refused(text, why):
    vocabulary = tokens.Vocabulary.of(["CN(C)C=C"], "atom")
    with pytest.raises(UserError, match=f"cannot be completed to a molecule: .*{why}"):
        opening.read_prompt(text, vocabulary)


def test_every_beginning_of_a_molecule_can_be_completed():
    entries, _ = list_entries(["builtin:nci"], recursive=False, column=None, max_bytes=2**30)
    checked = 0
    for entry in entries[::60]:
        if chemistry.parse(entry.text) is None or "." in entry.text:
            continue
        parts = tokens.split(entry.text, "atom")
        for size in range(1, len(parts) + 1):
            assert opening.uncompletable("".join(parts[:size])) is None
            checked += 1
    assert checked > 1_000

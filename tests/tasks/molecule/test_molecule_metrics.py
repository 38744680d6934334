import itertools
import os

import numpy as np
import pytest
from rdkit import Chem, DataStructs, RDConfig
from rdkit.Chem import rdFingerprintGenerator
from rdkit.Chem.Scaffolds import MurckoScaffold

from rl_tuner.tasks.molecule import chemistry, metrics
from rl_tuner.tasks.molecule.chemistry import Properties
from rl_tuner.tasks.molecule.task import MoleculeTask


def text_table(columns):
    return MoleculeTask().presentation().format_metrics(columns)


def molecule(canonical="C", ring=0, logp=1.0, qed=0.5, sa=2.0):
    return Properties(canonical, 1, 16.0, ring, logp, qed, sa)


def molecules(count):
    chemistry.silence()
    with open(os.path.join(RDConfig.RDDataDir, "NCI", "first_5K.smi")) as file:
        found = (chemistry.properties(line.split()[0], frozenset()) for line in file)
        return list(itertools.islice((one for one in found if one), count))


def test_table2_by_hand():
    found = [molecule(ring=8, logp=3.0, qed=0.25, sa=4.0), None, molecule(ring=6), None]
    sums = metrics.table2_sums(found)
    assert sums == {
        "molecules": 4,
        "valid": 2,
        "logp": 4.0,
        "qed": 0.75,
        "sa_penalty": -6.0,
        "ring_penalty": -2.0,
    }
    assert metrics.table2(sums) == {
        "valid": 0.5,
        "logp": 2.0,
        "qed": 0.375,
        "sa_penalty": -3.0,
        "ring_penalty": -1.0,
    }


def test_sums_of_batches_add_up():
    found = [molecule(logp=float(i)) if i % 3 else None for i in range(10)]
    first, second = metrics.table2_sums(found[:4]), metrics.table2_sums(found[4:])
    assert {k: first[k] + second[k] for k in first} == metrics.table2_sums(found)


def test_nothing_valid_has_no_means():
    table = metrics.table2(metrics.table2_sums([None, None]))
    assert table == dict.fromkeys(metrics.TABLE2_METRICS) | {"valid": 0.0}
    with pytest.raises(ValueError, match="at least one"):
        metrics.table2(metrics.table2_sums([]))


def test_the_papers_columns():
    assert metrics.PAPER_TABLE2["MLE"] == {
        "valid": 0.303,
        "logp": 2.07,
        "qed": 0.678,
        "sa_penalty": -2.77,
        "ring_penalty": -0.096,
    }
    assert metrics.PAPER_TABLE2["tuned"]["ring_penalty"] == -0.001


def test_the_table_as_text():
    table = metrics.table2(metrics.table2_sums([molecule(), None]))
    lines = text_table({"prior": table}).split("\n")
    assert lines[0].split() == ["prior", "paper", "MLE", "paper", "tuned"]
    assert lines[1].split() == ["Percent", "valid", "50.0%", "30.3%", "35.8%"]
    assert lines[3].split() == ["Mean", "QED", "0.500", "0.678", "0.417"]
    assert len(lines) == 6
    assert len({len(line) for line in lines}) == 1
    text = (
        MoleculeTask()
        .presentation()
        .format_metrics({"prior": table | {"scaffolds": 1234, "novelty": None}})
    )
    assert "Scaffolds" in text
    assert "1,234" in text
    assert [line.split()[1] for line in text.split("\n") if line.startswith("Novel")] == ["n/a"]


def test_unique():
    assert metrics.unique_at(["C", "C", "N", "O"], 4) == 0.75
    assert metrics.unique_at(["C", "C", "N", "O"], 2) == 0.5
    assert metrics.unique_at(["C", "C", "N", "O"], 5) is None


def test_novelty_counts_different_molecules():
    assert metrics.novelty(["C", "C", "N", "O"], {"C", "CC"}) == 2 / 3
    assert metrics.novelty([], {"C"}) is None


def test_diversity_is_the_mean_over_all_pairs(monkeypatch):
    monkeypatch.setattr(metrics, "_BLOCK", 7)
    smiles = [found.canonical for found in molecules(40)]
    smiles += smiles[:5]
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    prints = [generator.GetFingerprint(Chem.MolFromSmiles(s)) for s in smiles]
    pairs = [DataStructs.TanimotoSimilarity(a, b) for a in prints for b in prints]
    assert metrics.internal_diversity(smiles) == pytest.approx(1 - np.mean(pairs), abs=1e-6)
    assert metrics.internal_diversity(["CCO"] * 3) == pytest.approx(0.0)
    assert metrics.internal_diversity([]) is None


def test_scaffolds(monkeypatch):
    found = molecules(60)
    expected = {MurckoScaffold.MurckoScaffoldSmiles(one.canonical) for one in found} - {""}
    assert metrics.scaffold_metrics(found)["scaffolds"] == len(expected)
    monkeypatch.setattr(metrics, "_FEW", 0)
    assert metrics.scaffold_metrics(found)["scaffolds"] == len(expected)
    known = [one._replace(scaffold="c1ccccc1") for one in found]
    assert metrics.scaffold_metrics(known)["scaffolds"] == 1


def test_set_metrics():
    found = [molecule("CCO"), None, molecule("c1ccccc1"), molecule("Cc1ccccc1")] * 400
    result = metrics.set_metrics(found, {"CCO"})
    assert result["unique_at_1000"] == 3 / 1000
    assert result["unique_at_10000"] is None
    assert result["novelty"] == 2 / 3
    assert result["scaffolds"] == 1
    assert 0 < result["internal_diversity"] < 1
    assert "novelty" not in metrics.set_metrics(found)
    empty = metrics.set_metrics([None], set())
    assert {name for name, value in empty.items() if value is not None} == {"scaffolds"}

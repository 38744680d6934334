"""The table of the benchmark PMO."""

import csv
import glob
import os

import pytest

from benchmarks.paper import pmo
from rl_tuner.common.errors import UserError
from tests.tiny_job import ROOT

FACTS = {
    "command": "python -m benchmarks.paper.pmo",
    "data": {"name": "zinc", "source": ["zinc.smi"], "splits": None, "prior_scores": None},
    "machine": {"cores": 2, "cpu": "x", "load": 0.1},
    "versions": {"python": "3.11"},
    "seeds": [0, 1],
}


def run(auc):
    best = {"smiles": "CCO", "reward": auc + 0.1}
    return {"auc": auc, "calls": 10_000, "top": auc, "best": best, "curve": [(0, 0), (100, auc)]}


def test_every_task_has_its_gin_file():
    names = {os.path.basename(path)[:-4] for path in glob.glob(f"{ROOT}/gin/pmo/*.gin")}
    assert names == {"base", *pmo.TASKS}


def test_areas_stand_beside_the_published_ones():
    runs = {"qed": [run(0.9), run(0.7)], "median1": [run(0.3), run(0.3)]}
    published = {"reinvent": {"qed": 0.941, "median1": 0.356}, "other": {"qed": 0.5}}
    text = pmo.format_markdown(runs, published, FACTS, "pmo.png")
    assert "| qed | 0.800 ± 0.141 | 10,000 10,000 | 0.941 | 0.500 |" in text
    assert "| **sum of 2** | **1.100** |  | 1.297 |  |" in text
    assert "| median1 | 0.400 | `CCO` |" in text


def test_a_run_is_measured_from_its_molecules(tmp_path):
    rows = [
        {"smiles": "C" * n, "reward": n / 200, "step": 10 * n, "sequence": n} for n in range(1, 151)
    ]
    with open(tmp_path / "molecules.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    found = pmo.measure(str(tmp_path), 200)
    # Means of the ten best: 0.4775 after 100 calls and 0.7275 after 150, which counts for the last 50, too.
    area = (100 * 0.4775 / 2 + 50 * (0.4775 + 0.7275) / 2 + 50 * 0.7275) / 200
    assert found["auc"] == pytest.approx(area)
    assert found["calls"] == 150
    assert found["curve"] == [(0, 0.0), (100, pytest.approx(0.4775))]
    assert found["best"] == {"smiles": "C" * 150, "reward": 0.75}


def test_published_areas_are_read(tmp_path):
    path = tmp_path / "published.csv"
    path.write_text("task,ga,needs\nqed,.94,rdkit\nmedian1,,rdkit\n")
    assert pmo.read_published(str(path)) == {"ga": {"qed": 0.94}}
    path.write_text("name\nqed\n")
    with pytest.raises(UserError, match='has no column "task"'):
        pmo.read_published(str(path))

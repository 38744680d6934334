import json
import os

import pytest

from benchmarks.paper import lambda_music, molecule_learning, table2
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.tasks.molecule.metrics import SET_ROWS, TABLE2_ROWS


def model(valid, length=40.0):
    rows = {metric: 0.5 for metric, _, _ in (*TABLE2_ROWS, *SET_ROWS)} | {"valid": valid}
    return rows | {"log_prior": -0.5, "kl": 0.1, "length": length, "task_reward": 3.0}


def fake_run(folder, valid):
    network = SequenceNetwork(5, (3,))
    network.metadata = {"provenance": {"source": ["some.smi"], "splits": None, "scores": None}}
    os.makedirs(folder / "plots", exist_ok=True)
    network.save(folder / "prior.keras")
    for picture in table2.PICTURES:
        (folder / "plots" / f"{picture}.png").write_bytes(b"png")
    settings = {
        "job": {"dataset_name": "some", "evaluation_sequences": 100},
        "tune": {"steps": 1000},
        "RLTuner": {},
    }
    metrics = {"prior": model(0.7), "tuned": model(valid)}
    return {"metrics": metrics, "history": [], "settings": settings, "run_dir": str(folder)}


def test_table2_shows_mean_and_spread_beside_the_paper(tmp_path):
    runs = [fake_run(tmp_path / "run", valid) for valid in (0.96, 0.98)]
    paths = table2.write_results(runs, [0, 1], str(tmp_path / "results"), "_some")
    with open(paths[0], encoding="utf-8") as file:
        rows = {line.split("|")[1].strip(): line for line in file if line.startswith("| ")}
    assert "70.0% ± 0.0 | 97.0% ± 1.4 | 30.3% | 35.8%" in rows["Percent valid"]
    # -log p and KL of a token, times 40 tokens.
    assert "20.0 ± 0.0" in rows["NLL under the prior, nats per molecule"]
    assert "4.00 ± 0.00" in rows["Exact KL from the prior, nats per molecule"]
    with open(paths[1], encoding="utf-8") as file:
        assert json.load(file)["models"]["Tuned"]["valid"]["values"] == [0.96, 0.98]
    assert all(os.path.isfile(path) for path in paths)


def batches(count, reward):
    return [
        {
            "sequences": 128 * (index + 1),
            "reward": reward(index),
            "valid": 0.5,
            "unique": 1.0,
            "nll_prior": 20.0,
            "molecules": 64 * (index + 1) - index,
            "seconds": float(index),
        }
        for index in range(count)
    ]


def test_points_are_means_of_the_latest_molecules():
    points = molecule_learning.at_points(batches(10, float))
    assert list(points) == [512, 1000]
    assert points[512]["reward"] == pytest.approx((0 + 1 + 2 + 3) / 4)
    assert points[1000]["reward"] == pytest.approx((4 + 5 + 6 + 7) / 4)
    assert points[1000]["distinct"] == pytest.approx((64 * 8 - 7) / (64 * 8))
    assert points[1000]["seconds"] == 7.0


def test_learning_tables_have_a_row_a_variant_and_seed(tmp_path):
    run = fake_run(tmp_path / "run", 0.9) | {"batches": batches(90, lambda i: i / 100)}
    runs = {name: [run, run] for name, *_ in molecule_learning.VARIANTS}
    paths = molecule_learning.write_results(runs, [0, 1], str(tmp_path / "results"))
    with open(paths[0], encoding="utf-8") as file:
        rows = [line for line in file if line.startswith("| lambda")]
    assert len(rows) == 4
    assert rows[0].split("|")[7].strip() == f"{(75 + 76 + 77 + 78) / 400:.3f}"
    assert os.path.getsize(paths[2]) > 5_000


def test_the_lambda_table_has_a_row_a_run(tmp_path):
    run = fake_run(tmp_path / "run", 0.9)
    run["history"] = [{"step": step, "task_reward": 1.0, "kl": 0.1} for step in (0, 100)]
    run["metrics"]["tuned"] |= {"entropy": 1.0, "distinct": 0.9}
    runs = {(g, x): run for g, _ in lambda_music.DISCOUNTS for x in lambda_music.LAMBDAS}
    paths = lambda_music.write_results(runs, [0], str(tmp_path / "results"))
    with open(paths[0], encoding="utf-8") as file:
        rows = [line for line in file if line.startswith(("| 0.5", "| 1 "))]
    assert len(rows) == 8
    assert os.path.getsize(paths[2]) > 5_000


def test_bindings_replace_the_corpus():
    params = table2.bindings("a/b.smi", "b", 10, 20)
    assert "build_molecule_dataset.inputs = ['a/b.smi']" in params and "tune.steps = 10" in params

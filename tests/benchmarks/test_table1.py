import json
import os
import statistics

import pytest

from benchmarks.paper import experiments, table1
from rl_tuner.common.errors import UserError
from rl_tuner.common.tables import format_cell
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.tasks.melody.metrics import TABLE1_METRICS
from tests.tiny_job import ROOT, command, write_book

COMMON = [metric for metric, _, _ in table1.COMMON_ROWS]


def fake_run(run_dir, value):
    metrics = dict.fromkeys([*TABLE1_METRICS, *COMMON], value)
    history = [{"step": step, "log_prior": -value, "task_reward": 10 * value} for step in (0, 100)]
    settings = {
        "job": {"dataset_name": "tunes", "evaluation_sequences": 50},
        "tune": {"steps": 100},
    }
    return {
        "metrics": {"prior": metrics, "tuned": dict.fromkeys(metrics, 2 * value)},
        "history": history,
        "settings": settings,
        "run_dir": run_dir,
    }


def test_summaries_leave_undefined_values_out():
    summary = experiments.summarise(
        [{"a": 1.0, "b": None}, {"a": 2.0, "b": None}, {"a": 6.0, "b": 5.0}]
    )
    assert summary["a"] == {
        "mean": 3.0,
        "std": statistics.stdev([1.0, 2.0, 6.0]),
        "values": [1.0, 2.0, 6.0],
    }
    assert summary["b"] == {"mean": 5.0, "std": None, "values": [5.0]}
    assert experiments.summarise([{"a": None}])["a"] == {"mean": None, "std": None, "values": []}


def test_curves_are_averaged_evaluation_by_evaluation():
    runs = [fake_run("", 1.0)["history"], fake_run("", 3.0)["history"]]
    first, last = table1.history_bands(runs)
    assert (first["step"], last["step"]) == (0, 100)
    assert last["log_prior"]["mean"] == -2.0
    assert last["task_reward"]["std"] == pytest.approx(statistics.stdev([10.0, 30.0]))


@pytest.mark.parametrize(
    "kind, mean, std, text",
    [
        ("share", 0.2875, None, "28.7%"),
        ("share", 0.2875, 0.011, "28.7% ± 1.1"),
        ("share", 0.0009, 0.00015, "0.09% ± 0.01"),
        ("share", 0.00007, None, "0.007%"),
        ("share", 0.0, None, "0.0%"),
        ("mean", -0.104, 0.02, "-0.10 ± 0.02"),
        ("reward", 101.13, 2.0, "101.1 ± 2.0"),
        ("mean", -0.0001, 0.0, "0.00 ± 0.00"),
        ("share", None, None, "n/a"),
    ],
)
def test_cells(kind, mean, std, text):
    assert format_cell(kind, mean, std) == text


def test_seeds():
    assert experiments.parse_seeds(["0", "7"]) == [0, 7]
    for bad in (["a"], ["-1"], [], ["1.5"], ["1", "1"]):
        with pytest.raises(UserError):
            experiments.parse_seeds(bad)


def test_every_seed_shares_a_prior():
    params = table1.bindings("tunes/abc", "abc", 10, 20)
    assert "job.prior_seed = 0" in params
    assert "build_melody_dataset.inputs = ['tunes/abc']" in params
    assert "tune.steps = 10" in params and "job.evaluation_sequences = 20" in params
    assert not any("inputs" in p or "steps" in p for p in table1.bindings(None, "", None, 20))


@pytest.mark.parametrize("gin_file", table1.MODELS.values())
def test_the_models_are_there(gin_file):
    assert os.path.isfile(os.path.join(ROOT, gin_file))


def test_results_hold_table_figure_and_provenance(tmp_path):
    run_dir = str(tmp_path / "run")
    os.makedirs(run_dir)
    provenance = {
        "source": ["tunes/abc"],
        "splits": {"train": {"sequences": 7, "tokens": 1234}},
        "scores": {"validation_log_perplexity": 0.5, "validation_accuracy": 0.8},
    }
    prior = SequenceNetwork(38, [4], metadata={"kind": "melody", "provenance": provenance})
    prior.save(os.path.join(run_dir, "prior.keras"))
    runs = {model: [fake_run(run_dir, v) for v in (0.25, 0.5)] for model in table1.MODELS}

    paths = table1.write_results(runs, [0, 1], str(tmp_path / "results"), "_abc")
    names = [os.path.basename(path) for path in paths]
    assert names == ["table1_abc.md", "table1_abc.json", "figure2_abc.png"]
    with open(paths[0], encoding="utf-8") as file:
        text = file.read()
    spread = 100 * statistics.stdev([0.5, 1.0])
    rows = {row.split("|")[1].strip(): row for row in text.splitlines() if row.startswith("| ")}
    assert len(rows) == 1 + len(TABLE1_METRICS) + len(COMMON)
    assert rows["Unique max note"].count(f"75.0% ± {spread:.1f}") == len(table1.MODELS)
    assert rows["Unique max note"].rstrip(" |").endswith("64.7% | 56.4% | 59.4% | 37.1%")
    assert "(tunes/abc): train 7 sequences (1,234 tokens)" in text
    assert "validation 0.500 nats per step, accuracy 80.0%" in text
    assert "![Figure 2](figure2_abc.png)" in text
    with open(paths[1], encoding="utf-8") as file:
        numbers = json.load(file)
    assert list(numbers["models"]) == ["Prior", *table1.MODELS]
    assert numbers["models"]["Prior"]["kl"]["values"] == [0.25, 0.5]
    assert numbers["machine"]["cores"] >= 1 and "tensorflow" in numbers["versions"]
    with open(paths[2], "rb") as file:
        assert file.read(4) == b"\x89PNG"


@pytest.mark.slow
def test_a_small_run_from_start_to_finish_and_again(tmp_path):
    write_book(str(tmp_path / "book.abc"))
    arguments = [
        f"--data={tmp_path}/book.abc",
        "--name=tiny",
        "--seeds=0,1",
        "--steps=2048",
        "--melodies=50",
        "--gin_param=pretrain.max_epochs=1",
        f"--work_dir={tmp_path}/runs",
        f"--output_dir={tmp_path}/results",
    ]
    first = command("benchmarks.paper.table1", *arguments)
    assert "table1: 8 of 8: Reward only, seed 1" in first.stderr
    with open(tmp_path / "results" / "table1_tiny.json", encoding="utf-8") as file:
        models = json.load(file)["models"]
    # Every model of a seed is compared with the one prior.
    assert len(models["Prior"]["log_prior"]["values"]) == 2
    assert len(os.listdir(tmp_path / "runs" / "priors")) == 1
    second = command("benchmarks.paper.table1", *arguments)
    assert second.stderr.count("tune: reusing") == 8
    with open(tmp_path / "results" / "table1_tiny.json", encoding="utf-8") as file:
        assert json.load(file)["models"] == models


def test_models_are_names_and_gin_files():
    assert table1.parse_models(["A=a.gin", "B b=b.gin"]) == {"A": "a.gin", "B b": "b.gin"}
    for bad in (["A"], ["=a.gin"], ["A=a.gin", "A=b.gin"]):
        with pytest.raises(UserError, match="--models"):
            table1.parse_models(bad)

import csv
import json
import os

import gin
import numpy as np
import pytest

from rl_tuner.common.errors import UserError
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.objectives import Psi
from rl_tuner.jobs import (
    configuration,
)
from rl_tuner.jobs import (
    job as _job,  # noqa: F401  (gin knows `job` by importing it)
)
from rl_tuner.tasks.molecule import tokens
from rl_tuner.tasks.molecule.diversity import DiversityFilter
from rl_tuner.tasks.molecule.memory import Memory
from rl_tuner.tasks.molecule.task import MoleculeTask
from rl_tuner.tuning import loop
from tests.tiny_job import ROOT, command

SMILES = ["CCO", "CCN", "CCC", "CCCO", "CCCN", "c1ccccc1", "Cc1ccccc1", "CC(C)O", "CC(=O)O", "OCCO"]


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """A finished molecule job: its folder, and what it printed."""
    folder = tmp_path_factory.mktemp("molecules")
    stems = [
        f"{a}{b}" for a in SMILES[:5] for b in ("C", "CC", "CO", "CN", "CCl", "C=O", "C(C)C", "CF")
    ]
    (folder / "some.smi").write_text("\n".join([*SMILES, *stems]) + "\n")
    done = command(
        "rl_tuner.train",
        f"--gin_file={ROOT}/tests/jobs/molecules.gin",
        f"--gin_param=build_molecule_dataset.inputs = ['{folder}/some.smi']",
        f"--work_dir={folder}/runs",
        f"--run_dir={folder}/run",
    )
    return folder, done.stdout


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_what_a_chemist_looks_at(job):
    folder, printed = job
    run = folder / "run"
    for name in ("samples", "best", "properties", "learning", "training"):
        assert (run / "plots" / f"{name}.png").stat().st_size > 5_000
    assert (run / "samples" / "tuned.smi").exists() and (run / "samples" / "tuned.sdf").exists()
    assert "Percent valid" in printed and "paper tuned" in printed
    metrics = json.loads((run / "metrics.json").read_text())
    for model in ("prior", "tuned"):
        assert 0 <= metrics[model]["valid"] <= 1
        assert {"novelty", "internal_diversity", "scaffolds", "unique_at_1000"} <= metrics[
            model
        ].keys()


def test_its_journal_adds_up(job):
    folder, _ = job
    molecules = rows_of(folder / "run" / "molecules.csv")
    learning = rows_of(folder / "run" / "learning.csv")
    assert int(learning[-1]["sequences"]) == 16 * len(learning)
    assert int(learning[-1]["molecules"]) == len(molecules) == len({r["smiles"] for r in molecules})
    assert float(learning[0]["nll_prior"]) == pytest.approx(
        float(learning[0]["nll_policy"]), rel=1e-4
    )


def test_generate_goes_on_from_a_prompt(job, tmp_path):
    folder, _ = job
    made = command(
        "rl_tuner.generate",
        f"--run_dir={folder}/run",
        f"--output_dir={tmp_path}",
        "--count=7",
        "--prompt=CC",
    )
    ranked = rows_of(tmp_path / "tuned_ranked.csv")
    assert len({row["smiles"] for row in ranked}) == len(ranked)
    rewards = [float(row["reward"]) for row in ranked]
    assert rewards == sorted(rewards, reverse=True)
    assert f"7 drawn, {len(ranked)} valid" in made.stderr or len(ranked) < 7
    for row in ranked:
        assert {"qed", "nll_tuned", "nll_prior", "nearest_training", "new"} <= row.keys()
        assert 0 <= float(row["nearest_similarity"]) <= 1
    lines = (tmp_path / "tuned.smi").read_text().splitlines()
    assert len(lines) == 7 and all(line.startswith("CC") for line in lines)
    wrong = command(
        "rl_tuner.generate",
        f"--run_dir={folder}/run",
        f"--output_dir={tmp_path}/wrong",
        "--prompt=[Xe]",
        check=False,
    )
    assert wrong.returncode == 1
    assert wrong.stderr.strip().splitlines()[-1].startswith("error: prompt '[Xe]'")


def tune(folder, steps, memory=None, diversity=None, **limits):
    gin.clear_config()
    vocabulary = tokens.Vocabulary.of(SMILES, "atom")
    encoding = tokens.Encoding.measure(vocabulary, [vocabulary.encode(s) for s in SMILES])
    prior = SequenceNetwork(vocabulary.num_classes, (12,))
    rng = np.random.default_rng(0)
    prior.set_weights([rng.normal(size=w.shape) for w in prior.weights])
    prior.metadata = {"encoding": encoding.to_json(), "kind": "molecule"}
    task = MoleculeTask(num_processes=1, memory=memory, diversity=diversity)
    task.adopt(prior.metadata)
    configuration.configure(
        [os.path.join(ROOT, "tests/jobs/molecules.gin")], ["RLTuner.learning_rate = 1e-2"]
    )
    tuner = configuration.build("RLTuner", prior=prior, task=task, seed=3)
    loop.tune(
        tuner,
        str(folder),
        steps=steps,
        evaluate_every=600,
        evaluation_sequences=10,
        chunk=3,
        **limits,
    )
    return tuner


def test_a_budget_ends_exactly_even_after_a_resume(tmp_path, capsys):
    whole = tune(tmp_path / "whole", 100_000, budget=30)
    assert whole.ledger.calls == 30
    assert "all 30 calls of the reward are made" in capsys.readouterr().err
    rows = rows_of(tmp_path / "whole" / "molecules.csv")
    learning = rows_of(tmp_path / "whole" / "learning.csv")
    assert len(rows) == len({row["smiles"] for row in rows}) == 30
    assert int(learning[-1]["calls"]) == 30
    best = sorted((float(row["reward"]) for row in rows), reverse=True)[:10]
    assert float(learning[-1]["top_10"]) == pytest.approx(np.mean(best), rel=1e-5)
    tune(tmp_path / "stopped", 100_000, budget=14)
    resumed = tune(tmp_path / "stopped", 100_000, budget=30)
    assert resumed.ledger.calls == 30
    assert len(rows_of(tmp_path / "stopped" / "molecules.csv")) == 30


def test_a_journal_that_was_cut_is_not_taken_for_the_whole(tmp_path):
    tune(tmp_path, 100_000, budget=14)
    for name in ("molecules.csv", "learning.csv"):
        path = tmp_path / name
        whole = path.read_text()
        for left in (whole[: whole.rindex("\n", 0, -1) + 1], ""):
            path.write_text(left)
            with pytest.raises(UserError, match=rf"{name} has [\d,]+ rows up to step"):
                tune(tmp_path, 100_000, budget=30)
        path.write_text(whole.replace("step", "stop", 1))
        with pytest.raises(UserError, match="first line does not name its columns"):
            tune(tmp_path, 100_000, budget=30)
        path.unlink()
        with pytest.raises(UserError, match=rf"{name} has 0 rows up to step"):
            tune(tmp_path, 100_000, budget=30)
        path.write_text(whole)
    assert tune(tmp_path, 100_000, budget=30).ledger.calls == 30


def test_what_the_memory_proposes_is_rewarded_counted_and_replayed(tmp_path):
    memory = Memory(spellings=4, offspring=4)
    whole = tune(tmp_path / "whole", 100_000, memory, budget=40)
    assert whole.ledger.calls == 40
    rows = rows_of(tmp_path / "whole" / "molecules.csv")
    assert len(rows) == 40
    bred = [row for row in rows if row["source"] == "memory"]
    assert 0 < len(bred) < 40
    assert all(np.isfinite(float(row["nll_policy"])) for row in bred)
    learning = rows_of(tmp_path / "whole" / "learning.csv")
    # The first iteration has nothing to propose; in the last the budget may end before the proposals.
    added = int(whole.replay.added) - 16 * len(learning)
    assert added in (8 * len(learning) - 8, 8 * len(learning) - 16)
    assert int(learning[-1]["calls"]) == 40
    tune(tmp_path / "stopped", 100_000, memory, budget=20)
    tune(tmp_path / "stopped", 100_000, memory, budget=40)
    assert len(rows_of(tmp_path / "stopped" / "molecules.csv")) == 40


def test_a_diversity_filter_lowers_rewards_and_is_resumed(tmp_path):
    crowded = DiversityFilter(size=1, threshold=0.0)
    whole = tune(tmp_path / "whole", 1_200, diversity=crowded)
    rows = rows_of(tmp_path / "whole" / "molecules.csv")
    taken = [float(row["reward_diversity"]) for row in rows]
    assert min(taken) < 0 and max(taken) == 0
    for row in rows:
        # Molecules without a ring share one bucket, which the first of them fills.
        own = float(row["own_reward"])
        assert float(row["reward"]) == pytest.approx(own + float(row["reward_diversity"]), abs=1e-5)
    assert whole.ledger.best(1) == max(float(row["own_reward"]) for row in rows)
    tune(tmp_path / "stopped", 600, diversity=crowded)
    tune(tmp_path / "stopped", 1_200, diversity=crowded)
    for name in ("molecules.csv", "learning.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (
            tmp_path / "stopped" / name
        ).read_bytes()


def test_too_few_steps_for_a_budget_are_told(tmp_path, capsys):
    tune(tmp_path, 600, budget=10_000)
    assert "calls of the reward were made in 600 steps; raise tune.steps" in capsys.readouterr().err


def test_enough_ends_a_run(tmp_path):
    tuner = tune(tmp_path, 100_000, enough=-1e3)
    assert 0 < tuner.ledger.calls < 30


def test_a_resumed_run_equals_one_that_never_stopped(tmp_path):
    whole = tune(tmp_path / "whole", 1_200)
    tune(tmp_path / "stopped", 600)
    resumed = tune(tmp_path / "stopped", 1_200)
    assert isinstance(whole.objective, Psi) and int(whole.iteration) == int(resumed.iteration)
    for a, b in zip(whole.online.get_weights(), resumed.online.get_weights()):
        np.testing.assert_array_equal(a, b)
    for name in ("molecules.csv", "learning.csv", "history.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (
            tmp_path / "stopped" / name
        ).read_bytes()

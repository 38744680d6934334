import csv

import numpy as np
import pytest

from rl_tuner.common.errors import UserError
from rl_tuner.core.rollout import Rollout
from rl_tuner.tasks.molecule import metrics, tokens
from rl_tuner.tasks.molecule.component_reward import ComponentReward
from rl_tuner.tasks.molecule.components import QED, MolecularWeight, NormalisedSA
from rl_tuner.tasks.molecule.journal import read_learning
from rl_tuner.tasks.molecule.reward import PaperReward
from rl_tuner.tasks.molecule.targets import ComponentTargets
from rl_tuner.tasks.molecule.task import MoleculeTask

TRAINING = ["CCO", "c1ccccc1", "CC(=O)Oc1ccccc1C(=O)O", "CCN", "N#CCCl", "C1CCCCC1"]


def metadata(representation="atom"):
    vocabulary = tokens.Vocabulary.of(TRAINING, representation)
    encoding = tokens.Encoding.measure(vocabulary, [vocabulary.encode(s) for s in TRAINING])
    return {"encoding": encoding.to_json(), "provenance": {}}


@pytest.fixture(scope="module")
def task():
    made = MoleculeTask(PaperReward(w_invalid=2.0), num_processes=1)
    made.adopt(metadata())
    return made


def batch(task, strings, ended=None):
    """Sequences and mask of strings; those not `ended` lack their end token."""
    sequences = np.zeros((len(strings), task.horizon), np.int32)
    mask = np.zeros(sequences.shape, np.float32)
    for row, text in enumerate(strings):
        classes = task.vocabulary.encode(text)
        if ended is not None and not ended[row]:
            classes = classes[:-1]
        sequences[row, : len(classes)] = classes
        mask[row, : len(classes)] = 1
    return sequences, mask


def test_horizon_and_classes_come_from_the_training_data(task):
    assert task.horizon == max(len(s) for s in TRAINING) + 1
    assert task.num_classes == len(set("".join(TRAINING).replace("Cl", ""))) + 2


def test_a_given_horizon_is_kept():
    short = MoleculeTask(horizon=5)
    short.adopt(metadata())
    assert short.horizon == 5


def test_the_reward_comes_at_the_step_that_ends_the_string(task):
    strings = ["CCO", "C1CC", "c1ccccc1"]
    sequences, mask = batch(task, strings)
    scored = task.result(task.submit(sequences, mask))
    total = sum(scored.parts.values())
    for row, text in enumerate(strings):
        end = len(tokens.split(text, "atom"))
        assert np.flatnonzero(total[row]).tolist() == [end]
    found = [one.canonical if one else None for one in scored.details.properties]
    assert found == ["CCO", None, "c1ccccc1"]
    assert total[1].sum() == pytest.approx(-2.0)
    assert scored.metrics == {"valid": pytest.approx(2 / 3), "unique": 1.0}


def test_a_string_that_reached_the_horizon_is_no_molecule(task):
    text = "C" * task.horizon
    sequences = np.full((1, task.horizon), task.vocabulary.encode("C")[0], np.int32)
    scored = task.result(task.submit(sequences, np.ones(sequences.shape, np.float32)))
    assert scored.details.strings == [text]
    assert scored.details.properties == [None]


def test_rewards_are_those_of_the_configured_reward():
    made = MoleculeTask(ComponentReward(components=(QED(), NormalisedSA())), num_processes=1)
    made.adopt(metadata())
    sequences, mask = batch(made, ["CCO", "CCN"])
    scored = made.result(made.submit(sequences, mask))
    one = scored.details.properties[0]
    expected = (one.qed + (10 - one.sa) / 9) / 2
    assert sum(scored.parts.values())[0].sum() == pytest.approx(expected, rel=1e-6)


def test_two_batches_may_be_on_their_way(task):
    first, second = batch(task, ["CCO"]), batch(task, ["CCN", "C(C"])
    tickets = [task.submit(*first), task.submit(*second)]
    counts = [task.result(ticket).sums["valid"] for ticket in reversed(tickets)]
    assert counts == [1.0, 1.0]


def test_set_metrics_know_the_training_set(task):
    sequences, _ = batch(task, ["CCO", "OCC", "CCCO", "C(("])
    found = task.presentation().set_metrics(sequences, TRAINING)
    assert found["novelty"] == pytest.approx(1 / 2)
    assert "novelty" not in task.presentation().set_metrics(sequences, None)


def test_a_prompt_is_the_beginning_of_a_string(task, tmp_path):
    classes = task.presentation().read_prompt("c1ccc")
    assert task.vocabulary.decode(classes) == "c1ccc"
    with pytest.raises(UserError, match="not in the vocabulary"):
        task.presentation().read_prompt("[Xe]")
    with pytest.raises(UserError, match="tokens"):
        task.presentation().read_prompt("C" * 100)
    path = tmp_path / "start.smi"
    path.write_text("c1ccc a name\nCC\n")
    assert task.presentation().read_primer(str(path)) == classes
    path.write_text("")
    with pytest.raises(UserError, match="contains no SMILES"):
        task.presentation().read_primer(str(path))


def test_samples_are_a_smiles_file_and_an_sdf_file(task, tmp_path):
    from rdkit import Chem

    sequences, _ = batch(task, ["CCO", "C(C", "CC(=O)O"])
    smi, sdf = task.presentation().write_samples(sequences, str(tmp_path), "tuned")
    with open(smi, encoding="utf-8") as file:
        lines = [line.split("\t")[0] for line in file]
    assert lines == ["CCO", "C(C", "CC(=O)O"]
    assert [Chem.MolToSmiles(m) for m in Chem.SDMolSupplier(sdf)] == ["CCO", "CC(=O)O"]


def test_pictures_show_molecules_and_properties(task):
    sequences, _ = batch(task, ["CCO", "C(C", "CC(=O)O"])
    figures = task.presentation().figures({"prior": sequences[:2], "tuned": sequences})
    assert set(figures) == {"samples", "best", "properties"}
    images = task.presentation().images(sequences)
    assert images.dtype == np.uint8 and images.ndim == 4 and images.shape[-1] == 3


def episode(task, strings):
    sequences, mask = batch(task, strings)
    logs = [np.full(mask.shape, -value, np.float32) * mask for value in (2.0, 1.0)]

    class Array(np.ndarray):
        def numpy(self):
            return np.asarray(self)

    views = [column.view(Array) for column in (sequences, sequences, mask, logs[1], logs[0])]
    return Rollout(*views, views[-1], views[-1]), task.result(task.submit(sequences, mask))


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_journal_keeps_each_molecule_where_it_was_first_seen(task, tmp_path):
    journal = task.presentation().journal(str(tmp_path))
    for step, strings in ((10, ["CCO", "C(C"]), (20, ["OCC", "CCN"])):
        journal.add(*episode(task, strings), step)
    journal.write()
    rows = rows_of(tmp_path / "molecules.csv")
    assert [(r["smiles"], r["sequence"], r["step"]) for r in rows] == [
        ("CCO", "1", "10"),
        ("CCN", "4", "20"),
    ]
    assert float(rows[0]["nll_prior"]) == 8.0 and float(rows[0]["nll_policy"]) == 4.0
    parts = sum(float(rows[0][f"reward_{name}"]) for name in task.part_names)
    assert float(rows[0]["reward"]) == pytest.approx(parts, rel=1e-5)
    learning = read_learning(str(tmp_path))
    assert [(r["sequences"], r["valid"], r["molecules"]) for r in learning] == [
        (2, 0.5, 1),
        (4, 1, 2),
    ]


def test_a_restored_journal_goes_on_as_if_it_had_never_stopped(task, tmp_path):
    batches = [(10, ["CCO", "C(C"]), (20, ["OCC", "CCN"]), (30, ["CCCl", "CCN"])]
    whole = task.presentation().journal(str(tmp_path / "whole"))
    (tmp_path / "whole").mkdir()
    (tmp_path / "stopped").mkdir()
    stopped = task.presentation().journal(str(tmp_path / "stopped"))
    for step, strings in batches:
        whole.add(*episode(task, strings), step)
        stopped.add(*episode(task, strings), step)
    whole.write()
    stopped.write()
    again = task.presentation().journal(str(tmp_path / "stopped"))
    again.restore(20)
    again.add(*episode(task, batches[2][1]), 30)
    again.write()
    for name in task.presentation().run_files:
        assert (tmp_path / "whole" / name).read_bytes() == (
            tmp_path / "stopped" / name
        ).read_bytes()


def test_without_an_encoding_the_error_names_what_is_missing():
    with pytest.raises(UserError, match="encoding lacks"):
        MoleculeTask().adopt({})


def test_features_are_the_metrics_of_table_2_and_the_components():
    made = MoleculeTask(
        ComponentReward(components=[NormalisedSA(name="easy")]),
        num_processes=1,
        measured=[MolecularWeight()],
    )
    made.adopt(metadata())
    names = ("valid", "logp", "qed", "sa_penalty", "ring_penalty", "easy", "molecular_weight")
    assert made.feature_names == names
    strings = ["CCO", "C1CC", "c1ccccc1", "CCN"]
    sequences, mask = batch(made, strings, ended=[True, True, True, False])
    scored = made.result(made.submit(sequences, mask))
    found = {
        name: feature.numerator.sum() / feature.denominator.sum()
        for name, feature in scored.features.items()
    }
    wanted = metrics.table2({name: float(value) for name, value in scored.sums.items()})
    assert tuple(found) == names
    for name in metrics.TABLE2_METRICS:
        assert found[name] == pytest.approx(wanted[name], rel=1e-5), name
    assert found["valid"] == 0.5
    assert found["molecular_weight"] == pytest.approx((46.07 + 78.11) / 2, abs=0.01)
    in_graph = made.scored_features(scored, mask)["molecular_weight"]
    np.testing.assert_array_equal(in_graph.denominator, scored.features["valid"].numerator)
    assert ComponentTargets(valid=(0.9, None), others={"easy": (0.5, None)}).asked()["easy"]

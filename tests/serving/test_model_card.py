"""The model card: what it says, and that it says so where nothing is known."""

import json
import os

from rl_tuner.common.settings import named
from rl_tuner.core.objectives import Psi
from rl_tuner.core.tuner import RLTuner
from rl_tuner.datasets.licences import known_licences
from rl_tuner.serving import model_card
from rl_tuner.serving.description import describe
from rl_tuner.tasks.melody import rendering
from rl_tuner.tasks.melody.task import MelodyTask
from rl_tuner.tasks.molecule.component_reward import ComponentReward
from rl_tuner.tasks.molecule.presentation import MoleculePresentation
from rl_tuner.tasks.molecule.reward import FunctionReward
from rl_tuner.tasks.presentation import CardNotes, Presentation
from tests.core.enumerated import TinyTask, random_network

MOLECULES = MoleculePresentation.card_notes


def described(**changes):
    return {
        "format": 1,
        "task": {
            "kind": "molecule",
            "name": "MoleculeTask",
            "num_classes": 30,
            "horizon": 60,
            "end_token": 0,
            "start_token": 30,
            "rewarded_for": ["druglikeness", "validity"],
            "reward": {"name": "Sum", "parts": [{"name": "QED", "weight": 2.0}], "scale": None},
        },
        "encoding": None,
        "start": {"name": "StartToken"},
        "limits": {"max_length": 960},
        "objective": {"name": "Psi", "calibrated": True, "loss": {"name": "Paths", "lambda_": 0.5}},
        "tuning": {
            "seed": 7,
            "steps": 1_234_567,
            "iterations": 10,
            "gamma": 0.99,
            "eta": 0.01,
            "temperature": {"name": "FixedTemperature", "c": 0.02},
        },
        "prior": {
            "cells": [256],
            "source": ["builtin:nci", "/home/me/own.smi"],
            "splits": {"train": {"sequences": 4000, "tokens": 99_000}},
            "scores": {"validation_log_perplexity": 0.71234, "epochs": 12},
        },
        "gin": {},
        "metrics": None,
        "versions": {"python": "3.11.1", "tensorflow": "2.21.0"},
        **changes,
    }


def test_a_card_says_what_the_model_is_made_of_and_how_well_it_does():
    table = "               prior  tuned\nValid            90%    95%"
    metrics = {"prior": {"sequences": 500}, "tuned": {"sequences": 500}}
    samples = {"samples/tuned.smi": ["CCO", "c1ccccc1"]}
    card = model_card.model_card(described(metrics=metrics), table, samples, MOLECULES)
    for wanted in (
        "# Model card: a molecule model tuned with Psi",
        "up to 60 tokens",
        "`builtin:nci`. Licence: a public-domain set of the US National Cancer Institute",
        "`own.smi`. Licence: unknown to this program",
        "train: 4,000 sequences, 99,000 tokens",
        "LSTM layers of [256] cells",
        "validation log perplexity: 0.7123, nats per step",
        "objective: `Psi(calibrated=True, loss=Paths(lambda_=0.5))`",
        "rewarded for: druglikeness, validity",
        "reward: `Sum(parts=[QED(weight=2.0)], scale=None)`",
        "the reward is divided by c",
        "Each was measured on 500 sequences.",
        'print(made["smiles"])',
        "temperature c: 0.02 (FixedTemperature)",
        "discount gamma: 0.99",
        "seed: 7",
        "steps: 1,234,567",
        "sequences start with: `StartToken()`",
        f"```text\n{table}\n```",
        "samples/tuned.smi:\n\n```text\nCCO\nc1ccccc1\n```",
        "says nothing about activity, toxicity",
        "tf.saved_model.load",
        "- tensorflow 2.21.0",
    ):
        assert wanted in card, wanted


def test_a_card_says_so_where_nothing_is_known():
    task = described()["task"] | {"kind": "chord", "end_token": None, "rewarded_for": []}
    card = model_card.model_card(described(prior={}, task=task), None, {}, CardNotes())
    for wanted in (
        "generates chord sequences of 60 tokens",
        "does not name its training data",
        "Its scores are unknown.",
        "Nothing was measured",
        "No samples were written.",
        "rewarded for: no named parts",
        "may have found ways to earn the reward",
    ):
        assert wanted in card, wanted
    assert "toxicity" not in card


def test_an_imported_prior_says_where_it_came_from():
    prior = {"cells": [9], "imported": {"file": "note_rnn.ckpt", "sha256": "ab12"}}
    card = model_card.model_card(described(prior=prior), None, {}, CardNotes())
    assert "imported from `note_rnn.ckpt`, SHA-256 ab12" in card
    assert "Its scores are unknown." in card


def test_melodies_are_shown_as_notes(tmp_path):
    for index in range(6):
        rendering.write_midi(f"{tmp_path}/tuned_00{index}.mid", [14, 0, 15, 1, 37, 0, 0])
    (tmp_path / "prior_000.mid").write_bytes(b"no MIDI")
    found = model_card.read_samples(str(tmp_path), MelodyTask().presentation())
    assert found["samples/tuned_*.mid"] == ["C4:2 C♯4 B5:3"] * 5
    assert len(found) == 1


def test_a_reward_is_described_with_what_it_is_made_of():
    from rl_tuner.tasks.molecule import components

    reward = ComponentReward(components=[components.QED(weight=2.0)])
    found = named(reward)
    assert found["name"] == "ComponentReward" and found["components"][0]["weight"] == 2.0
    own = named(FunctionReward(function=described))
    assert own["function"].endswith("test_model_card.described")
    assert json.loads(json.dumps([found, own])) == [found, own]


def test_licences_are_known_by_name_or_the_users_to_state():
    prior = {"source": ["music21:oneills1850", "music21:essenFolksong", "my_tunes"]}
    card = model_card.model_card(described(prior=prior), None, {}, CardNotes())
    assert "music21:oneills1850`. Licence: the tunes are in the public domain" in card
    assert card.count("Licence: unknown to this program") == 2
    prior["licence"] = {"my_tunes": "mine"}
    card = model_card.model_card(described(prior=prior), None, {}, CardNotes())
    assert "`my_tunes`. Licence: mine." in card


def test_every_named_source_that_can_be_read_without_a_flag_has_a_licence():
    from pipelines.melody.tunes import FREE_MUSIC21_COLLECTIONS
    from pipelines.molecule.readers import BUILTIN_SETS

    named = [f"music21:{name}" for name in FREE_MUSIC21_COLLECTIONS]
    named += [f"builtin:{name}" for name in BUILTIN_SETS]
    assert set(known_licences(named)) == set(named)


class ShownSequences(Presentation):
    def format_metrics(self, columns):
        return f"Table of {', '.join(columns)}"

    def sample_lines(self, path):
        if not path.endswith(".smi"):
            return None
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()


class MeasuredTask(TinyTask):
    def presentation(self):
        return ShownSequences(self)


def test_a_runs_card_holds_its_table_and_its_samples(tmp_path):
    tuner = RLTuner(random_network(1), MeasuredTask(), Psi(), seed=3)
    run = tmp_path / "run"
    (run / "samples").mkdir(parents=True)
    (run / "samples" / "tuned_000.mid").write_bytes(b"")
    (run / "samples" / "tuned.smi").write_text("\n".join(["CC", *"CCCCCCCC"]))
    (run / "metrics.json").write_text(json.dumps({"prior": {"kl": 0.0}, "tuned": {"kl": 0.25}}))
    (run / "config.gin").write_text("job.seed = 3\n")
    path = model_card.write_model_card(str(run), tuner, str(run))
    assert path == os.path.join(str(run), "MODEL_CARD.md")
    with open(path, encoding="utf-8") as file:
        card = file.read()
    assert "Table of prior, tuned" in card and "0.25" in card
    assert "samples/tuned.smi:\n\n```text\nCC\nC\nC\nC\nC\n```" in card
    assert "samples/tuned_000.mid" in card and "seed: 3" in card
    found = describe(tuner, str(run))
    assert json.loads(json.dumps(found)) == found
    assert found["gin"] == {"config": "job.seed = 3\n"}
    assert found["metrics"]["tuned"]["kl"] == 0.25
    # Without a run, a card says what the tuner knows of itself.
    model_card.write_model_card(str(tmp_path), tuner)
    assert "Nothing was measured" in (tmp_path / "MODEL_CARD.md").read_text()

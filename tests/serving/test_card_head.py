"""The head of a model card: YAML that says what is known, and nothing of local paths."""

import subprocess

import pytest

from rl_tuner.common.tables import Row
from rl_tuner.serving import card_head, model_card
from rl_tuner.tasks.presentation import CardNotes
from tests.serving.test_model_card import described

METRICS = {
    "prior": {"valid": 0.9},
    "tuned": {"valid": 0.95, "kl": 0.25, "novelty": None, "nan": float("nan"), "told": "x"},
}


def test_the_head_is_yaml_that_hubs_read():
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    prior = {"source": ["builtin:nci"], "cells": [9]}
    rows = [Row("valid", 'Share: "valid"', "share")]
    card = model_card.model_card(
        described(metrics=METRICS, prior=prior), None, {}, CardNotes(), rows=rows
    )
    _, head, text = card.split("---\n", 2)
    found = yaml.safe_load(head)
    assert found["license"] == "other" and "public-domain" in found["license_name"]
    assert {"sequence-tutor", "molecule", "Psi"} <= set(found["tags"])
    (model,) = found["model-index"]
    (result,) = model["results"]
    assert result["task"] == {"type": "molecule-generation"}
    assert result["metrics"] == [
        {"type": "valid", "value": 0.95, "name": 'Share: "valid"'},
        {"type": "kl", "value": 0.25},
    ]
    assert text.lstrip().startswith("# Model card")


def test_what_is_not_known_is_not_claimed():
    head = card_head.head(described(prior={"source": ["/home/me/own.smi"]}, metrics=METRICS))
    assert "license: unknown" in head and "/home" not in head and '"own.smi"' in head
    assert "model-index" not in card_head.head(described())


def test_a_card_says_when_and_how_it_was_made():
    made = card_head.made_by(described(versions={"sequence-tutor": "0.1.0"}), True)
    assert made[0].startswith("written on 20") and made[1].startswith("made with sequence-tutor 0")
    assert made[2].endswith("`python -m rl_tuner.train --gin_file=config.gin`")
    assert len(card_head.made_by(described(versions={}), False)) == 1


def test_the_commit_is_that_of_this_program_only(tmp_path):
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "one"], check=True)
    # A checkout of something else.
    assert card_head.commit_of_program(str(tmp_path)) is None
    (tmp_path / "setup.py").write_text("")
    found = card_head.commit_of_program(str(tmp_path))
    told = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    assert found == told.stdout.strip()
    assert card_head.commit_of_program(str(tmp_path / "nowhere")) is None

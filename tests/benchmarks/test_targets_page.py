"""The page of targets: asked, got, and what was missed, on several priors."""

import pytest

from benchmarks.paper import targets
from rl_tuner.common.errors import UserError

FACTS = {
    "versions": {"python": "3"},
    "machine": {"cores": 2, "cpu": "one"},
    "command": "python -m it",
}
SETTINGS = {"tune": {"steps": 1000}, "job": {"evaluation_sequences": 50}}


def run(motif, asked=True, collapse=None):
    each = {"low": 0.7, "high": None, "prior": 0.5, "tuned": motif, "met": motif >= 0.7}
    rest = {"targets": {"motif": each}} if asked else {}
    rest |= {"collapse": collapse} if collapse else {}
    tuned = {"motif": motif, "kl": 0.1, "distinct": 1.0} | rest
    prior = {"motif": 0.5, "kl": 0.0, "distinct": 1.0}
    return {"metrics": {"prior": prior, "tuned": tuned}, "settings": SETTINGS}


def test_the_page_shows_mean_and_spread_and_names_every_miss():
    columns = [
        targets.Column("built-in, prior 0", {0: run(0.71), 1: run(0.73)}),
        targets.Column("built-in, prior 1", {0: run(0.69), 1: run(0.75, collapse="few")}),
    ]
    page = targets.format_page(columns, FACTS)
    rows = {line.split("|")[1].strip(): line for line in page.splitlines() if line[:2] == "| "}
    assert "| ≥ 0.7 | 0.720 ± 0.014 (0.500) | 0.720 ± 0.042 (0.500) |" in rows["motif"]
    assert "0.100 ± 0.000 (0.000)" in rows["Exact KL from the prior, nats per step"]
    assert "3 of 4 runs meet every target." in page
    assert "- built-in, prior 1, seed 0: motif is 0.69, not at least 0.7" in page
    assert "- built-in, prior 1, seed 1: collapsed: few" in page


def test_a_recipe_beside_has_a_column_but_no_targets():
    columns = [
        targets.Column("asked", {0: run(0.75)}),
        targets.Column("weighted", {0: run(0.9, asked=False)}),
    ]
    page = targets.format_page(columns, FACTS)
    assert "0.900 (0.500)" in page and "1 of 1 runs meet every target." in page
    with pytest.raises(UserError, match="must have targets"):
        targets.format_page(columns[1:], FACTS)


def test_a_feature_that_is_no_metric_has_a_row_and_na_where_it_was_not_asked():
    ends = {"low": 0.9, "high": None, "prior": 0.25, "tuned": 0.93, "met": True}
    asked, weighted = run(0.75), run(0.9, asked=False)
    asked["metrics"]["tuned"]["targets"]["ends_on_tonic"] = ends
    columns = [targets.Column("asked", {0: asked}), targets.Column("weighted", {0: weighted})]
    page = targets.format_page(columns, FACTS)
    assert "| ends on tonic | ≥ 0.9 | 0.930 (0.250) | n/a |" in page


def test_every_prior_has_its_own_seed_and_every_corpus_its_name():
    found = targets.bindings("gin/psi_music.gin", "data/nottingham", 1, None, 10)
    assert found[0] == "job.prior_seed = 1" and not any("prior_seed = 0" in p for p in found)
    assert "build_melody_dataset.inputs = ['data/nottingham']" in found
    molecules = targets.bindings("gin/targets_molecules.gin", "z.smi", 0, 5, 10)
    assert (
        "build_molecule_dataset.inputs = ['z.smi']" in molecules and "tune.steps = 5" in molecules
    )
    built_in = targets.bindings("gin/psi_music.gin", targets.BUILT_IN, 0, None, 10)
    assert not any("inputs" in p or "dataset_name" in p for p in built_in)

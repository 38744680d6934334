"""The public Python API, as a notebook uses it."""

import ast
import importlib
import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

import rl_tuner
from rl_tuner.common import progress
from tests import small_data

TINY = {
    "steps": 640,
    "evaluate_every": 320,
    "evaluation_sequences": 8,
    "collect_size": 8,
    "learn_size": 8,
    "chunk": 2,
    "c": 2.0,
}
HALF = rl_tuner.Psi(loss=rl_tuner.Paths(0.5))
# One rule alone, since every rule takes a second to compile.
ONE_RULE = {"repetition": 0.0, "autocorrelation": 0.0, "motif": 0.0, "motif_extra": 0.0}
ONE_RULE |= {"repeated_motif": 0.0, "repeated_motif_extra": 0.0, "interval": 0.0, "tonic": 0.0}
ONE_RULE |= {"leap_resolved": 0.0, "leap_doubled": 0.0, "unique_max": 0.0, "unique_min": 0.0}
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@pytest.fixture(scope="module")
def melody(tmp_path_factory):
    """A tuned melody policy on which tests only look."""
    folder = tmp_path_factory.mktemp("melody")
    data = small_data.melodies(folder / "data")
    prior = rl_tuner.load_prior(small_data.prior(folder / "prior", data))
    return folder, data, prior, tune(folder, prior, data)


def tune(folder, prior, data=None, **settings):
    arguments = TINY | {
        "replay": rl_tuner.UniformReplay(64),
        "objective": rl_tuner.Psi(loss=rl_tuner.Paths(0.5)),
    }
    reward = rl_tuner.MusicTheoryReward(in_key=-1.0, **ONE_RULE)
    task = settings.pop("task", None) or rl_tuner.MelodyTask(horizon=8, reward=reward)
    return rl_tuner.tune(prior, task, str(folder / "run"), data=data, **arguments | settings)


def test_importing_it_is_light():
    code = """if True:
        import sys, rl_tuner
        heavy = {"tensorflow", "keras", "gin", "numpy", "rdkit"} & set(sys.modules)
        sys.exit(f"imported {heavy}" if heavy else 0)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_name_is_there_and_nothing_else():
    for name in rl_tuner.__all__:
        value = getattr(rl_tuner, name)
        assert value.__name__ == name and value.__doc__
    assert dir(rl_tuner) == sorted(rl_tuner.__all__)
    with pytest.raises(AttributeError, match="attribute tuen"):
        rl_tuner.tuen  # noqa: B018  (the access itself is tested)


def test_type_checkers_see_the_same_names():
    folder = os.path.dirname(rl_tuner.__file__)
    with open(os.path.join(folder, "__init__.pyi"), encoding="utf-8") as file:
        tree = ast.parse(file.read())
    seen = {alias.name: node.module for node in tree.body for alias in node.names}
    assert sorted(seen) == sorted(rl_tuner.__all__)
    for name, home in seen.items():
        module = importlib.import_module(f"rl_tuner.{home}")
        assert getattr(module, name) is getattr(rl_tuner, name)
    assert os.path.exists(os.path.join(folder, "py.typed"))


def test_importing_it_says_nothing_of_tensorflow():
    code = "import rl_tuner; rl_tuner.Psi(); import tensorflow as tf; tf.zeros([1])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    told = [s for s in done.stderr.splitlines() if not s.startswith("loading TensorFlow: ")]
    assert done.returncode == 0 and not told


def test_samples_and_their_scores_agree(melody):
    tuned = melody[3]
    samples = tuned.sample(5, seed=1)
    assert len(samples) == 5 and samples.tokens.shape == (5, 8)
    assert samples.lengths.tolist() == [8] * 5 and samples.outputs["pitches"].shape[0] == 5
    assert np.array_equal(samples.tokens, tuned.sample(5, seed=1).tokens)
    assert not np.array_equal(samples.tokens, tuned.sample(5, seed=2).tokens)
    scores = tuned.score(samples)
    np.testing.assert_allclose(scores.log_policy, samples.log_policy, rtol=1e-4)
    np.testing.assert_allclose(scores.log_prior, samples.log_prior, rtol=1e-4)
    np.testing.assert_allclose(scores.log_ratio, scores.log_policy - scores.log_prior)
    # Begun from the start token, as these were.
    np.testing.assert_allclose(tuned.score(samples.tokens).reward, scores.reward)
    assert set(scores.parts) == set(tuned.task.part_names)
    prior = tuned.sample(5, seed=1, model="prior")
    np.testing.assert_allclose(prior.log_policy, prior.log_prior, rtol=1e-4)


def test_every_call_that_compiles_says_what_it_does(melody, capsys, monkeypatch):
    for name in ("_SECONDS_BETWEEN_FIRST_LINES", "_TICK"):
        monkeypatch.setattr(progress, name, 0.001)
    policy = melody[3]
    for call, told in (
        (lambda: policy.sample(6), "sampling 6 sequences: "),
        (lambda: policy.evaluate(7), "evaluate prior: "),
        (
            lambda: policy.distribution().entropy(paths=9),
            "entropy over 9 paths: |sampling|log-prob",
        ),
    ):
        call()
        assert re.search(f"^({told})", capsys.readouterr().err, re.MULTILINE), told


def test_a_run_is_reused(melody, capsys):
    folder, data, prior, tuned = melody
    assert [row["step"] for row in tuned.history] == [0, 320, 640]
    again = tune(folder, prior, data)
    assert "tune: reusing" in capsys.readouterr().err
    first, second = (run.sample(3).log_policy for run in (tuned, again))
    assert first.tolist() == second.tolist()


@pytest.mark.slow
def test_a_run_of_other_settings_is_set_aside(melody, tmp_path, capsys):
    prior = melody[2]
    tune(tmp_path, prior, steps=64)
    other = tune(tmp_path, prior, steps=64, seed=1)
    assert "seed: 0 -> 1" in capsys.readouterr().err
    assert len(other.history) == 2 and (tmp_path / "run" / "previous" / "history.csv").exists()


def test_evaluation_has_numbers_and_a_table(melody, tmp_path):
    found = melody[3].evaluate(20, output_dir=str(tmp_path))
    assert found.metrics["prior"]["kl"] == pytest.approx(0.0, abs=1e-5)
    assert 0 <= found.metrics["tuned"]["novelty"] <= 1
    assert "Task reward" in str(found) and (tmp_path / "metrics.txt").exists()
    assert json.loads((tmp_path / "metrics.json").read_text()) == found.metrics


def test_what_people_want_is_written(melody, tmp_path):
    tuned = melody[3]
    assert len(tuned.sample(2).save(str(tmp_path / "a"))) == 2
    paths = tuned.write_samples(str(tmp_path / "b"), 2, seed=3)
    assert [os.path.basename(path) for path in paths] == ["tuned_000.mid", "tuned_001.mid"]


def test_melodies_of_any_length_in_any_format(melody, tmp_path):
    tuned = melody[3]
    assert tuned.sample(2, bars=4).tokens.shape == (2, 64)
    options = {"formats": ["mid", "musicxml", "abc", "wav"], "bars": 1, "qpm": 77}
    paths = tuned.write_samples(str(tmp_path), 1, **options)
    assert [os.path.splitext(path)[1] for path in paths] == [".mid", ".musicxml", ".abc", ".wav"]
    text = (tmp_path / "tuned_000.abc").read_text()
    assert "Q:1/4=77" in text and text.count("|") == 1
    for wrong in ({"formats": ["mp3"]}, {"bars": 0}, {"qpm": 1}):
        with pytest.raises(rl_tuner.UserError, match=next(iter(wrong))):
            tuned.write_samples(str(tmp_path / "wrong"), 1, **wrong)


def test_a_tune_is_continued_in_its_own_key_metre_and_tempo(melody, tmp_path, capsys):
    tune = tmp_path / "jig.abc"
    tune.write_text("X:1\nM:6/8\nL:1/8\nQ:1/4=80\nK:E\nEFG ABc|B3 [EB]3|\n")
    options = {"primer": str(tune), "formats": ["abc"], "bars": 2}
    (path,) = melody[3].write_samples(str(tmp_path / "whole"), 1, **options)
    whole = pathlib.Path(path).read_text()
    assert whole.splitlines()[2:6] == ["M:6/8", "L:1/8", "Q:1/4=80", "K:E"]
    assert whole.splitlines()[6].startswith("EFG ABc | B3")
    assert whole.count("|") == 4
    assert (
        "E major, 6/8, 80 quarters per minute; 1 notes under a higher one"
        in capsys.readouterr().err
    )
    options |= {"continuation_only": True, "qpm": 100}
    (path,) = melody[3].write_samples(str(tmp_path / "rest"), 1, **options)
    rest = pathlib.Path(path).read_text()
    assert "Q:1/4=100" in rest and rest.count("|") == 2


def test_nothing_that_is_there_is_replaced_unasked(melody, tmp_path):
    tuned = melody[3]
    samples, folder = tuned.sample(2), str(tmp_path / "a")
    samples.save(folder)
    with pytest.raises(rl_tuner.UserError, match=r"sample_000\.mid exists; .* set overwrite"):
        samples.save(folder)
    assert len(samples.save(folder, overwrite=True)) == len(samples.save(folder, "other")) == 2
    (tmp_path / "saved_model.pb").write_text("")
    with pytest.raises(rl_tuner.UserError, match=r"contains a SavedModel; .* set overwrite"):
        tuned.export(str(tmp_path))
    for call in (samples.save, tuned.write_samples, tuned.export):
        with pytest.raises(rl_tuner.UserError, match="is a file; choose another folder"):
            call(str(tmp_path / "saved_model.pb"))


def test_what_makes_no_sense_is_one_line(melody, tmp_path):
    _, data, prior, tuned = melody
    cases = {
        "gamma": lambda: tune(tmp_path, prior, gamma=2.0),
        "above 0, not 0": lambda: tune(tmp_path, prior, c=0),
        "not both": lambda: tune(tmp_path, prior, temperature=rl_tuner.FixedTemperature(1.0)),
        "task needs molecule sequences; train": lambda: rl_tuner.tune(
            prior, rl_tuner.MoleculeTask(), str(tmp_path)
        ),
        "does not exist": lambda: rl_tuner.load_prior(str(tmp_path / "none")),
        "contains no dataset.json": lambda: rl_tuner.load_dataset(str(tmp_path)),
        "dataset nope does not exist": lambda: rl_tuner.load_dataset("nope"),
        "does not contain a run": lambda: rl_tuner.open_run(str(tmp_path)),
        "tokens must be between 0 and 37": lambda: tuned.score([[38] * 8]),
        "at least one sequence": lambda: tuned.score([]),
        "no text form": lambda: tuned.score(["CCO"]),
        "must have equal lengths": lambda: tuned.score([[2, 3], [2]]),
        "at least 1": lambda: tuned.sample(0),
        "model must be": lambda: tuned.sample(1, model="best"),
        "objective must be an object such as Psi(), not 'Psi'": lambda: tune(
            tmp_path, prior, objective="Psi"
        ),
        "not the class Psi; write Psi()": lambda: tune(tmp_path, prior, objective=rl_tuner.Psi),
        "not the class UniformReplay; write": lambda: tune(
            tmp_path, prior, replay=rl_tuner.UniformReplay
        ),
        "tune.steps must be a whole number of at least 1, not 'many'": lambda: tune(
            tmp_path, prior, steps="many"
        ),
        "c must be a number above 0, not 'hot'": lambda: tune(tmp_path, prior, c="hot"),
        "task must be an object": lambda: tune(tmp_path, prior, task=rl_tuner.MelodyTask),
        "prior must be a prior or its path, not 5": lambda: tune(tmp_path, 5),
        "cells must be a list of whole numbers": lambda: rl_tuner.train_prior(
            data, str(tmp_path), cells=100
        ),
        "num_epochs": lambda: rl_tuner.train_prior(data, str(tmp_path), num_epochs=3),
        "gama": lambda: tune(tmp_path, prior, gama=0.5),
    }
    for message, call in cases.items():
        with pytest.raises((rl_tuner.UserError, TypeError), match=re.escape(message)) as error:
            call()
        assert "\n" not in str(error.value) or isinstance(error.value, TypeError)
    assert not (tmp_path / "run" / "previous").exists()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rl_tuner.Paths(2), "Paths.lambda_ must be a number from 0 to 1, not 2"),
        (lambda: rl_tuner.Paths("a"), "Paths.lambda_ must be a number from 0 to 1, not 'a'"),
        (
            lambda: rl_tuner.AdaptiveTemperature(-1),
            "AdaptiveTemperature.target_kl must be a number above 0, not -1",
        ),
        (
            lambda: rl_tuner.UniformReplay(0),
            "UniformReplay.capacity must be a whole number of at least 1, not 0",
        ),
    ],
)
def test_an_object_that_cannot_be_made_is_one_line(make, message):
    with pytest.raises(ValueError) as error:
        make()
    assert str(error.value) == message


def test_a_prior_is_trained_reused_and_set_aside(tmp_path, capsys):
    data, folder = small_data.melodies(tmp_path / "data"), str(tmp_path / "prior")
    prior = rl_tuner.train_prior(data, folder, cells=[4], max_epochs=1, window=16)
    assert prior.cells == [4] and prior.metadata["kind"] == "melody"
    weights = rl_tuner.train_prior(data, folder, cells=[4], max_epochs=1, window=16).get_weights()
    assert "prior: reusing" in capsys.readouterr().err
    assert all(np.array_equal(a, b) for a, b in zip(weights, prior.get_weights()))
    rl_tuner.train_prior(data, folder, cells=[5], max_epochs=1, window=16)
    assert "cells" in capsys.readouterr().err
    assert os.path.exists(os.path.join(folder, "previous", "prior.keras"))


def test_molecules_are_texts(tmp_path):
    data = small_data.molecules(tmp_path / "data")
    prior = small_data.prior(tmp_path / "prior", data)
    reward = rl_tuner.FunctionReward(function=lambda smiles: [float(len(s)) for s in smiles])
    task = rl_tuner.MoleculeTask(reward=reward, num_processes=1)
    tuned = rl_tuner.tune(prior, task, str(tmp_path / "run"), **TINY | {"steps": 64})
    samples = tuned.sample(6)
    assert len(samples.texts) == 6 and all(isinstance(text, str) for text in samples.texts)
    scores = tuned.score(["CCO", "c1ccccc1"])
    assert scores.reward.tolist() == [3.0, 8.0]
    one = tuned.score([task.vocabulary.encode("CCO")])
    np.testing.assert_allclose(one.log_policy, scores.log_policy[:1], rtol=1e-5)
    with pytest.raises(rl_tuner.UserError, match="score"):
        tuned.score(["C%%"])


@pytest.mark.slow
def test_a_gin_file_runs_and_is_opened_and_exported(tmp_path):
    import tensorflow as tf

    data = small_data.melodies(tmp_path / "data")
    prior = small_data.prior(tmp_path / "prior", data)
    tuned = rl_tuner.run(
        os.path.join(ROOT, "tests", "jobs", "tiny.gin"),
        [f"job.prior = '{prior}'", "tune.steps = 2_000"],
        work_dir=str(tmp_path / "runs"),
    )
    again = rl_tuner.open_run(str(tmp_path / "runs" / "tiny"))
    first, second = (run.sample(3).log_policy for run in (tuned, again))
    assert first.tolist() == second.tolist()
    with pytest.raises(rl_tuner.UserError, match="gin file"):
        rl_tuner.tune(tuned.prior, rl_tuner.MelodyTask(), tuned.run_dir)
    folder = tuned.export(str(tmp_path / "served" / "1"))
    served = tf.saved_model.load(folder)
    assert served.generate(count=2)["tokens"].shape == (2, 32)


def test_a_recipe_gives_the_defaults(melody, tmp_path):
    import gin

    _, data, prior, _ = melody
    recipe = tmp_path / "mine.gin"
    recipe.write_text(
        "RLTuner.objective = @Q()\nRLTuner.gamma = 0.25\nRLTuner.collect_size = 8\n"
        "RLTuner.temperature = @FixedTemperature()\nFixedTemperature.c = 3.0\ntune.steps = 64\n"
        "tune.evaluation_sequences = 4\npretrain.cells = [6]\npretrain.max_epochs = 1\npretrain.window = 16\n"
    )
    task = rl_tuner.MelodyTask(horizon=8, reward=rl_tuner.MusicTheoryReward(**ONE_RULE))
    settings = {"recipe": str(recipe), "replay": rl_tuner.UniformReplay(64), "learn_size": 8}
    tuned = rl_tuner.tune(prior, task, str(tmp_path / "run"), gamma=0.75, **settings)
    tuner = tuned.tuner
    assert isinstance(tuner.objective, rl_tuner.Q) and float(tuner.temperature.c) == 3.0
    assert (tuner.gamma, tuner.collect_size, tuner.learn_size) == (0.75, 8, 8)
    assert int(tuner.environment_steps) == 64
    assert rl_tuner.train_prior(data, str(tmp_path / "prior"), recipe=str(recipe)).cells == [6]
    assert gin.config_str() == ""

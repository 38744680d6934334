"""What a gin file means to a job: names of included files, own code, settings checked in time."""

import importlib
import os
import sys

import gin
import pytest

from rl_tuner.common.errors import UserError
from rl_tuner.jobs import configuration
from rl_tuner.jobs.job import Job

REWARD = """
import os

BONUS = {bonus}
UNUSED = {unused}


def bonus():
    return BONUS


def score(smiles):
    return [len(text) + bonus() for text in smiles]
"""


@pytest.fixture(autouse=True)
def no_settings():
    yield
    gin.clear_config()


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """A function that writes and imports a module of the user's own."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, text):
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        # Two versions within a second have the same cached bytecode.
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        sys.modules.pop(name, None)
        importlib.invalidate_caches()

    return write


def test_a_file_includes_another_by_its_name_alone(tmp_path):
    path = tmp_path / "half.gin"
    path.write_text("include 'psi_music'\ntune.steps = 4000\n")
    configuration.configure([str(path)], [])
    assert gin.query_parameter("tune.steps") == 4000
    assert configuration.settings("RLTuner")["objective"].keys() == {"@Psi"}


def test_a_change_of_what_an_own_reward_uses_changes_the_settings(own_module):
    def settings(bonus, unused):
        own_module("length_reward", REWARD.format(bonus=bonus, unused=unused))
        binding = "FunctionReward.function = 'length_reward.score'"
        configuration.configure(["score_molecules"], [binding])
        return configuration.settings("FunctionReward")

    # The constant is two calls away; another one, and a comment, may be changed freely.
    first = settings(1, 1)
    assert first == settings(1, 1) == settings(1, "2  # unused")
    assert first != settings(2, 1)


def test_a_change_of_an_own_configurable_changes_the_settings(own_module):
    def settings(factor, name):
        text = (
            f"import gin\n\n@gin.configurable(module='{name}')\nclass Own:\n    factor = {factor}\n"
        )
        own_module(name, text)
        importlib.import_module(name)
        return configuration.settings(f"{name}.Own")

    assert settings(1, "own_one") != settings(2, "own_two")
    assert "class" not in configuration.settings("Psi")


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ("RLTuner.gamma = 2", r"RLTuner.gamma must be a number from 0 to 1, not 2"),
        ("FixedTemperature.c = -1", "^FixedTemperature.c must be a number above 0, not -1$"),
        ("Psi.loss = @WholeSequences()", "gamma"),
        ("tune.steps = -5", "tune.steps must be a whole number of at least 1, not -5"),
    ],
)
def test_bad_settings_of_the_tuning_are_told_before_any_stage(tmp_path, binding, message):
    configuration.configure(["paper_psi_music"], [binding])
    with pytest.raises(UserError, match=message):
        Job(str(tmp_path), str(tmp_path / "run")).run()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ("FixedTemperature.c = 2", r"add RLTuner.temperature = @FixedTemperature\(\)"),
        ("RLTuner.objective = @Q()", "soft values"),
        ("RLTuner.gamma = 0.5", "gamma = 1"),
        ("RLTuner.exploration = @EpsilonGreedy()", "Boltzmann"),
        ("RLTuner.targets = {'motive': (0.5, None)}", "motive is not a feature of MelodyTask"),
        ("MusicTargets.motif = (0.9, 0.5)", "low first"),
    ],
)
def test_what_does_not_suit_targets_is_told_before_any_stage(tmp_path, binding, message):
    configuration.configure(["psi_music"], [binding])
    with pytest.raises(UserError, match=message):
        Job(str(tmp_path), str(tmp_path / "run")).run()
    assert os.listdir(tmp_path) == []


def test_settings_of_a_scope_and_of_objects_in_a_list_are_checked_and_count():
    scored = ["ComponentReward.components = [@QED(), @tpsa/Descriptor()]"]
    scored += ["tpsa/Descriptor.name = 'TPSA'"]
    configuration.configure(["score_molecules"], scored)
    configuration.check_types("MoleculeTask")
    found = configuration.settings("MoleculeTask")
    parts = found["reward"]["@ComponentReward"]["components"]
    assert [list(part) for part in parts] == [["@QED"], ["@tpsa/Descriptor"]]
    assert parts[1]["@tpsa/Descriptor"]["name"] == "TPSA"
    text = ["include 'gin/score_molecules.gin'", *scored, "tpsa/Descriptor.weight = 'x'"]
    configuration.configure_text("\n".join(text), "config.gin")
    with pytest.raises(UserError, match=r"tpsa/Descriptor.weight must be a number, not 'x'"):
        configuration.check_types("MoleculeTask")


def test_a_file_without_an_objective_is_told_before_any_stage(tmp_path):
    configuration.configure(["mle_music"], [])
    with pytest.raises(UserError, match=r"no RLTuner.objective is set; train .* psi_music"):
        Job(str(tmp_path), str(tmp_path / "run")).run()
    assert os.listdir(tmp_path) == []


def test_an_own_dataset_function_without_the_keywords_is_told_before_any_stage(
    own_module, tmp_path
):
    text = "import gin\n\n@gin.configurable(module='own_data')\ndef make(output_dir):\n    pass\n"
    own_module("own_data", text)
    configuration.configure(["psi_music"], ["import own_data", "job.make_dataset = @own_data.make"])
    with pytest.raises(UserError, match=r"job\.make_dataset: make must take .* overwrite"):
        Job(str(tmp_path / "runs"))

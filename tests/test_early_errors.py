"""Mistakes in a command line, told in one line before TensorFlow is imported."""

import json
import os

import pytest

from rl_tuner.common.errors import UserError
from rl_tuner.jobs import early
from rl_tuner.tasks.melody.encoding import MELODY_ENCODING
from rl_tuner.tasks.molecule import tokens
from tests.tiny_job import ROOT, command, early_error, pretend_run

GOOD_LINE = os.path.join(ROOT, "testdata/melodies/good/line.mid")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    vocabulary = tokens.Vocabulary.of(["CCO", "c1ccccc1"], "atom")
    encoding = tokens.Encoding.measure(vocabulary, [vocabulary.encode("CCO")]).to_json()
    pretend_run(folder / "music", "melody", MELODY_ENCODING)
    pretend_run(folder / "molecules", "molecule", encoding)
    (folder / "file").write_text("mine")
    (folder / "full").mkdir()
    (folder / "full" / "tuned_000.mid").write_text("")
    (folder / "served" / "3").mkdir(parents=True)
    (folder / "model").mkdir()
    (folder / "model" / "saved_model.pb").write_text("")
    return folder


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("evaluate music --output_dir=file", "--output_dir: file is a file; choose another folder"),
        ("evaluate file", "file is a file, not a run; give the folder of a training run"),
        ("generate music --output_dir=file/x", "--output_dir: file/x needs a folder where"),
        ("generate music --output_dir=full", "full/tuned_000.mid exists"),
        ("export music --output_dir=served --version=3", "served already contains version 3"),
        ("export music --output_dir=model", "model is itself a SavedModel"),
        ("train psi_music --work_dir=file", "--work_dir: file is a file"),
        ("train psi_music --run_dir=file", "--run_dir: file is a file"),
    ],
)
def test_a_place_of_output_that_is_taken(runs, command, message):
    name, *arguments = command.split()
    assert early_error(f"rl_tuner.{name}", *arguments, cwd=runs).startswith(message)


@pytest.mark.parametrize(
    ("run", "beginning", "message"),
    [
        ("music", "--prompt=CC", "prompt 'CC': melodies have no text form; give a primer"),
        ("music", f"--primer={ROOT}/testdata/melodies/bad/text.mid", "no MThd header"),
        ("music", f"--primer={ROOT}/testdata/melodies/bad/no_notes.abc", "no_notes.abc: no"),
        ("music", "--formats=mid,mp3", "formats: 'mp3' is unknown"),
        ("music", "--qpm=0", "qpm must be between 10 and 1000"),
        ("music", "--continuation_only", "--continuation_only needs --primer"),
        ("molecules", "--formats=abc", "--formats is for melodies"),
        ("molecules", "--bars=4", "--bars is for melodies"),
        ("music", "--primer=full", "--primer: full is a folder; give a file"),
        ("molecules", "--prompt=C%", "prompt 'C%': token '%' is not in the vocabulary"),
        ("molecules", f"--primer={GOOD_LINE}", "line.mid is not a text file"),
    ],
)
def test_a_beginning_that_cannot_be_continued(runs, run, beginning, message):
    assert message in early_error("rl_tuner.generate", run, "--output_dir=o", beginning, cwd=runs)


OWN = "import my_reward\ninclude 'psi_molecules'\nMoleculeTask.reward = @FunctionReward()\n"


@pytest.mark.parametrize(
    ("gin", "param", "message"),
    [
        (
            "psi_music",
            "job.seed = -1",
            "job.seed must be a whole number from 0 to 2147483647, not -1",
        ),
        ("psi_music", "device.placement = 'tpu'", "device.placement must be 'auto', 'cpu'"),
        ("psi_music", "device.precision = 'half'", "device.precision must be 'auto' or one of"),
        ("psi_music", "job.prior = 'nowhere'", "prior nowhere does not exist; train one"),
        ("psi_music", "build_melody_dataset.inputs = ['nowhere']", "input nowhere does not exist"),
        ("psi_music", "build_melody_dataset.min_bars = -1", "min_bars must be at least 0, not -1"),
        (
            "psi_molecules",
            "build_molecule_dataset.inputs = 'no.smi'",
            "input no.smi does not exist",
        ),
        ("psi_music", "pretrain.max_epochs = 0", "must be a whole number of at least 1, not 0"),
        ("psi_music", "tune.steps = -5", "tune.steps must be a whole number of at least 1, not -5"),
        (
            "paper_psi_music",
            "FixedTemperature.c = -1",
            "FixedTemperature.c must be a number above 0",
        ),
        (
            "psi_music",
            "DualController.max_kl = 0",
            "DualController.max_kl must be a number above 0",
        ),
        ("psi_music", "import my_rewrd", "there is no module 'my_rewrd'; did you mean my_reward?"),
        ("own.gin", "FunctionReward.function = 'my_reward.scor'", "did you mean score?"),
        (
            "own.gin",
            "FunctionReward.function = 'score'",
            "it must name module.function, not 'score'",
        ),
        ("own.gin", "FunctionReward.function = 'no.score'", "there is no module 'no'"),
        ("empty.gin", "job.seed = 1", "empty.gin sets no job.task; include a gin file"),
        (
            "paper_psi_music",
            "FixedTemperature.c = 1e999",
            "must be a number above 0 and at most 3.4e+38, not inf",
        ),
        ("paper_psi_music", "FixedTemperature.c = 1e39", "at most 3.4e+38, not 1e+39"),
        ("psi_music", "RLTuner.collect_size = 4_294_967_297", "and at most 2147483647"),
        ("psi_music", "tune.steps = 99999999999999999999", "and at most 9007199254740992"),
        (
            "paper_psi_music",
            "low/FixedTemperature.c = -1; RLTuner.temperature = @low/FixedTemperature()",
            "FixedTemperature.c must be a number above 0",
        ),
        (
            "score_molecules",
            "a/Similarity.radus = 3; ComponentReward.components = [@a/Similarity()]",
            "Similarity has no setting 'radus'",
        ),
        ("psi_music", "job.dataset_name = '../../etc'", "job.dataset_name must be a name of"),
        ("psi_music", "job.dataset_name = '.'", "job.dataset_name must be a name of"),
        ("psi_music", "job.dataset_name = ''", "job.dataset_name must be a name of"),
    ],
)
def test_a_setting_of_a_job(runs, gin, param, message):
    (runs / "own.gin").write_text(OWN)
    (runs / "empty.gin").write_text("")
    (runs / "my_reward.py").write_text("import tensorflow\n\ndef score(smiles):\n    return []\n")
    params = [f"--gin_param={each}" for each in param.split("; ")]
    assert message in early_error("rl_tuner.train", gin, *params, cwd=runs)


def test_all_settings_that_are_wrong_are_told_at_once(runs):
    params = ["tune.steps = 0", "tune.chunk = 0", "Collapse.distinct_floor = 5", "RLTuner.gama = 1"]
    done = command(
        "rl_tuner.train",
        "psi_music",
        *(f"--gin_param={param}" for param in params),
        check=False,
        cwd=runs,
        env=os.environ | {"PYTHONPATH": ROOT},
    )
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and len(lines) == 4
    assert all(line.startswith("error: --gin_param=") for line in lines)
    assert all(any(param in line for line in lines) for param in params)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--c=0.5,x", "temperatures c must be positive numbers, not 'x'"),
        ("--c=-1", "temperatures c must be positive numbers, not '-1'"),
        ("--c=1 --objectives=Psy", "not 'Psy'; did you mean Psi?"),
        ("--c=1 --objectives=Psi,Q,Psi", "the objectives contain Psi twice"),
    ],
)
def test_a_point_of_a_sweep(flags, message):
    assert message in early_error("rl_tuner.sweep", "paper_psi_music", *flags.split())


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("import_keras --model=no.keras", "model no.keras does not exist; give a .keras file"),
        ("import_keras --model=file", "file is not a .keras file"),
        ("import_keras --model=m.keras --kind=melodie", "did you mean melody?"),
        ("import_keras --model=m.keras --dataset_dir=full", "full contains no dataset.json"),
        ("import_magenta --checkpoint=no.ckpt", "checkpoint no.ckpt does not exist"),
        ("import_magenta --checkpoint=full", "full has no file 'checkpoint'"),
    ],
)
def test_a_foreign_model(runs, command, message):
    (runs / "m.keras").write_text("")
    name, *arguments = command.split()
    line = early_error(f"rl_tuner.{name}", *arguments, "--output_dir=o", cwd=runs)
    assert message in line


def test_a_run_of_python_is_told_from_one_of_a_gin_file(runs):
    os.makedirs(runs / "tuned" / "stages", exist_ok=True)
    (runs / "tuned" / "stages" / "tune.json").write_text("{}")
    line = early_error("rl_tuner.evaluate", "tuned", cwd=runs)
    assert line == "tuned contains a run of rl_tuner.tune; repeat that call in Python to open it"


def test_inputs_that_are_gone_do_not_matter_once_the_dataset_is_made(tmp_path):
    folder = tmp_path / "datasets" / "mine"
    folder.mkdir(parents=True)
    made = {"settings": {"@build_melody_dataset": {"inputs": ["gone"]}}}
    (folder / "stage.json").write_text(json.dumps(made))
    early.check(["psi_music"], ["build_melody_dataset.inputs = ['gone']"], str(tmp_path))
    with pytest.raises(UserError, match="input elsewhere does not exist"):
        early.check(["psi_music"], ["build_melody_dataset.inputs = ['elsewhere']"], str(tmp_path))

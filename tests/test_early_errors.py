"""Mistakes in a command line, told in one line before TensorFlow is imported."""

import os

import pytest

from rl_tuner.tasks.melody.encoding import MELODY_ENCODING
from rl_tuner.tasks.molecule import tokens
from tests.tiny_job import ROOT, early_error, pretend_run

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
        ("music", f"--primer={ROOT}/testdata/melodies/bad/text.mid", "it is not a MIDI file"),
        ("music", f"--primer={ROOT}/testdata/melodies/bad/truncated.mid", "is damaged"),
        ("music", "--primer=full", "--primer: full is a folder; give a file"),
        ("molecules", "--prompt=C%", "prompt 'C%': token '%' is not in the vocabulary"),
        ("molecules", f"--primer={GOOD_LINE}", "line.mid is not a text file"),
    ],
)
def test_a_beginning_that_cannot_be_continued(runs, run, beginning, message):
    assert message in early_error("rl_tuner.generate", run, "--output_dir=o", beginning, cwd=runs)

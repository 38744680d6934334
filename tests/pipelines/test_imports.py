"""What a pipeline's help does without: libraries that take seconds to import."""

import os
import subprocess
import sys

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("midi_to_tfrecord", {"tensorflow", "note_seq", "music21"}),
        ("smiles_to_tfrecord", {"tensorflow", "rdkit", "selfies"}),
        ("magenta_to_tfrecord", {"tensorflow", "note_seq"}),
    ],
)
def test_help_does_without_heavy_libraries(module, heavy):
    code = (
        f"import sys; from absl import flags; from pipelines import {module} as command;"
        " command._define_flags(flags.FlagValues());"
        f" print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_workers_do_without_tensorflow():
    code = "import sys; import pipelines.molecule.standard; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr

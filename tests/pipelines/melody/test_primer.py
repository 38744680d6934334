"""Tunes that are to be continued: in any format, in their own key, metre and tempo."""

import pytest

from pipelines.melody import tempo
from pipelines.melody.primer import read_primer
from rl_tuner.common.errors import UserError
from rl_tuner.tasks.melody import formats
from rl_tuner.tasks.melody.encoding import MELODY_ENCODING
from rl_tuner.tasks.melody.frame import Frame
from rl_tuner.tasks.melody.grid import Grid
from rl_tuner.tasks.melody.key import make_key
from rl_tuner.tasks.melody.notation import Piece

JIG = "X:1\nT:Jig\nM:6/8\nL:1/8\nQ:3/8=80\nK:Em\nEFG AGF|E2B, E2z|\n"


def written(tmp_path, text, name="tune.abc"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def test_a_minor_jig_keeps_its_key_metre_and_tempo(tmp_path):
    primer = read_primer(written(tmp_path, JIG), MELODY_ENCODING)
    assert primer.qpm == 120
    assert (primer.frame.grid.metre, str(primer.frame.key)) == ((6, 8), "E minor")
    # The model's melodies are on the white keys: E minor becomes A minor.
    assert [(c - 14) % 12 for c in primer.classes if c > 1][:3] == [9, 11, 0]
    assert [p for p, _, _ in primer.frame.grid.notes(primer.classes)] == [
        *(64, 66, 67, 69, 67, 66),
        *(64, 59, 64),
    ]
    # The primer ends with its last note.
    assert len(primer.classes) == 22
    assert "E minor, 6/8, 120 quarters" in primer.describe()


@pytest.mark.parametrize(
    ("transpose", "fifths", "first"), [("mode", 0, 0), ("none", 0, 4), ("major", -3, 0)]
)
def test_where_the_model_expects_it(tmp_path, transpose, fifths, first):
    encoding = MELODY_ENCODING | {"transpose": transpose}
    primer = read_primer(written(tmp_path, JIG), encoding, fifths)
    assert (primer.classes[0] - 14) % 12 == first
    assert primer.frame.grid.notes(primer.classes)[0][0] == 64


@pytest.mark.parametrize("suffix", ["mid", "musicxml", "abc"])
@pytest.mark.parametrize("tonic", ["E4", "F#4", "G4"])
def test_every_format_and_key(tmp_path, suffix, tonic):
    frame = Frame(Grid(min_pitch=55, max_pitch=90), make_key(tonic, "major"))
    first = frame.tonic_class
    classes = [c for s in (0, 2, 4, 5, 7, 9, 11, 12) for c in (first + s, 0, 0, 0)]
    path = str(tmp_path / f"tune.{suffix}")
    formats.write(path, Piece(classes, frame, 80, "t"))
    primer = read_primer(path, MELODY_ENCODING)
    assert [p for p, _, _ in primer.frame.grid.notes(primer.classes)] == [
        p for p, _, _ in frame.grid.notes(classes)
    ]
    assert primer.frame.key.tonic % 12 == frame.key.tonic % 12
    assert primer.qpm == pytest.approx(80, abs=0.01)
    assert (primer.classes[0] - 14) % 12 == 0


def test_repairs_are_told(tmp_path):
    text = "X:1\nM:4/4\nL:1/4\nK:C\nC,, C c c'' [CE]\n"
    primer = read_primer(written(tmp_path, text), MELODY_ENCODING)
    assert primer.repairs["notes moved by octaves"] >= 1
    assert "under a higher one" in primer.describe()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("tune.mid", "no music", "MThd"),
        ("tune.abc", "X:1\nK:C\nz4|\n", "no notes|no music"),
        ("tune.txt", "CDE", "unknown file type"),
        ("absent.mid", None, "does not exist|no such"),
    ],
)
def test_a_file_without_a_melody_is_refused(tmp_path, name, text, message):
    path = written(tmp_path, text, name) if text is not None else str(tmp_path / name)
    with pytest.raises(UserError, match=message):
        read_primer(path, MELODY_ENCODING)


@pytest.mark.parametrize(
    ("field", "qpm"),
    [
        ("1/4=120", 120),
        ("3/8=80", 120),
        ('"Allegro" 1/2=60', 120),
        ("96", 96),
        ("1/8 1/8 1/8=100", 150),
        ("1/4=9999", None),
        ("fast", None),
    ],
)
def test_tempos_of_abc(field, qpm):
    assert tempo.of_abc(f"X:1\nQ:{field}\nK:C\n") == qpm

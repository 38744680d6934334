"""Keys, modes, metres and grids of tunes in the pipeline."""

import pytest

from pipelines.melody import abc_fields, keys
from pipelines.melody.build import build_melody_dataset, read_melodies
from pipelines.melody.extraction import ExtractionSettings
from pipelines.melody.tunes import Tune
from rl_tuner.common.errors import UserError
from rl_tuner.tasks.melody.grid import Grid

DORIAN = "X:1\nT:Dorian\nM:6/8\nL:1/8\nK:Ddor\n" + "DEF GAB|cBA GFE|" * 4 + "D6|D6|\n"


def read(text, **changes):
    values = {"polyphony": "skyline", "gap_bars": 1.0, "min_bars": 1, "min_unique_pitches": 1}
    settings = ExtractionSettings(**(values | {"max_steps": 512} | changes))
    melodies, rejections, _ = read_melodies(Tune("t", "abc", 9, text=text), settings, 10**6)
    return melodies, rejections


def tune(key, notes="CDEF GABc|cBAG FEDC|", metre="4/4"):
    return f"X:1\nM:{metre}\nL:1/8\nK:{key}\n{notes * 4}\n"


@pytest.mark.parametrize(
    ("field", "key"),
    [
        ("C", (0, "major")),
        ("Am", (9, "minor")),
        ("F#min", (6, "minor")),
        ("Bb", (10, "major")),
        ("D dorian", (2, "dorian")),
        ("GMix clef=treble", (7, "mixolydian")),
        ("g", (7, "major")),
        ("HP", (9, "mixolydian")),
        ("none", None),
        ("", None),
    ],
)
def test_the_key_field_of_abc(field, key):
    assert abc_fields.key_name(field) == key


def test_a_key_is_found_by_its_notes():
    def durations(tonic, weights):
        return [weights[(i - tonic) % 12] for i in range(12)]

    major, minor = [9, 0, 4, 0, 6, 4, 0, 7, 0, 4, 0, 2], [9, 0, 4, 6, 0, 4, 0, 7, 3, 0, 3, 0]
    for tonic in range(12):
        assert keys.find_key(durations(tonic, major)) == (tonic, "major")
        assert keys.find_key(durations(tonic, minor)) == (tonic, "minor")
    # Only the signature is known: two keys are possible.
    assert keys.choose((0, keys.UNSTATED), durations(9, minor)) == (9, "minor")
    assert keys.choose((0, keys.UNSTATED), durations(0, major)) == (0, "major")
    assert keys.choose((2, "dorian"), durations(0, major)) == (2, "dorian")


@pytest.mark.parametrize(
    ("transpose", "first"), [("relative", 2), ("mode", 0), ("none", 4), ("major", 2)]
)
def test_where_a_tune_is_moved(transpose, first):
    # E dorian has the notes of D major.
    (melody,), _ = read(tune("Edor", "EFGA Bcde|edcB AGFE|"), transpose=transpose)
    assert melody.key == (4, "dorian")
    pitches = [c + 46 for c in melody.classes if c >= 2]
    assert pitches[0] % 12 == first
    assert [(p - pitches[0]) % 12 for p in pitches[:8]] == [0, 2, 3, 5, 7, 9, 10, 0]
    if transpose == "none":
        assert pitches[0] == 64


def test_a_tune_far_outside_the_range_is_moved_by_octaves_only():
    (melody,), _ = read(tune("D", "D,,E,,F,,G,, A,,B,,C,D,|"), transpose="none")
    pitches = [c + 46 for c in melody.classes if c >= 2]
    assert pitches[0] % 12 == 2
    assert min(pitches) >= 48


def test_only_tunes_of_a_metre_or_a_mode():
    assert read(DORIAN, metre="6/8")[0][0].metre == (6, 8)
    assert read(tune("C", "CDE FGA|", "3/4"), metre="6/8") == ([], [("in another metre", "3/4")])
    assert read(DORIAN, mode="minor") == ([], [("in another mode", "D dorian")])
    assert len(read(tune("Am"), mode="minor")[0]) == 1


def test_triplets_are_exact_on_their_grid():
    text = tune("C", "(3CDE (3FGA B2 c2|")
    (melody,), _ = read(text, grid=Grid(12))
    onsets = [i for i, c in enumerate(melody.classes[:48]) if c >= 2]
    assert onsets == [0, 4, 8, 12, 16, 20, 24, 36]
    assert melody.steps_per_bar == 48


def test_another_range_has_other_classes():
    (melody,), _ = read(tune("C"), grid=Grid(min_pitch=60, max_pitch=83))
    assert max(melody.classes) < 26
    _, rejections = read(tune("C", "C,CEG cegc'|"), grid=Grid(min_pitch=60, max_pitch=71))
    assert rejections[0][0] == "range too wide"


def test_the_dataset_knows_its_grid_metres_and_modes(tmp_path):
    (tmp_path / "book.abc").write_text(DORIAN + "\n\n" + tune("G").replace("X:1", "X:2"))
    options = {"min_bars": 1, "min_unique_pitches": 1, "num_processes": 1}
    inputs = [str(tmp_path / "book.abc")]
    whole = build_melody_dataset(inputs, str(tmp_path / "whole"), **options)
    assert whole["metres"] == {"4/4": 1, "6/8": 1}
    assert whole["modes"] == {"dorian": 1, "major": 1}
    assert "metre" not in whole["encoding"]
    grid = {"metre": "6/8", "steps_per_quarter": 6, "min_pitch": 50, "max_pitch": 90}
    jigs = build_melody_dataset(inputs, str(tmp_path / "jigs"), **grid, **options)
    assert jigs["encoding"] == Grid(6, 50, 90, (6, 8)).to_json()
    assert jigs["rejections"] == {"in another metre": 1}
    assert len(jigs["class_histogram"]) == 43
    with pytest.raises(UserError, match="steps_per_quarter"):
        build_melody_dataset(inputs, str(tmp_path / "bad"), steps_per_quarter=99)
    with pytest.raises(UserError, match="metre"):
        build_melody_dataset(inputs, str(tmp_path / "bad"), metre="waltz")

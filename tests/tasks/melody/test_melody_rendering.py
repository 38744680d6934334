"""What a person hears and sees: right pitches, right times, clean sound, pictures."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from note_seq import melodies_lib, midi_io, sequences_lib

from rl_tuner.tasks.melody import rendering

# Middle C for a quarter, a rest of an eighth, E, then B5, C3 and silence to the end.
MELODY = [14, 0, 0, 0, 1, 0, 18, 0, 37, 2, 1, 0, 0, 0, 0, 0]


def notes(sequence):
    return [(n.pitch, round(n.start_time, 3), round(n.end_time, 3)) for n in sequence.notes]


def test_note_sequence():
    sequence = rendering.to_note_sequence(MELODY, qpm=60, program=40)
    # At 60 quarters a minute a step lasts a quarter of a second.
    assert notes(sequence) == [(60, 0, 1), (64, 1.5, 2), (83, 2, 2.25), (48, 2.25, 2.5)]
    assert sequence.total_time == 4
    assert {note.program for note in sequence.notes} == {40}


def test_midi_sounds_at_the_right_pitch(tmp_path):
    path = tmp_path / "melody.mid"
    rendering.write_midi(path, MELODY, qpm=120)
    sequence = midi_io.midi_file_to_note_sequence(str(path))
    assert notes(sequence) == [
        (60, 0, 0.5),
        (64, 0.75, 1),
        (83, 1, 1.125),
        (48, 1.125, 1.25),
    ]
    assert sequence.tempos[0].qpm == pytest.approx(120)


@settings(max_examples=25, deadline=None)
@given(classes=st.lists(st.sampled_from([0, 0, 1, *range(2, 38)]), min_size=1, max_size=40))
def test_midi_round_trip(classes, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("midi") / "melody.mid")
    rendering.write_midi(path, [14, *classes])
    quantized = sequences_lib.quantize_note_sequence(midi_io.midi_file_to_note_sequence(path), 4)
    melody = melodies_lib.Melody()
    melody.from_quantized_sequence(quantized, gap_bars=100)
    written = rendering.to_note_sequence([14, *classes])
    assert [e for e in melody if e >= 0] == [n.pitch for n in written.notes]
    read = rendering.read_melody(path)
    assert notes(rendering.to_note_sequence(read)) == notes(written)


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    target = tmp_path / "melody.mid"
    target.write_bytes(b"old")

    def fail(source, destination):
        raise OSError("no")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no"):
        rendering.write_midi(target, MELODY)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("melody.mid", b"old")]


def test_read_melody_refuses_what_it_cannot_read(tmp_path):
    rendering.write_midi(tmp_path / "silence.mid", [0, 0, 1])
    (tmp_path / "text.mid").write_text("no music")
    for name in ("silence.mid", "text.mid"):
        with pytest.raises(ValueError):
            rendering.read_melody(tmp_path / name)
    with pytest.raises(OSError):
        rendering.read_melody(tmp_path / "absent.mid")


@pytest.mark.parametrize("qpm", [0, -1, float("nan")])
def test_a_tempo_is_positive(qpm):
    with pytest.raises(ValueError, match="tempo"):
        rendering.to_note_sequence(MELODY, qpm=qpm)


def test_unknown_classes_and_programs_are_refused():
    with pytest.raises(ValueError):
        rendering.to_note_sequence([38])
    with pytest.raises(ValueError, match="program"):
        rendering.to_note_sequence(MELODY, program=128)


def test_audio_is_clean():
    samples, rate = rendering.audio(MELODY)
    assert rate == 16000
    assert samples.dtype == np.float32 and samples.ndim == 1
    # 16 steps of an eighth of a second, and a release of at most a tenth.
    assert 2.0 <= len(samples) / rate <= 2.1
    assert np.max(np.abs(samples)) == pytest.approx(0.8, abs=1e-3)
    assert samples[0] == 0 and abs(samples[-1]) < 1e-3
    # Nothing sounds 0.1 s after the last note was stopped, at 1.25 s.
    assert not samples[int(1.35 * rate) :].any()


def test_audio_does_not_click():
    # Where notes meet, the sound moves no faster than within a note: B5 is the brightest.
    reference, _ = rendering.audio([37, 0, 0, 0])
    inside = np.max(np.abs(np.diff(reference)))
    samples, _ = rendering.audio([14, 0, 14, 0, 1, 0, 2, 14, 2, 0])
    assert np.max(np.abs(np.diff(samples))) <= inside


def test_audio_sounds_at_the_right_pitch():
    # A4 is class 23 and 440 Hz; two seconds resolve half a hertz.
    samples, rate = rendering.audio([23, *[0] * 15])
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) * rate / len(samples) == pytest.approx(440, abs=1)


def test_silence_is_silent():
    samples, _ = rendering.audio([0] * 8)
    assert len(samples) >= 16000 and not samples.any()


def test_figure_draws_every_note(tmp_path):
    columns = {"prior": np.array([MELODY, MELODY]), "tuned": np.array([MELODY])}
    figure = rendering.piano_roll_figure(columns, title="Melodies")
    shown = [axis for axis in figure.axes if axis.get_visible()]
    assert [axis.get_title(loc="left") for axis in shown] == ["prior 1", "tuned 1", "prior 2"]
    assert [len(axis.collections) for axis in shown] == [4, 4, 4]
    beats = [label.get_text() for label in shown[2].get_xticklabels()]
    assert beats == ["1.1", "1.2", "1.3", "1.4"]
    assert "C4" in [label.get_text() for label in shown[0].get_yticklabels()]
    figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10000


def test_figure_leaves_pyplot_alone():
    import matplotlib.pyplot as plt

    rendering.piano_roll_figure({"one": [MELODY]})
    assert plt.get_fignums() == []


def test_nothing_to_draw_is_an_error():
    with pytest.raises(ValueError, match="at least one"):
        rendering.piano_roll_figure({})
    with pytest.raises(ValueError, match="at least one"):
        rendering.piano_roll_image(np.zeros((0, 32), int))


def test_image():
    image = rendering.piano_roll_image(np.array([MELODY] * 3), columns=2)
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    # Two rows of two places, the last of them empty: the same as the margin.
    half = np.array(image.shape[:2]) // 2
    assert (image[half[0] + 8 :, half[1] + 8 :] == 255).all()
    assert (image[: half[0], : half[1]] == (47, 109, 181)).all(-1).any()

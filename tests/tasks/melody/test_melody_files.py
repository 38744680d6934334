"""Melodies as MIDI, MusicXML, ABC, sound and sheet music: what is written is what is read."""

import io
import wave
from fractions import Fraction
from xml.etree import ElementTree

import numpy as np
import pytest

from pipelines.melody import readers, tempo
from pipelines.melody.tunes import list_tunes
from rl_tuner.common.errors import UserError
from rl_tuner.tasks.melody import abc, formats, musicxml, notation, rendering, sheet
from rl_tuner.tasks.melody.frame import Frame
from rl_tuner.tasks.melody.grid import Grid
from rl_tuner.tasks.melody.key import SCALES, make_key
from rl_tuner.tasks.melody.notation import Piece

MELODIES = 200
FRAMES = {
    "sixteenths": Frame(),
    "jig": Frame(Grid(metre=(6, 8)), make_key("A3", "minor")),
    "triplets": Frame(Grid(12, metre=(3, 4)), make_key("D4", "dorian")),
    "swing": Frame(Grid(24, 40, 90), make_key("Eb4", "mixolydian")),
}


def pieces(frame, count=MELODIES, bars=2, seed=0):
    """Returns melodies with holds, rests and repeated notes in and outside the key."""
    rng = np.random.default_rng(seed)
    length = bars * frame.grid.steps_per_bar
    usual = frame.grid.steps_per_quarter
    for _ in range(count):
        classes = [0] * length
        step = 0
        while step < length:
            kind = rng.random()
            classes[step] = 1 if kind < 0.15 else int(rng.integers(2, frame.grid.num_classes))
            step += int(rng.choice([1, usual // 3 or 1, usual // 2, usual, 2 * usual]))
        yield Piece(classes, frame, float(rng.integers(40, 200)), "Tune: one")


def sounding(piece):
    """Returns (pitch, start, end) in quarters."""
    steps = piece.frame.grid.steps_per_quarter
    return [(p, Fraction(s, steps), Fraction(e, steps)) for p, s, e in piece.notes()]


def read_back(path):
    tunes, rejections = list_tunes(
        [str(path)], recursive=False, max_bytes=10**7, allow_any_music21_collection=False
    )
    assert not rejections
    (sequence,) = readers.read_tune(tunes[0], max_bytes=10**7).sequences
    return [
        (n.pitch, *(Fraction(2 * t).limit_denominator(96) for t in (n.start_time, n.end_time)))
        for n in sorted(sequence.notes, key=lambda n: n.start_time)
    ], sequence


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("suffix", ["mid", "musicxml", "abc"])
def test_our_own_reader_reads_the_same_notes(tmp_path, name, suffix):
    for piece in pieces(FRAMES[name], MELODIES if name == "sixteenths" else 40):
        path = tmp_path / f"t.{suffix}"
        formats.write(str(path), piece)
        if not piece.notes():
            continue
        found, sequence = read_back(path)
        assert found == sounding(piece), path.read_bytes()
        signature = sequence.time_signatures[0]
        assert (signature.numerator, signature.denominator) == piece.frame.grid.metre
        for key in sequence.key_signatures:
            assert key.key == (piece.frame.key.tonic % 12 if suffix != "mid" else key.key)


def joined(notes):
    """Returns the notes of music21 with ties joined; its own stripTies joins fewer."""
    found = []
    is_tied = False
    for note in notes:
        start, length = (
            Fraction(t).limit_denominator(96) for t in (note.offset, note.quarterLength)
        )
        if is_tied and found[-1][0] == note.pitch.midi and found[-1][2] == start:
            found[-1] = (*found[-1][:2], start + length)
        else:
            found.append((note.pitch.midi, start, start + length))
        is_tied = note.tie is not None and note.tie.type in ("start", "continue")
    return found


# music21 makes chords of notes of a MIDI file that follow one another as fast as those of "swing".
@pytest.mark.parametrize(
    ("name", "suffix"),
    [(n, s) for n in FRAMES for s in ("mid", "musicxml", "abc") if (n, s) != ("swing", "mid")],
)
def test_music21_reads_the_same_notes(tmp_path, name, suffix):
    converter = pytest.importorskip("music21.converter")
    for piece in pieces(FRAMES[name], MELODIES if name == "sixteenths" else 20):
        if not piece.notes():
            continue
        path = tmp_path / f"t.{suffix}"
        formats.write(str(path), piece)
        # Quantisation is for performances; the lengths here are exact.
        options = {"quantizePost": False} if suffix == "mid" else {}
        score = converter.parse(str(path), forceSource=True, **options)
        assert joined(score.flatten().notes) == sounding(piece), path.read_bytes()


def test_midi_has_tempo_key_metre_and_name():
    import note_seq

    piece = Piece([14, 0, 15, 0], FRAMES["jig"], 90, "My tune")
    data = rendering.midi_bytes(piece)
    sequence = note_seq.midi_io.midi_to_note_sequence(data)
    assert sequence.tempos[0].qpm == pytest.approx(90, abs=0.01)
    metre, key = sequence.time_signatures[0], sequence.key_signatures[0]
    assert (metre.numerator, metre.denominator, key.key, key.mode) == (6, 8, 9, 1)
    assert b"My tune" in data


def test_musicxml_has_tempo_key_metre_and_title():
    root = ElementTree.fromstring(
        musicxml.to_musicxml(Piece([14], FRAMES["triplets"], 72.5, "A & B"))
    )
    facts = ("key/fifths", "key/mode", "time/beats", "time/beat-type", "divisions")
    found = [root.findtext(f"part/measure/attributes/{fact}") for fact in facts]
    assert found == ["0", "dorian", "3", "4", "12"]
    assert root.findtext("work/work-title") == "A & B"
    assert tempo.of_musicxml(root) == 72.5


def test_abc_as_a_person_reads_it():
    piece = Piece(
        [19, 0, 17, 0, 0, 0, 18, 0, 1, 0, 22, 0, *[14, 0, 0, 0, 0, 0] * 2],
        Frame(Grid(metre=(6, 8)), make_key("F4", "major")),
        80,
        "Jig",
    )
    lines = abc.to_abc(piece, 3).splitlines()
    assert lines[:6] == ["X:3", "T:Jig", "M:6/8", "L:1/8", "Q:1/4=80", "K:F"]
    # B flat is in the signature; F sharp... E flat is written, and E natural after it.
    assert lines[6] == "F_E2 =Ez_A | C3 C3 |]"


def test_bars_are_cut_at_bar_lines_with_ties():
    piece = Piece([0] * 12 + [14] + [0] * 15 + [1], Frame())
    first, second = notation.bars(piece)
    assert [(s.pitch, float(s.value.length), s.is_tied, s.continues) for s in first] == [
        (None, 3.0, False, False),
        (60, 1.0, True, False),
    ]
    assert [(s.pitch, float(s.value.length), s.is_tied, s.continues) for s in second] == [
        (60, 3.0, False, True),
        (None, 1.0, False, False),
    ]


def test_every_bar_is_full_and_every_beam_ends():
    for frame in FRAMES.values():
        for piece in pieces(frame, 30, seed=5):
            for bar in notation.bars(piece):
                total = sum(symbol.value.length for symbol in bar)
                assert total == Fraction(frame.grid.steps_per_bar, frame.grid.steps_per_quarter)
                is_open = False
                for states in notation.beams(bar, frame):
                    first = states[0] if states else ""
                    assert is_open == (first in ("continue", "end"))
                    is_open = first in ("begin", "continue")
                assert not is_open
                marks = [mark for mark in notation.tuplets(bar) if mark]
                assert marks == ["start", "stop"] * (len(marks) // 2)


@pytest.mark.parametrize("scale", ["major", "minor", "dorian", "locrian"])
def test_notes_of_the_key_need_no_accidental(scale):
    for tonic in range(60, 72):
        key = make_key(tonic, scale)
        altered = notation.signature(key)
        assert sum(altered.values()) == key.fifths
        for step in SCALES[scale]:
            letter, alter, octave = notation.spell(tonic + step, key)
            assert alter == altered[letter]
            assert 12 * (octave + 1) + "C.D.EF.G.A.B".index(letter) + alter == tonic + step


def test_sound_is_as_long_as_the_melody():
    with wave.open(io.BytesIO(rendering.wav_bytes(Piece([14] * 24, FRAMES["jig"], 60)))) as file:
        seconds = file.getnframes() / file.getframerate()
    assert seconds == pytest.approx(6, abs=0.2)


def test_sheet_music_has_its_bars(tmp_path):
    pytest.importorskip("verovio")
    pytest.importorskip("resvg_py")
    piece = next(pieces(FRAMES["jig"], 1, bars=4))
    svg = sheet.to_svg(piece)
    assert svg.count('class="measure"') == 4
    assert svg.count('class="meterSig"') == 1
    picture = sheet.stacked([piece, piece])
    assert picture.shape[2] == 3
    assert picture.min() < 50
    formats.write(str(tmp_path / "t.png"), piece)
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")


def test_sheet_music_without_the_extra(monkeypatch):
    monkeypatch.setattr(sheet, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"\[sheet\]"):
        formats.check_formats(["mid", "svg"])


def test_unknown_formats_are_refused():
    for wrong in (["mp3"], []):
        with pytest.raises(UserError, match="use one or more of mid"):
            formats.check_formats(wrong)


def test_a_melody_without_steps_cannot_be_written():
    with pytest.raises(ValueError, match="without steps"):
        musicxml.to_musicxml(Piece([]))

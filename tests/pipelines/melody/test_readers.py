import importlib.util
import os
import sys
import zipfile

import pytest

from pipelines import errors
from pipelines.melody import abc_text, readers, tunes
from rl_tuner.common.errors import UserError

GOOD = os.path.join(os.path.dirname(__file__), "..", "..", "..", "testdata", "melodies", "good")
MAX_BYTES = 10**6


def read_abc(body, header="M:4/4\nL:1/4\nK:C"):
    text = f"X:1\n{header}\n{body}\n"
    return readers.read_tune(tunes.Tune("t", "abc", len(text), text=text), max_bytes=MAX_BYTES)


def read_file(name, file_format):
    path = os.path.join(GOOD, name)
    tune = tunes.Tune(name, file_format, os.path.getsize(path), path=path)
    return readers.read_tune(tune, max_bytes=MAX_BYTES)


def notes(sequence):
    """Returns (pitch, start, end) in quarters at 120 quarters a minute."""
    return [(n.pitch, round(n.start_time * 2, 4), round(n.end_time * 2, 4)) for n in sequence.notes]


def test_plain_abc_is_exact():
    assert notes(read_abc("C D2 ^F | F/")) == [
        (60, 0, 1),
        (62, 1, 3),
        (66, 3, 4),
        (65, 4, 4.5),
    ]


def test_abc_that_only_music21_reads_is_exact():
    pytest.importorskip("music21")
    # a rest, a triplet in the time of two, a tie over the bar, double dots, a chord
    sequence = read_abc("z (3C/D/E/ F-|F A>>B [CE]")
    assert notes(sequence) == [
        (60, 1, 1.3333),
        (62, 1.3333, 1.6667),
        (64, 1.6667, 2),
        (65, 2, 4),
        (69, 4, 5.75),
        (71, 5.75, 6),
        (60, 6, 7),
        (64, 6, 7),
    ]


def test_a_tie_between_different_notes_is_a_slur():
    pytest.importorskip("music21")
    assert [n[0] for n in notes(read_abc("C-D D-D"))] == [60, 62, 62]


def test_accidentals_hold_to_the_end_of_the_bar_in_both_readers():
    pytest.importorskip("music21")
    expected = [66, 66, 78, 65]
    assert [n[0] for n in notes(read_abc("^F F f | F"))] == expected
    assert [n[0] for n in notes(read_abc("^F F f | F z"))] == expected


def test_music21_and_note_seq_agree_wherever_both_read():
    pytest.importorskip("music21")
    from music21 import abcFormat
    from note_seq import abc_parser

    found, _ = tunes.list_tunes(
        ["music21:oneills1850"],
        recursive=True,
        max_bytes=MAX_BYTES,
        allow_any_music21_collection=False,
    )
    compared = 0
    for tune in found[::8]:
        (voice,) = abc_text.plain_voices(tune.text)
        if any(mark in voice for mark in ("-", ">>", "<<")):
            continue
        try:
            expected = abc_parser.ABCTune(voice.splitlines()).note_sequence
        except abc_parser.ABCParseError:
            continue
        handler = abcFormat.ABCHandler(abcVersion=(2, 1, 0))
        handler.process(voice)
        got = readers._from_music21_tokens(handler.tokens)
        assert notes(got) == notes(expected), tune.name
        compared += 1
    assert compared > 50


def test_without_music21_the_reason_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "music21", None)
    assert len(read_abc("C D E F").notes) == 4
    with pytest.raises(errors.RejectedError) as caught:
        read_abc("C D z F")
    assert caught.value.reason == "needs music21"
    assert "sequence-tutor[corpus]" in caught.value.detail


def test_musicxml_ties_and_grace_notes():
    sequence = read_file("ladder.musicxml", "musicxml")
    # 7 bars of 4 quarters, then a grace note and two tied halves: one whole note
    assert len(sequence.notes) == 29
    assert notes(sequence)[-1] == (67, 28, 32)


def test_compressed_musicxml():
    assert len(read_file("ladder.mxl", "musicxml").notes) == 29


def test_midi_and_notesequences():
    assert len(read_file("line.mid", "midi").notes) == 32
    found, _ = tunes.list_tunes(
        [os.path.join(GOOD, "sequences.tfrecord")],
        recursive=True,
        max_bytes=MAX_BYTES,
        allow_any_music21_collection=False,
    )
    counts = [len(readers.read_tune(t, max_bytes=MAX_BYTES).notes) for t in found]
    assert counts == [32, 36]


@pytest.mark.parametrize(
    ("name", "file_format"),
    [
        ("truncated.mid", "midi"),
        ("text.mid", "midi"),
        ("entity_bomb.xml", "musicxml"),
        ("damaged.tfrecord", "notesequence"),
    ],
)
def test_bad_files_are_rejected(name, file_format):
    path = os.path.join(GOOD, "..", "bad", name)
    tune = tunes.Tune(name, file_format, 1, path=path, offset=12)
    with pytest.raises(errors.RejectedError, match=f"unreadable {file_format}"):
        readers.read_tune(tune, max_bytes=MAX_BYTES)


def test_a_zip_bomb_is_rejected_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.mxl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("score.xml", b"0" * (MAX_BYTES + 1))
    tune = tunes.Tune("bomb", "musicxml", path.stat().st_size, path=str(path))
    with pytest.raises(errors.RejectedError, match="too large"):
        readers.read_tune(tune, max_bytes=MAX_BYTES)


def test_music21_collections(monkeypatch):
    options = {"recursive": True, "max_bytes": 1, "allow_any_music21_collection": False}
    for name in ("essenFolksong", "bach"):
        with pytest.raises(UserError, match="licence"):
            tunes.list_tunes([f"music21:{name}"], **options)
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "music21" else find_spec(name)
    )
    with pytest.raises(UserError, match=r"sequence-tutor\[corpus\]"):
        tunes.list_tunes(["music21:oneills1850"], **options)

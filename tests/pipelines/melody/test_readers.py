import importlib.util
import os
import re
import zipfile

import pytest

from pipelines.melody import readers, tunes
from rl_tuner.common.errors import UserError
from rl_tuner.datasets.writer import RejectedError

GOOD = os.path.join(os.path.dirname(__file__), "..", "..", "..", "testdata", "melodies", "good")
MAX_BYTES = 10**6


def read_abc(body, header="M:4/4\nL:1/4\nK:C"):
    text = f"X:1\n{header}\n{body}\n"
    return readers.read_tune(tunes.Tune("t", "abc", len(text), text=text), max_bytes=MAX_BYTES)


def read_file(name, file_format):
    path = os.path.join(GOOD, name)
    tune = tunes.Tune(name, file_format, os.path.getsize(path), path=path)
    return readers.read_tune(tune, max_bytes=MAX_BYTES)


def notes(reading):
    """Returns (pitch, start, end) in quarters of the only song."""
    (sequence,) = reading.sequences
    return [(n.pitch, round(n.start_time * 2, 4), round(n.end_time * 2, 4)) for n in sequence.notes]


def test_abc_is_exact():
    # a rest, a triplet in the time of two, a tie over the bar, double dots, a chord
    assert notes(read_abc("z (3C/D/E/ F-|F A>>B [CE]")) == [
        (60, 1, 1.3333),
        (62, 1.3333, 1.6667),
        (64, 1.6667, 2),
        (65, 2, 4),
        (69, 4, 5.75),
        (71, 5.75, 6),
        (60, 6, 7),
        (64, 6, 7),
    ]


def test_music21_agrees_about_the_pitches():
    """An independent reading of music that has nothing that music21 is known to misread."""
    pytest.importorskip("music21")
    from music21 import abcFormat, pitch

    found, _ = tunes.list_tunes(
        ["music21:oneills1850"],
        recursive=True,
        max_bytes=MAX_BYTES,
        allow_any_music21_collection=False,
    )
    compared = 0
    for tune in found[::5]:
        music = tune.text.split("K:", 1)[1].split("\n", 1)[1]
        if re.search(r"[^A-Ga-g0-9z/|,'\s\\()<>^=_]", music) or re.search(r"\|\s*\d", music):
            continue
        handler = abcFormat.ABCHandler(abcVersion=(2, 1, 0))
        handler.process(tune.text)
        names = [t.pitchName for t in handler.tokens if isinstance(t, abcFormat.ABCNote)]
        expected = [pitch.Pitch(name).midi for name in names if name]
        got = readers.read_tune(tune, max_bytes=MAX_BYTES).sequences[0]
        assert [note.pitch for note in got.notes] == expected, tune.name
        compared += 1
    assert compared > 25


def test_musicxml_ties_and_grace_notes():
    found = notes(read_file("ladder.musicxml", "musicxml"))
    # 7 bars of 4 quarters, then a grace note and two tied halves: one whole note
    assert len(found) == 29
    assert found[-1] == (67, 28, 32)


def test_compressed_musicxml():
    assert len(notes(read_file("ladder.mxl", "musicxml"))) == 29


def test_midi_and_notesequences():
    assert len(notes(read_file("line.mid", "midi"))) == 32
    found, _ = tunes.list_tunes(
        [os.path.join(GOOD, "sequences.tfrecord")],
        recursive=True,
        max_bytes=MAX_BYTES,
        allow_any_music21_collection=False,
    )
    counts = [len(notes(readers.read_tune(t, max_bytes=MAX_BYTES))) for t in found]
    assert counts == [32, 36]


@pytest.mark.parametrize(
    ("name", "file_format"),
    [
        ("text.mid", "midi"),
        ("entity_bomb.xml", "musicxml"),
        ("damaged.tfrecord", "notesequence"),
    ],
)
def test_bad_files_are_rejected(name, file_format):
    path = os.path.join(GOOD, "..", "bad", name)
    tune = tunes.Tune(name, file_format, 1, path=path, offset=12)
    with pytest.raises(RejectedError, match=f"unreadable {file_format}"):
        readers.read_tune(tune, max_bytes=MAX_BYTES)


def test_a_track_cut_short_is_counted():
    path = os.path.join(GOOD, "..", "bad", "truncated.mid")
    reading = readers.read_tune(tunes.Tune("t", "midi", 1, path=path), max_bytes=MAX_BYTES)
    assert reading.counts == {"tracks cut short": 1}


def test_a_zip_bomb_is_rejected_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.mxl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("score.xml", b"0" * (MAX_BYTES + 1))
    tune = tunes.Tune("bomb", "musicxml", path.stat().st_size, path=str(path))
    with pytest.raises(RejectedError, match="too large"):
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
    with pytest.raises(UserError, match=r"pip install .*\[corpus\]"):
        tunes.list_tunes(["music21:oneills1850"], **options)

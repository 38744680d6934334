import itertools
import struct

import pytest

from pipelines.melody import midi
from rl_tuner.datasets.writer import RejectedError

PITCHES = [62, 64, 66, 67, 69, 71, 73, 74, 69, 66]
QUARTER = 480


def varint(number):
    data = [number & 0x7F]
    while number := number >> 7:
        data.insert(0, number & 0x7F | 0x80)
    return bytes(data)


def on(delta, pitch, channel=0, velocity=90):
    return varint(delta) + bytes([0x90 | channel, pitch, velocity])


def off(delta, pitch, channel=0):
    return varint(delta) + bytes([0x80 | channel, pitch, 0])


def meta(delta, kind, data=b""):
    return varint(delta) + bytes([0xFF, kind]) + varint(len(data)) + data


def line(pitches=PITCHES, quarter=QUARTER, channel=0):
    return b"".join(on(0, p, channel) + off(quarter, p, channel) for p in pitches)


END = meta(0, 0x2F)
TEMPO = meta(0, 0x51, b"\x07\xa1\x20")
COMMON = meta(0, 0x58, b"\x04\x02\x18\x08")
LINE = line() + END


def header(kind=1, tracks=1, division=QUARTER, length=6, extra=b""):
    numbers = struct.pack(">HHH", kind, tracks, division & 0xFFFF)
    return b"MThd" + struct.pack(">I", length) + numbers + extra


def track(data, length=None):
    return b"MTrk" + struct.pack(">I", len(data) if length is None else length) + data


def file(*tracks, **changes):
    return header(tracks=len(tracks), **changes) + b"".join(map(track, tracks))


def lines(data):
    """Returns the lines of each song as (start, end, pitch) in quarters."""
    songs, counts = midi.read_songs(data)
    result = []
    for song in songs:
        found = {}
        for number, start, end, pitch in song.notes:
            quarters = [round(tick / song.ticks_per_quarter, 2) for tick in (start, end)]
            found.setdefault(number, []).append((*quarters, pitch))
        result.append(list(found.values()))
    return result, counts


def expected(pitches=PITCHES):
    return [(i, i + 1, pitch) for i, pitch in enumerate(pitches)]


@pytest.mark.parametrize(
    "data",
    [
        file(COMMON + END, LINE),
        file(LINE, kind=0),
        file(line(quarter=96) + END, division=96),
        b"RIFF\0\1\0\0RMIDdata\0\1\0\0" + file(LINE),
        b"RIFF\0\1\0\0RMIDLIST\4\0\0\0INFOdata\0\1\0\0" + file(LINE) + b"LIST\4\0\0\0abcd",
        b"\0" * 128 + file(LINE),
        file(LINE, length=8, extra=b"\0\0"),
        header() + b"XFIH\0\0\0\4abcd" + track(LINE) + b"ABCD\0\0\0\2xx",
        header() + b"\1\2\3\4\0\0\0\5abcde" + track(LINE),
        header(tracks=9) + track(END) + track(LINE),
        file(LINE) + b"\0" * 40,
        header() + track(END, 0) + track(LINE, 0),
        header() + track(LINE, 99_999),
        file(line(PITCHES[:4]) + END + line(PITCHES[4:]) + END),
    ],
)
def test_whatever_is_around_the_tracks(data):
    (song, *others), _ = lines(data)
    assert song == [expected()]
    assert not any(others)


@pytest.mark.parametrize(
    "events",
    [
        meta(0, 0x51, b"\0\0\0"),
        meta(0, 0x51, b"\1"),
        meta(0, 0x59, b"\x20\x05"),
        meta(0, 0x59),
        meta(0, 0x58, b"\4"),
        meta(0, 0x58, b"\0\2\x18\x08"),
        meta(0, 0x58, b"\4\xff\x18\x08"),
        b"\0\xc0\x49",
        b"\0\xc0\xc8",
        b"\0\xb0\x07\xdf",
        b"\0\xe0\x00\xd0",
        b"\0\x90\xbc\x40\0\x80\xbc\x40",
        b"\0\xf0\5\x7e\x7f\x09\1\xf7",
        b"\0\xf0\5\x7e\x7f\x09\1\0",
        b"\0\xf7\2\xf3\1",
        b"\0\xf8\0\xfe",
        b"\0\x3c\x40",
    ],
)
def test_one_odd_event_costs_nothing(events):
    assert lines(file(events + LINE))[0] == [[expected()]]
    if events[1] & 0x80:
        first, rest = line(PITCHES[:4]), line(PITCHES[4:])
        assert lines(file(first + events + rest + END))[0] == [[expected()]]


@pytest.mark.parametrize("between", [meta(0, 1, b"hi"), b"\0\xf0\3\1\2\xf7"])
def test_running_status_goes_across_other_events(between):
    events = on(0, PITCHES[0])
    for pitch, following in itertools.pairwise(PITCHES):
        events += between + varint(QUARTER) + bytes([pitch, 0, 0, following, 90])
    events += varint(QUARTER) + bytes([PITCHES[-1], 0]) + END
    assert lines(file(events))[0] == [[expected()]]


def test_tempo_moves_nothing():
    tempos = b"".join(meta(100, 0x51, (400_000 + 9_000 * i).to_bytes(3, "big")) for i in range(60))
    assert lines(file(tempos + END, LINE))[0] == [[expected()]]


@pytest.mark.parametrize(
    ("frames", "per_frame", "quarter", "tempo"),
    [(25, 40, 500, b""), (24, 80, 960, TEMPO), (29, 100, 1499, b""),
     (30, 100, 1200, meta(0, 0x51, (400_000).to_bytes(3, "big")))],
)  # fmt: skip
def test_time_code(frames, per_frame, quarter, tempo):
    division = -frames << 8 | per_frame
    assert lines(file(tempo + line(quarter=quarter) + END, division=division))[0] == [[expected()]]


def test_songs_tracks_and_channels_are_kept_apart():
    back = PITCHES[::-1]
    two = [[expected()], [expected(back)]]
    assert lines(file(LINE, line(back) + END, kind=2))[0] == two
    assert lines(file(LINE, line(back) + END))[0] == [[expected(), expected(back)]]
    both = b"".join(
        on(0, p) + on(0, q, 1) + off(QUARTER, p) + off(0, q, 1) for p, q in zip(PITCHES, back)
    )
    assert lines(file(both + END, kind=0))[0] == [[expected(), expected(back)]]


def test_drums_are_left_out_and_counted():
    found, counts = lines(file(LINE, line([36, 38], channel=9) + END))
    assert found == [[expected()]]
    assert counts == {midi.DRUMS: 2}


@pytest.mark.parametrize(
    ("events", "notes"),
    [
        (on(0, 62) + meta(QUARTER, 1, b"x"), [(0, 1, 62)]),
        (on(0, 62) + on(QUARTER, 64) + off(QUARTER, 64), [(0, 1, 62), (1, 2, 64)]),
        # the same note again, bars later
        (
            on(0, 62) + on(QUARTER, 64) + off(QUARTER, 64) + on(0, 62) + off(QUARTER, 62),
            [(0, 1, 62), (1, 2, 64), (2, 3, 62)],
        ),
    ],
)
def test_notes_that_nothing_ends(events, notes):
    found, counts = lines(file(events + END))
    assert found == [[notes]]
    assert counts == {midi.HELD: 1}


@pytest.mark.parametrize(
    "again", [off(QUARTER, 62) + on(0, 62), on(QUARTER, 62) + off(0, 62), on(QUARTER, 62)]
)
def test_a_note_struck_again(again):
    assert lines(file(on(0, 62) + again + off(QUARTER, 62) + END))[0] == [
        [[(0, 1, 62), (1, 2, 62)]]
    ]


def test_a_track_cut_short_keeps_what_is_there():
    found, counts = lines(file(LINE)[:-7])
    assert found == [[expected()[:-1]]]
    assert counts == {midi.CUT_SHORT: 1}


def test_metres_are_remembered():
    change = meta(4 * QUARTER, 0x58, b"\3\2\x18\x08")
    (song,), _ = midi.read_songs(file(COMMON + change + END, LINE))
    assert song.metres == [(0, 4, 4), (4 * QUARTER, 3, 4)]


@pytest.mark.parametrize("data", [b"", b"no music", b"MThd\0\0\0\6", file(LINE, division=0)])
def test_what_is_no_midi_is_rejected(data):
    with pytest.raises(RejectedError, match="unreadable midi"):
        midi.read_songs(data)

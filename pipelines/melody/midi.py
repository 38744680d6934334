"""Reading of standard MIDI files into songs in ticks, with every note even in damaged files.

Only notes, time signatures and key signatures are read. Tempo does not affect the beat of a note, so
tempo events cannot move, cut or lose a tune.
"""

import bisect
import collections
import dataclasses
from collections.abc import Iterator

from pipelines.melody import tempo
from pipelines.melody.keys import KeyName, key_of_signature
from rl_tuner.datasets.writer import RejectedError

_DRUMS = 9
# Number of data bytes by the upper four bits of the status byte, and for system messages.
_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}
_SYSTEM_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}
_NOTE_ON, _NOTE_OFF, _META = 0x9, 0x8, 0xFF
_SET_TEMPO, _TIME_SIGNATURE, _KEY_SIGNATURE, _END_OF_TRACK = 0x51, 0x58, 0x59, 0x2F
_DEFAULT_TEMPO = 500_000  # microseconds per quarter

CUT_SHORT = "tracks cut short"
HELD = "notes without an end"
DRUMS = "drum notes left out"
BAD = "damaged events"


@dataclasses.dataclass
class Song:
    """A whole file, or one track of a file of separate songs.

    Attributes:
        ticks_per_quarter: Number of ticks per quarter; may be fractional for files with time code.
        notes: (line, start, end, pitch); a line is one channel of one track.
        metres: (tick, numerator, denominator), sorted by tick.
        keys: (tick, key), sorted by tick.
        qpm: The first tempo; None if there is none.
    """

    ticks_per_quarter: float
    notes: list[tuple[int, int, int, int]]
    metres: list[tuple[int, int, int]]
    keys: list[tuple[int, KeyName]] = dataclasses.field(default_factory=list)
    qpm: float | None = None


@dataclasses.dataclass
class _Track:
    notes: list[tuple[int, int, int, int]]  # (channel, start, end, pitch)
    metres: list[tuple[int, int, int]]
    tempos: list[int]
    keys: list[tuple[int, KeyName]] = dataclasses.field(default_factory=list)


def read_songs(data: bytes) -> tuple[list[Song], collections.Counter[str]]:
    """Return the songs of a file, and the numbers of repairs and omissions by kind.

    Raises:
        RejectedError: if it is not a MIDI file.
    """
    counts: collections.Counter[str] = collections.Counter()
    kind, division, at = _header(data)
    tracks = [_read_track(chunk, is_exact, counts) for chunk, is_exact in _track_chunks(data, at)]
    groups = [[track] for track in tracks] if kind == 2 else [tracks]
    return [_song(group, division, counts) for group in groups], counts


def _header(data: bytes) -> tuple[int, int, int]:
    """Return the file's type, its division of time and the position of its chunks."""
    # In RMID files and old Macintosh files, other data precede the header.
    at = data.find(b"MThd")
    if at < 0 or len(data) < at + 14:
        raise RejectedError("unreadable midi", "no MThd header")
    length = max(6, int.from_bytes(data[at + 4 : at + 8], "big"))
    kind = int.from_bytes(data[at + 8 : at + 10], "big")
    division = int.from_bytes(data[at + 12 : at + 14], "big", signed=True)
    if division == 0 or (division < 0 and not division & 0xFF):
        raise RejectedError("unreadable midi", f"time division {division}")
    chunks = at + 8 + length
    return kind, division, chunks if chunks <= len(data) else at + 14


def _track_chunks(data: bytes, at: int) -> Iterator[tuple[bytes, bool]]:
    """Yield each track, and whether its length is right; skip other chunks."""
    while at + 8 <= len(data):
        if not _is_chunk(data, at):
            # The length before was wrong; the next track is found by its name.
            at = data.find(b"MTrk", at)
            if at < 0:
                return
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "big")
        at += 8
        end = at + length
        if name == b"MTrk":
            is_exact = end == len(data) or (end < len(data) and _is_chunk(data, end))
            if not is_exact:
                following = data.find(b"MTrk", at)
                end = following if following >= 0 else len(data)
            yield data[at:end], is_exact
        at = end


def _is_chunk(data: bytes, at: int) -> bool:
    """Return whether a chunk can begin here: its name is printable, or only padding is left."""
    name = data[at : at + 4]
    return all(0x20 <= byte < 0x7F for byte in name) or not data[at:].strip(b"\0")


def _read_track(chunk: bytes, is_exact: bool, counts: collections.Counter[str]) -> _Track:
    track = _Track([], [], [])
    sounding: dict[tuple[int, int], int] = {}  # (channel, pitch) -> start
    # (channel, pitch) -> start and end of a note that ended because the same note started again
    struck_again: dict[tuple[int, int], tuple[int, int]] = {}
    unclosed: list[tuple[int, int, int]] = []  # (channel, start, pitch)
    now = 0
    for now, status, data in _events(chunk, is_exact, counts):
        kind = status >> 4
        if kind in (_NOTE_ON, _NOTE_OFF):
            key = channel, pitch = status & 0xF, data[0]
            if kind == _NOTE_ON and data[1]:
                if key in struck_again:
                    unclosed.append((channel, struck_again.pop(key)[0], pitch))
                if key in sounding:
                    struck_again[key] = sounding[key], now
                sounding[key] = now
            elif key in struck_again and struck_again[key][1] == now:
                # The end of the previous note comes after the start of the new one.
                track.notes.append((channel, *struck_again.pop(key), pitch))
            elif key in sounding:
                track.notes.append((channel, sounding.pop(key), now, pitch))
        elif status == _META and data[0] == _TIME_SIGNATURE and len(data) >= 3:
            if data[1] and data[2] <= 6:
                track.metres.append((now, data[1], 1 << data[2]))
        elif status == _META and data[0] == _KEY_SIGNATURE and len(data) >= 3:
            track.keys += [(now, key) for key in _key(data)]
        elif status == _META and data[0] == _SET_TEMPO and len(data) == 4:
            track.tempos.append(int.from_bytes(data[1:], "big"))
    unclosed += [(channel, start, pitch) for (channel, pitch), (start, _) in struck_again.items()]
    unclosed += [(channel, start, pitch) for (channel, pitch), start in sounding.items()]
    _close(track, unclosed, now, counts)
    track.notes.sort(key=lambda note: (note[1], note[2]))
    return track


def _close(
    track: _Track,
    unclosed: list[tuple[int, int, int]],
    end: int,
    counts: collections.Counter[str],
) -> None:
    """End notes without an end: at the next note of their channel, or at the end of the track."""
    if not unclosed:
        return
    starts: dict[int, list[int]] = {}
    for channel, start, *_ in track.notes + unclosed:
        starts.setdefault(channel, []).append(start)
    for channel_starts in starts.values():
        channel_starts.sort()
    for channel, start, pitch in unclosed:
        following = bisect.bisect_right(starts[channel], start)
        note_end = starts[channel][following] if following < len(starts[channel]) else end
        if note_end > start:
            counts[HELD] += 1
            track.notes.append((channel, start, note_end, pitch))


def _events(
    chunk: bytes, is_exact: bool, counts: collections.Counter[str]
) -> Iterator[tuple[int, int, bytes]]:
    """Yield tick, status and data of every event; the data of a meta event begin with its type."""
    at, now, running = 0, 0, 0
    try:
        while at < len(chunk):
            delta, at = _varint(chunk, at)
            now += delta
            status = chunk[at]
            if status >= 0x80:
                at += 1
            elif running:
                status = running
            else:
                # Data without an event are skipped up to the next status byte.
                counts[BAD] += 1
                while chunk[at] < 0x80:
                    at += 1
                status = chunk[at]
                at += 1
            if status in (0xF0, 0xF7):
                length, at = _varint(chunk, at)
                at += length
            elif status == _META:
                kind = chunk[at : at + 1]
                length, at = _varint(chunk, at + 1)
                if kind[0] == _END_OF_TRACK and (at >= len(chunk) or not is_exact):
                    yield now, status, kind
                    return
                yield now, status, kind + chunk[at : at + length]
                at += length
            else:
                size = _DATA_BYTES.get(status >> 4, _SYSTEM_BYTES.get(status, 0))
                data = chunk[at : at + size]
                if len(data) < size:
                    raise IndexError
                at += size
                if status < 0xF0:
                    running = status
                if size and data[0] > 127 and status < 0xA0:
                    counts[BAD] += 1
                else:
                    yield now, status, data
    except IndexError:
        counts[CUT_SHORT] += 1
        return
    counts[CUT_SHORT] += 1


def _varint(chunk: bytes, at: int) -> tuple[int, int]:
    """Return a number and the position after it."""
    value = chunk[at]
    at += 1
    if value < 0x80:
        return value, at
    value &= 0x7F
    for _ in range(3):
        byte = chunk[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return value, at


def _song(tracks: list[_Track], division: int, counts: collections.Counter[str]) -> Song:
    tempos = [speed for track in tracks for speed in track.tempos if speed]
    lines: dict[tuple[int, int], int] = {}
    notes = []
    for number, track in enumerate(tracks):
        for channel, start, end, pitch in track.notes:
            if channel == _DRUMS:
                counts[DRUMS] += 1
                continue
            line = lines.setdefault((number, channel), len(lines))
            notes.append((line, start, end, pitch))
    metres = sorted(metre for track in tracks for metre in track.metres)
    keys = sorted(key for track in tracks for key in track.keys)
    qpm = tempo.of_midi(tempos[0] if tempos else None)
    return Song(_ticks_per_quarter(division, tempos), notes, metres, keys, qpm)


def _key(data: bytes) -> list[KeyName]:
    """Return the key of a key signature, [] for none: programs write C major if they know no key."""
    fifths = data[1] - 256 if data[1] > 127 else data[1]
    if abs(fifths) > 7 or data[2] > 1 or (fifths, data[2]) == (0, 0):
        return []
    return [key_of_signature(fifths, "minor" if data[2] else "major")]


def _ticks_per_quarter(division: int, tempos: list[int]) -> float:
    if division > 0:
        return division
    # Time code: the upper byte is minus the frames per second, the lower the ticks per frame.
    frames = -(division >> 8)
    frames_per_second = 30_000 / 1_001 if frames == 29 else frames
    microseconds = tempos[0] if tempos else _DEFAULT_TEMPO
    return frames_per_second * (division & 0xFF) * microseconds / 1e6

"""Reading of a tune that is to be continued, in its own key, mode, metre and tempo."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from pipelines.melody import extraction, keys, readers, tunes
from rl_tuner.common.errors import UserError
from rl_tuner.datasets.writer import RejectedError
from rl_tuner.tasks.melody.encoding import NO_EVENT, NOTE_OFF
from rl_tuner.tasks.melody.frame import Frame
from rl_tuner.tasks.melody.grid import Grid
from rl_tuner.tasks.melody.key import MODES, SCALES, Key

_MAX_BYTES = 20 * 2**20


@dataclasses.dataclass(frozen=True)
class MelodyPrimer:
    """A tune that is to be continued.

    Attributes:
        classes: Its classes on the grid and in the key of the model, up to the end of its last note.
        frame: The grid and key in which these classes are written: those of the tune.
        qpm: Its tempo in quarters per minute; None if the file does not state one.
        repairs: Numbers of notes that were moved, dropped or repaired, by kind.
    """

    classes: list[int]
    frame: Frame
    qpm: float | None
    repairs: Mapping[str, int]

    def describe(self) -> str:
        """Return one line about the tune and its repairs."""
        tempo = "" if self.qpm is None else f", {self.qpm:g} quarters per minute"
        mended = ", ".join(f"{count} {what}" for what, count in sorted(self.repairs.items()))
        found = f"{self.frame.key}, {self.frame.grid.metre_name}{tempo}"
        return f"{found}; {mended}" if mended else found


def read_primer(path: str, encoding: Mapping[str, Any], fifths: int = 0) -> MelodyPrimer:
    """Read the first melody of a file.

    Args:
        path: A file of any format that the pipeline reads.
        encoding: The entry "encoding" of the model's data.
        fifths: The key signature of the model's melodies.

    Raises:
        UserError: if the file cannot be read, or contains no melody.
    """
    grid = Grid.from_json(encoding)
    try:
        melody, reading = _read(path, grid)
    except RejectedError as error:
        detail = f" ({error.detail})" if error.detail else ""
        raise UserError(
            f"primer {path}: {error.reason}{detail}; give a file with a melody"
        ) from error
    except OSError as error:
        raise UserError(f"primer {path} cannot be read: {error.strerror}") from error
    pitches, classes = _events(melody, grid)
    shift = _shift(melody.key, pitches, grid, encoding.get("transpose", "major"), fifths)
    moved = [_into(pitch + shift, grid) for pitch in pitches]
    repairs = {name: count for name, count in reading.counts.items() if count}
    if outside := sum(a != b + shift for a, b in zip(moved, pitches)):
        repairs[extraction.FOLDED] = outside
    following = iter(moved)
    classes = [next(following) - grid.pitch_offset if c > NOTE_OFF else c for c in classes]
    return MelodyPrimer(classes, _frame(melody, grid, shift), reading.qpm, repairs)


def _read(path: str, grid: Grid) -> tuple[extraction.Melody, readers.Reading]:
    """Return the first melody of a file, untransposed, in a range without limits.

    Raises:
        RejectedError: if there is none.
    """
    found, rejections = tunes.list_tunes(
        [path], recursive=False, max_bytes=_MAX_BYTES, allow_any_music21_collection=False
    )
    if not found:
        reason = rejections[0] if rejections else None
        raise RejectedError(
            reason.reason if reason else "no notes", reason.detail if reason else ""
        )
    reading = readers.read_tune(found[0], max_bytes=_MAX_BYTES)
    settings = extraction.ExtractionSettings(
        polyphony="skyline",
        gap_bars=1e6,
        min_bars=0,
        min_unique_pitches=0,
        max_steps=0,
        max_moved=1.0,
        grid=_wide(grid),
        transpose="none",
    )
    for sequence in reading.sequences:
        result = extraction.extract_melodies(sequence, settings)
        reading.counts.update(result.counts)
        if result.melodies:
            return result.melodies[0], reading
    rejection = result.rejections[0] if reading.sequences else RejectedError("no notes")
    raise rejection


def _wide(grid: Grid) -> Grid:
    """Return a grid with the range in which a tune is read before it is moved into that of the model."""
    return dataclasses.replace(grid, min_pitch=30, max_pitch=89)


def _events(melody: extraction.Melody, grid: Grid) -> tuple[list[int], list[int]]:
    """Return the pitches of a melody, and its classes without the silence after the last note."""
    offset = _wide(grid).pitch_offset
    classes = list(melody.classes)
    end = len(classes)
    while end and classes[end - 1] == NO_EVENT:
        end -= 1
    # The last event is the end of the last note, unless that lasts to the end of its bar.
    classes = classes[: end - 1] if classes[end - 1] == NOTE_OFF else classes
    return [c + offset for c in classes if c > NOTE_OFF], classes


def _shift(key: keys.KeyName, pitches: list[int], grid: Grid, transpose: str, fifths: int) -> int:
    """Return the semitones to the model's key, with the fewest notes outside its range."""
    tonic, mode = key
    if transpose == "none":
        semitones = 0
    elif transpose == "mode":
        semitones = -tonic
    else:
        semitones = fifths * 7 - (tonic - MODES[mode])
    nearest = (semitones + 6) % 12 - 6

    def cost(shift: int) -> tuple[int, int]:
        outside = sum(not grid.min_pitch <= p + shift <= grid.max_pitch for p in pitches)
        return outside, abs(shift)

    return min((nearest + 12 * octaves for octaves in range(-6, 7)), key=cost)


def _into(pitch: int, grid: Grid) -> int:
    """Return a pitch, moved by octaves into the range."""
    while pitch < grid.min_pitch:
        pitch += 12
    while pitch > grid.max_pitch:
        pitch -= 12
    return pitch


def _frame(melody: extraction.Melody, grid: Grid, shift: int) -> Frame:
    low, high = grid.min_pitch - shift, grid.max_pitch - shift
    own = dataclasses.replace(grid, min_pitch=low, max_pitch=high, metre=melody.metre)
    tonic, mode = melody.key
    middle = (low + high) // 2
    tonic = middle - 6 + (tonic - (middle - 6)) % 12
    return Frame(own, Key(tonic, SCALES[mode], mode))

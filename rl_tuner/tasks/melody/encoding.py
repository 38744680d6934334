"""Encoding of melodies, one class per step: by default 38 classes and steps of a sixteenth note.

| class | meaning |
|---|---|
| 0 | NO_EVENT: no change (a held note or a continuing silence) |
| 1 | NOTE_OFF: the sounding note ends |
| 2 .. 37 | a note begins at MIDI pitch 46 + class (48 = C3 .. 83 = B5) |

These are the classes of note-seq's `MelodyOneHotEncoding(min_note=48, max_note=84)`. A `grid.Grid` may
have another range of pitches and other steps.
"""

from collections.abc import Iterable

NO_EVENT = 0
NOTE_OFF = 1
NUM_SPECIAL_CLASSES = 2
MIN_NOTE = 48
MAX_NOTE = 84
NUM_CLASSES = NUM_SPECIAL_CLASSES + MAX_NOTE - MIN_NOTE
PITCH_OFFSET = MIN_NOTE - NUM_SPECIAL_CLASSES
STEPS_PER_QUARTER = 4
TRANSPOSE_TO_KEY = 0
# Entry "encoding" in the description of a dataset of melodies.
MELODY_ENCODING = {
    "min_note": MIN_NOTE,
    "max_note": MAX_NOTE,
    "num_classes": NUM_CLASSES,
    "steps_per_quarter": STEPS_PER_QUARTER,
    "transpose_to_key": TRANSPOSE_TO_KEY,
}

# Key of the rules: C major with middle C as its tonic.
TONIC_PITCH = 60
MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
_NOTE_NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")

_NOTE_SEQ_NO_EVENT = -2
_NOTE_SEQ_NOTE_OFF = -1


def is_pitch(melody_class: int) -> bool:
    """Return whether a note begins at this class."""
    return NUM_SPECIAL_CLASSES <= melody_class < NUM_CLASSES


def class_to_pitch(melody_class: int) -> int:
    """Return the MIDI pitch of a class.

    Raises:
        ValueError: if no note begins at this class.
    """
    if not is_pitch(melody_class):
        raise ValueError(
            f"class {melody_class} has no pitch: expected {NUM_SPECIAL_CLASSES}..{NUM_CLASSES - 1}"
        )
    return int(melody_class) + PITCH_OFFSET


def pitch_to_class(pitch: int) -> int:
    """Return the class of a MIDI pitch.

    Raises:
        ValueError: if the pitch is outside MIN_NOTE..MAX_NOTE - 1.
    """
    if not MIN_NOTE <= pitch < MAX_NOTE:
        raise ValueError(f"pitch {pitch} has no class: expected {MIN_NOTE}..{MAX_NOTE - 1}")
    return int(pitch) - PITCH_OFFSET


def note_name(pitch: int) -> str:
    """Return the name of a MIDI pitch: 60 is C4."""
    return f"{_NOTE_NAMES[pitch % 12]}{pitch // 12 - 1}"


def note_text(pitch: int, start: int, end: int) -> str:
    """Return a note as text, "C4:2": its name, and its length in steps unless that is 1."""
    length = f":{end - start}" if end - start > 1 else ""
    return f"{note_name(pitch)}{length}"


def encode_events(events: Iterable[int]) -> list[int]:
    """Return the classes of note-seq melody events (-2 no event, -1 note off, else a pitch).

    Raises:
        ValueError: if an event is neither special nor a pitch in range.
    """
    specials = {_NOTE_SEQ_NO_EVENT: NO_EVENT, _NOTE_SEQ_NOTE_OFF: NOTE_OFF}
    return [specials[e] if e in specials else pitch_to_class(e) for e in events]


def notes_from_classes(
    classes: Iterable[int], min_pitch: int = MIN_NOTE, num_classes: int = NUM_CLASSES
) -> list[tuple[int, int, int]]:
    """Return the notes of a melody as (pitch, start_step, end_step), end exclusive.

    A note sounds until NOTE_OFF, the next note or the end of the melody. NO_EVENT and NOTE_OFF
    before the first note are silence.

    Args:
        classes: the classes of one melody.
        min_pitch: MIDI pitch of the first class of a pitch.
        num_classes: number of classes.

    Raises:
        ValueError: if a class is not in 0..num_classes - 1.
    """
    notes = []
    sounding = None
    step = -1
    for step, melody_class in enumerate(classes):
        if melody_class == NO_EVENT:
            continue
        if not 0 <= melody_class < num_classes:
            raise ValueError(f"class {melody_class} is unknown: expected 0..{num_classes - 1}")
        is_note = melody_class != NOTE_OFF
        pitch = int(melody_class) - NUM_SPECIAL_CLASSES + min_pitch if is_note else None
        if sounding is not None:
            notes.append((*sounding, step))
        sounding = None if pitch is None else (pitch, step)
    if sounding is not None:
        notes.append((*sounding, step + 1))
    return notes

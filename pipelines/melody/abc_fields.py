"""Parsing of the ABC fields that determine how notes are read: key, metre and unit length."""

import functools
import re

from pipelines.melody.keys import KeyName
from pipelines.melody.score import Metre

# Order of the sharps in a signature; flats have the reverse order.
_FIFTHS = "FCGDAEB"
_MODE_SHARPS = {"m": -3, "min": -3, "aeo": -3, "mix": -1, "dor": -2, "phr": -4, "lyd": 1, "loc": -5}
_KEY = re.compile(
    r"([A-Ga-g])([#b♯♭]?)\s*"
    r"((?:maj|ion|min|aeo|mix|dor|phr|lyd|loc)[a-z]*|m)?(?![a-z])",
    re.IGNORECASE,
)
_TONIC = re.compile("([A-G])([#b♯♭]?)()")  # in capitals, whatever follows
_ACCIDENTAL = re.compile(r"(\^{1,2}|_{1,2}|=)([A-Ga-g])")
_PROPERTY = re.compile(r"\b[A-Za-z]{3,}=\S+")
_PITCH_CLASSES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ALTERS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2, "": 0}

Fraction = tuple[int, int]


def alter_of(accidental: str) -> int:
    """Return the number of semitones by which an accidental raises a note; 0 for a microtone."""
    return _ALTERS.get(accidental, 0)


@functools.lru_cache(maxsize=256)
def parse_key(value: str) -> dict[str, int] | None:
    """Return the alteration of each altered letter; None if the field does not name a key."""
    value = value.strip()
    rest = _PROPERTY.sub("", value)  # such as clef=treble
    if rest[:2].upper() == "HP":
        alters = _signature(2)
        rest = rest[2:]
    elif rest.lower().startswith("none"):
        alters = {}
    elif match := _KEY.match(rest) or _TONIC.match(rest):
        tonic, accidental, mode = match.groups()
        sharps = _FIFTHS.index(tonic.upper()) - 1
        sharps += {"": 0, "#": 7, "♯": 7, "b": -7, "♭": -7}[accidental.lower()]
        # A capital M means major.
        mode = "" if mode in (None, "M") else mode[:3].lower()
        alters = _signature(sharps + _MODE_SHARPS.get(mode, 0))
        rest = rest[match.end() :]
    elif _ACCIDENTAL.search(rest):
        alters = {}
    else:
        return {} if not value else None
    if re.search(r"\bexp\b", rest):
        alters = {}
    own = {letter.upper(): alter_of(sign) for sign, letter in _ACCIDENTAL.findall(rest)}
    return alters | own


_MODES = {
    "": "major",
    "maj": "major",
    "ion": "major",
    "m": "minor",
    "min": "minor",
    "aeo": "minor",
    "mix": "mixolydian",
    "dor": "dorian",
    "phr": "phrygian",
    "lyd": "lydian",
    "loc": "locrian",
}


@functools.lru_cache(maxsize=256)
def key_name(value: str) -> KeyName | None:
    """Return the key that a field names; None if it names none."""
    rest = _PROPERTY.sub("", value.strip())
    if rest[:2].upper() == "HP":
        return _PITCH_CLASSES["A"], "mixolydian"
    match = None if rest.lower().startswith("none") else _KEY.match(rest) or _TONIC.match(rest)
    if not match:
        return None
    tonic, accidental, mode = match.groups()
    alter = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}[accidental.lower()]
    mode = "" if mode in (None, "M") else mode[:3].lower()
    return (_PITCH_CLASSES[tonic.upper()] + alter) % 12, _MODES[mode]


def _signature(sharps: int) -> dict[str, int]:
    """Return the alterations of a signature; beyond seven, letters are altered twice."""
    order = _FIFTHS if sharps > 0 else _FIFTHS[::-1]
    alters: dict[str, int] = {}
    for i in range(abs(sharps)):
        letter = order[i % 7]
        alters[letter] = alters.get(letter, 0) + (1 if sharps > 0 else -1)
    return alters


def parse_metre(value: str, current: Metre | None) -> Metre | None:
    """Return the metre that a field sets; None for free metre."""
    value = value.strip()
    if value[:2].upper() == "C|":
        return 2, 2
    if value.upper() == "C":
        return 4, 4
    if value.lower().startswith(("none", "free")) or value == "":
        return None
    fraction = re.search(r"([\d+\s]*\d)\s*\)?\s*/\s*(\d+)", value)
    if not fraction:
        return current
    numerator = sum(int(n) for n in re.findall(r"\d+", fraction[1]))
    denominator = int(fraction[2])
    return (numerator, denominator) if numerator and denominator else current


def parse_length(value: str) -> Fraction | None:
    """Return the unit length that a field sets; None if it does not contain a length."""
    fraction = re.match(r"(\d+)\s*(?:/\s*(\d+))?", value.strip())
    if not fraction:
        return None
    numerator, denominator = int(fraction[1]), int(fraction[2] or 1)
    return (numerator, denominator) if numerator and denominator else None


def default_length(metre: Metre | None) -> Fraction:
    """Return the unit length that a metre implies."""
    return (1, 16) if metre and metre[0] / metre[1] < 0.75 else (1, 8)


def is_compound(metre: Metre | None) -> bool:
    """Return whether a metre is compound, such as 6/8."""
    return metre is not None and metre[0] % 3 == 0 and metre[0] > 3

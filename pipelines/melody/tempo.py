"""The tempo of a tune as its file states it, in quarters per minute."""

import re
from xml.etree import ElementTree

_LEAST, _MOST = 10.0, 1_000.0
_UNITS = {"whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25}
_FIELD = re.compile(r"^Q:(.*)$", re.MULTILINE)
_FRACTION = re.compile(r"(\d+)\s*/\s*(\d+)")


def plausible(qpm: float | None) -> float | None:
    """Return a tempo, or None if it is not stated or absurd."""
    return qpm if qpm is not None and _LEAST <= qpm <= _MOST else None


def of_midi(microseconds: int | None) -> float | None:
    """Return the tempo of the microseconds per quarter of a MIDI file."""
    return plausible(60e6 / microseconds) if microseconds else None


def of_abc(text: str) -> float | None:
    """Return the tempo of an ABC tune's first Q: field, such as Q:1/4=120 or Q:3/8=80."""
    field = _FIELD.search(text)
    if not field:
        return None
    value = re.sub(r'"[^"]*"', "", field[1].partition("%")[0])
    beats, _, speed = value.rpartition("=")
    number = re.search(r"\d+(?:\.\d+)?", speed)
    if not number:
        return None
    fractions = _FRACTION.findall(beats)
    quarters = sum(4 * int(n) / int(d) for n, d in fractions if int(d)) if fractions else 1.0
    return plausible(float(number[0]) * quarters)


def of_musicxml(root: ElementTree.Element) -> float | None:
    """Return the tempo of a score's first sound element or metronome mark."""
    for element in root.iter():
        if element.tag == "sound" and element.get("tempo"):
            return plausible(_number(element.get("tempo")))
        if element.tag == "metronome":
            unit = _UNITS.get(element.findtext("beat-unit", "").strip(), 1.0)
            unit *= 1.5 if element.find("beat-unit-dot") is not None else 1.0
            speed = _number(element.findtext("per-minute"))
            if speed is not None:
                return plausible(speed * unit)
    return None


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None

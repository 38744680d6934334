"""ABC notation as text: books into tunes, tunes into one plain line of music per voice.

`plain_voices` leaves only what every ABC parser reads alike: notes, rests, tuplets, ties, chords,
plain bar lines and the fields M, L and K. Ornaments, slurs, lyrics and chord symbols go, and
repeats and variant endings are written out in the order they are played.
"""

import dataclasses
import re
from collections.abc import Iterator

from pipelines import errors

_MAX_PLAYS = 8

_FIELD = re.compile(r"([A-Za-z+]):(?![|:])\s*(.*)")
_MAJOR_KEYS = ["Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#"]
_MODE_SHARPS = {"m": -3, "min": -3, "aeo": -3, "mix": -1, "dor": -2, "phr": -4, "lyd": 1, "loc": -5}

_INLINE_VOICE = re.compile(r"\[V:([^\]\n]*)\]")
_OLD_CHORD = re.compile(r"\+([\^_=A-Ga-g,'0-9/]+)\+")
_ORNAMENTS = re.compile(
    r'"[^"]*"?'  # chord symbols and annotations
    r"|\{[^}]*\}?"  # grace notes
    r"|![A-Za-z0-9.()<>^+]+!"  # decorations such as !trill!
    r"|\+[A-Za-z.]+\+"  # the same in an older dialect
)
_TOKEN = re.compile(
    r"\[(?P<field>[A-Za-z]):(?P<value>[^\]]*)\]"
    r"|(?P<tuplet>\(\d(?::\d*){0,2})"
    r"|(?P<chord>\[[\s^_=A-Ga-gz,'0-9/-]*[A-Ga-gz][\s^_=A-Ga-gz,'0-9/-]*\][0-9/]*)"
    r"|(?P<bar>(?:[:|\]]|\[(?=[\d|:\]\s]|$))+)(?P<endings>\s*\d[\d,-]*)?"
    r"|(?P<note>[\^_=]*[A-Ga-gzx][,']*[0-9/]*)"
    r"|(?P<mark>[<>]+|-)"
    r"|(?P<overlay>&)"
    r"|(?P<other>.)",
    re.DOTALL,
)


@dataclasses.dataclass(frozen=True)
class AbcTune:
    """One tune of an ABC book: its number, its title and its own text."""

    number: str
    title: str
    text: str


@dataclasses.dataclass(frozen=True)
class _Bar:
    """A bar line: how often what precedes and follows is repeated, and which ending begins."""

    backward: int = 0
    forward: int = 0
    is_section: bool = False
    endings: frozenset[int] = frozenset()


@dataclasses.dataclass
class _Measure:
    """What stands between two bar lines; fields are M, L and K as they hold at its two ends."""

    bar: _Bar
    fields: dict[str, str]
    text: str = ""
    fields_after: dict[str, str] = dataclasses.field(default_factory=dict)


def split_book(text: str) -> list[AbcTune]:
    """Returns the tunes of an ABC book; fields before its first tune hold for every tune."""
    parts = re.split(r"(?m)^(?=X:)", text.lstrip("\ufeff").replace("\r\n", "\n"))
    defaults = ""
    if len(parts) > 1 and not parts[0].startswith("X:"):
        lines = parts.pop(0).splitlines()
        defaults = "".join(f"{line}\n" for line in lines if re.match("[MLK]:", line))
    tunes = []
    for part in parts:
        number = re.match(r"X:\s*(\S*)", part)
        title = re.search(r"(?m)^T:\s*(.*?)\s*$", part)
        tunes.append(
            AbcTune(
                number=number.group(1) if number else "",
                title=title.group(1) if title else "",
                text=defaults + part,
            )
        )
    return tunes


def plain_voices(tune: str) -> list[str]:
    """Returns every voice of a tune as plain, linear ABC text.

    Raises:
        RejectedError: if the tune uses what cannot be written out plainly.
    """
    header: list[str] = []
    voices: dict[str, list[str]] = {}
    voice = ""
    in_header = True
    for line, field in _lines(tune):
        if field and field.group(1) == "V":
            if not in_header:
                voice = field.group(2).split(maxsplit=1)[0] if field.group(2) else ""
        elif field and in_header:
            header.append(f"[{line}]")
            in_header = field.group(1) != "K"
        else:
            in_header = False
            line = f"[{line}]" if field else line.rstrip("\\")
            voices.setdefault(voice, list(header)).append(line)
    return [_plain_voice("\n".join(lines)) for lines in voices.values()]


def _lines(tune: str) -> Iterator[tuple[str, re.Match | None]]:
    """Yields the music and the fields M, L, K and V of a tune, a field with its match."""
    has_music = False
    for raw_line in tune.splitlines():
        # A blank line ends a tune; remarks about it may follow.
        if has_music and not raw_line.strip():
            return
        for line in _INLINE_VOICE.sub(r"\nV:\1\n", raw_line.split("%")[0]).split("\n"):
            line = line.strip()
            field = _FIELD.match(line)
            if line and (not field or field.group(1) in "MLKV"):
                has_music = has_music or not field
                yield line, field


def _plain_voice(music: str) -> str:
    measures, last_bar = _measures(music)
    lines = ["X:1"]
    current: dict[str, str] = {}
    for index in _play_order([*(m.bar for m in measures), last_bar]):
        measure = measures[index]
        # K comes last: it ends an ABC header.
        changed = [k for k in "MLK" if measure.fields.get(k) != current.get(k)]
        lines += [f"{k}:{measure.fields[k]}" for k in changed if k in measure.fields]
        lines.append(f"{measure.text.strip()} |")
        current = measure.fields_after
    return "\n".join(lines) + "\n"


def _measures(music: str) -> tuple[list[_Measure], _Bar]:
    """Returns the measures of a voice and the bar line that ends it."""
    fields = {"K": "C"}
    music = _ORNAMENTS.sub("", _OLD_CHORD.sub(r"[\1]", music))
    measures: list[_Measure] = []
    measure = _Measure(_Bar(), {})
    has_notes = False
    for token in _TOKEN.finditer(music):
        kind = token.lastgroup
        if kind == "value":
            letter, value = token["field"], _plain_field(token["field"], token["value"])
            if value is not None:
                fields[letter] = value
                if has_notes:
                    measure.text += f"\n{letter}:{value}\n"
        elif kind in ("bar", "endings"):
            if has_notes:
                measure.fields_after = dict(fields)
                measures.append(measure)
                measure = _Measure(_parse_bar(token["bar"], token["endings"]), {})
                has_notes = False
            else:
                measure.bar = _merge(measure.bar, _parse_bar(token["bar"], token["endings"]))
        elif kind == "overlay":
            raise errors.RejectedError("unreadable abc", "voice overlay")
        elif kind != "other":
            if not has_notes:
                fields.setdefault("L", _default_length(fields.get("M")))
                measure.fields = dict(fields)
                has_notes = True
            # x is a rest that is not printed.
            measure.text += token.group().replace("x", "z")
        elif measure.text and not measure.text.endswith((" ", "\n")):
            measure.text += " " if token.group().isspace() else ""
    if not has_notes:
        return measures, measure.bar
    measure.fields_after = dict(fields)
    return [*measures, measure], _Bar()


def _parse_bar(symbols: str, endings: str | None) -> _Bar:
    if "|" in symbols:
        backward = len(symbols) - len(symbols.lstrip(":"))
        forward = len(symbols) - len(symbols.rstrip(":"))
    else:
        backward = forward = symbols.count(":") // 2
    if max(backward, forward) >= _MAX_PLAYS:
        raise errors.RejectedError("unreadable abc", f"repeat of {backward + 1} times")
    lines = symbols.replace(":", "")
    # "[1" begins an ending and is no section of its own.
    if endings:
        lines = lines.removesuffix("[")
    return _Bar(backward, forward, len(lines) > 1, _parse_endings(endings))


def _parse_endings(endings: str | None) -> frozenset[int]:
    numbers: set[int] = set()
    for part in (endings or "").strip().split(","):
        first, _, last = part.partition("-")
        if first:
            numbers.update(range(int(first[:2]), int(last[:2] or first[:2]) + 1))
    return frozenset(numbers)


def _merge(first: _Bar, second: _Bar) -> _Bar:
    """Returns two bar lines with nothing between them as one."""
    return _Bar(
        max(first.backward, second.backward),
        max(first.forward, second.forward),
        first.is_section or second.is_section,
        first.endings | second.endings,
    )


def _play_order(bars: list[_Bar]) -> list[int]:
    """Returns the measures in the order they are played; bars[i] stands before measure i."""
    order: list[int] = []
    section = 0  # where a backward repeat goes
    is_explicit = False  # whether the section began with a forward repeat
    in_ending = False
    play = 1
    index = 0
    while True:
        bar = bars[index]
        if bar.backward and (play <= bar.backward or play + 1 in bar.endings):
            play += 1
            index = section
            in_ending = False
        else:
            if bar.backward or bar.forward or (bar.is_section and (in_ending or not is_explicit)):
                section, play, in_ending = index, 1, False
                is_explicit = bar.forward > 0
            if index == len(bars) - 1:
                return order
            if bar.endings:
                index = _ending(bars, index, play)
                in_ending = True
        order.append(index)
        index += 1


def _ending(bars: list[_Bar], index: int, play: int) -> int:
    """Returns the measure where the ending for this play begins, seen from any of the endings."""
    if play in bars[index].endings:
        return index
    for later in range(index + 1, len(bars) - 1):
        if play in bars[later].endings:
            return later
        if bars[later].forward:
            break
    return index


def _default_length(meter: str | None) -> str:
    if meter in (None, "C", "C|"):
        return "1/8"
    numerator, denominator = meter.split("/")
    return "1/16" if int(numerator) / int(denominator) < 0.75 else "1/8"


def _plain_field(letter: str, value: str) -> str | None:
    """Returns a field's value as all parsers read it, None for a field that says nothing."""
    value = value.strip()
    if letter == "M":
        fraction = re.search(r"([\d+]*\d)\)?\s*/\s*(\d+)", value)
        if fraction and int(fraction.group(2)):
            return f"{sum(int(n) for n in fraction.group(1).split('+') if n)}/{fraction.group(2)}"
        return value if value in ("C", "C|") else None
    if letter == "L":
        fraction = re.fullmatch(r"(\d+)\s*/\s*(\d+)", value)
        return f"{fraction.group(1)}/{fraction.group(2)}" if fraction else None
    return _plain_key(value) if letter == "K" else None


def _plain_key(value: str) -> str:
    """Returns the major key of the same signature: parsers differ in the modes they know."""
    if value.upper().startswith("HP"):
        return "D"
    key = re.match(r"([A-G])([#b]?)\s*([A-Za-z]*)", value)
    if not key:
        return "C"
    rest = re.sub(r"\b\w{3,}=\S+", "", value[key.end() :])  # such as clef=treble
    if re.search(r"[\^_=][A-Ga-g]", rest):
        raise errors.RejectedError("unreadable abc", "accidentals listed in the key")
    tonic, accidental, mode = key.groups()
    sharps = "FCGDAEB".index(tonic) - 1 + {"": 0, "#": 7, "b": -7}[accidental]
    sharps += _MODE_SHARPS.get(mode[:3].lower(), 0)
    if not -7 <= sharps <= 7:
        raise errors.RejectedError("unreadable abc", f"key {value}")
    return _MAJOR_KEYS[sharps + 7]

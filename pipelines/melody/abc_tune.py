"""Reading of one ABC tune: its voices, with their parts in the order in which they are played."""

import re
from collections.abc import Iterable, Iterator

from pipelines.melody import abc_book
from pipelines.melody.abc_music import VoiceReader
from pipelines.melody.play_order import Mark, play_order, share
from pipelines.melody.score import Bar, Part, perform
from rl_tuner.datasets.writer import RejectedError

_MAX_PARTS = 1_000
_WHOLE = ""


def read_tune(tune: str) -> list[Part]:
    """Return the notes of each voice of a tune, without percussion.

    Raises:
        RejectedError: if the tune contains something that cannot be read.
    """
    header, order, percussion, voices = _sort_lines(abc_book.music_lines(tune))
    written = []  # for each voice, part -> its bars and marks
    for name, segments in voices.items():
        if name not in percussion:
            reader = VoiceReader(header)
            written.append({part: reader.read(lines) for part, lines in segments.items()})
    played = [_in_order(voice, order) for voice in _play(written)]
    return [perform(bars) for bars in played]


def _play(
    written: list[dict[str, tuple[list[Bar], list[Mark]]]],
) -> list[dict[str, list[Bar]]]:
    """Return the bars of each voice and part in the order of play."""
    played: list[dict[str, list[Bar]]] = [{} for _ in written]
    for part in dict.fromkeys(part for voice in written for part in voice):
        holders = [i for i, voice in enumerate(written) if part in voice]
        marks = share([written[i][part][1] for i in holders])
        for i, own in zip(holders, marks):
            bars = written[i][part][0]
            played[i][part] = [bars[index] for index in play_order(own)]
    return played


def _in_order(parts: dict[str, list[Bar]], order: list[str]) -> Iterator[Bar]:
    """Yield the bars of a voice, with its parts in the order of the header or else as written."""
    names = [part for part in order if part in parts] or list(parts)
    if _WHOLE in parts and _WHOLE not in names:
        names.insert(0, _WHOLE)
    return (bar for part in names for bar in parts[part])


def _sort_lines(
    lines: Iterable[abc_book.Line],
) -> tuple[list[abc_book.Line], list[str], set[str], dict[str, dict[str, list[abc_book.Line]]]]:
    """Return the header's fields, the order of parts, percussion, and voice -> part -> lines."""
    header: list[abc_book.Line] = []
    order: list[str] = []
    percussion: set[str] = set()
    voices: dict[str, dict[str, list[abc_book.Line]]] = {}
    voice, part = "", _WHOLE
    in_header = True
    for line in lines:
        if line.field == "V":
            name, _, properties = line.text.partition(" ")
            voice = voice if in_header else name
            if "perc" in properties:
                percussion.add(name)
        elif line.field == "P":
            if in_header:
                order = _parse_order(line.text)
            elif order:
                part = line.text[:1]
        elif line.field and (in_header or (not voices and not voice)):
            # A field before all music applies to every voice.
            header.append(line)
            in_header = in_header and line.field != "K"
        else:
            in_header = False
            voices.setdefault(voice, {}).setdefault(part, []).append(line)
    return header, order, percussion, voices


def _parse_order(text: str) -> list[str]:
    """Return the parts in an order such as "A(AB)2C3" or "A.B.A"; empty if the text is not an order.

    Raises:
        RejectedError: if the order has too many parts.
    """
    text = re.sub(r"[\s.,\"]", "", text)
    if not re.fullmatch(r"[A-Z()\d]+", text) or len(re.findall("[A-Z]", text)) < 1:
        return []
    groups: list[list[str]] = [[]]
    last: list[str] = []  # the parts that a number repeats
    for token in re.findall(r"[A-Z()]|\d+", text):
        if token == "(":
            groups.append([])
            last = []
        elif token == ")":
            if len(groups) == 1:
                return []
            last = groups.pop()
            groups[-1] = groups[-1] + last
        elif token.isdigit():
            groups[-1] = groups[-1] + last * (min(int(token), _MAX_PARTS) - 1)
        else:
            last = [token]
            groups[-1] = groups[-1] + last
        if len(groups[-1]) > _MAX_PARTS:
            raise RejectedError("too long", f"more than {_MAX_PARTS} parts as played")
    return groups[0] if len(groups) == 1 else []

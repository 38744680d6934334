"""The text of one ABC tune to what its voices play: voices kept apart, parts in their order."""

import re
from collections.abc import Iterable

from pipelines.melody import abc_book
from pipelines.melody.abc_music import VoiceReader
from pipelines.melody.play_order import play_order
from pipelines.melody.score import Bar, Part, perform
from rl_tuner.datasets.writer import RejectedError

_MAX_PARTS = 1_000
_WHOLE = ""


def read_tune(tune: str) -> list[Part]:
    """Returns what each voice of a tune plays; percussion is left out.

    Raises:
        RejectedError: if the tune uses what cannot be read.
    """
    header, order, percussion, voices = _sort_lines(abc_book.music_lines(tune))
    played = []
    for name, segments in voices.items():
        if name in percussion:
            continue
        reader = VoiceReader(header)
        bars: dict[str, list[Bar]] = {}
        for part, lines in segments.items():
            written, marks = reader.read(lines)
            bars[part] = [written[i] for i in play_order(marks)]
        names = [part for part in order if part in bars] or list(bars)
        if _WHOLE in bars and _WHOLE not in names:
            names.insert(0, _WHOLE)
        played.append(perform(bar for part in names for bar in bars[part]))
    return played


def _sort_lines(
    lines: Iterable[abc_book.Line],
) -> tuple[list[abc_book.Line], list[str], set[str], dict[str, dict[str, list[abc_book.Line]]]]:
    """Returns the header's fields, the order of parts, percussion, and voice -> part -> lines."""
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
            # A field before all music holds for every voice.
            header.append(line)
            in_header = in_header and line.field != "K"
        else:
            in_header = False
            voices.setdefault(voice, {}).setdefault(part, []).append(line)
    return header, order, percussion, voices


def _parse_order(text: str) -> list[str]:
    """Returns the parts that an order such as "A(AB)2C3" or "A.B.A" plays; none if it is no order.

    Raises:
        RejectedError: if more parts are played than any tune has.
    """
    text = re.sub(r"[\s.,\"]", "", text)
    if not re.fullmatch(r"[A-Z()\d]+", text) or len(re.findall("[A-Z]", text)) < 1:
        return []
    groups: list[list[str]] = [[]]
    last: list[str] = []  # what a number repeats
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

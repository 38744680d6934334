"""Splitting of ABC books into tunes, and of tunes into lines of music.

Books mix music with prose: typeset text, HTML of scraped pages, remarks between tunes.
"""

import dataclasses
import re
from collections.abc import Iterator

_TEXT_BLOCK = re.compile(r"(?ms)^%%begin(\w+).*?^%%end\1[^\n]*")
_HTML_LINE = re.compile(r"(?mi)^[ \t]*(?:<[/!]?[a-z][^<>\n]*>[ \t]*)+$\n?")
_HTML_TAG = re.compile(r"(?i)</[a-z]+\s*>|<(?:br|p|pre|hr)\s*/?>")
_HTML_NAMES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&nbsp;": " "}
_HTML_NAME = re.compile("|".join(_HTML_NAMES))
_FIELD = re.compile(r"([A-Za-z+]):(?![|:])[ \t]*(.*)")
_TUNE_START = re.compile(r"(?m)^[ \t]*(?=X:)")
_INLINE = re.compile(r"\[([VP]:[^\]\n]*)\]")
_NOT_IN_MUSIC = frozenset("hijklmnopqrstwIJKNQRUVWY")


@dataclasses.dataclass(frozen=True)
class AbcTune:
    """One tune of an ABC book: its number, its title and its text."""

    number: str
    title: str
    text: str


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of music, or a field with its letter."""

    text: str
    field: str = ""


def split_book(text: str) -> list[AbcTune]:
    """Return the tunes of an ABC book; fields before its first tune apply to every tune."""
    parts = _TUNE_START.split(_HTML_LINE.sub("", _TEXT_BLOCK.sub("", text)))
    defaults = ""
    if len(parts) > 1 and not parts[0].startswith("X:"):
        lines = parts.pop(0).splitlines()
        defaults = "".join(f"{line}\n" for line in lines if re.match("[MLK]:", line))
    elif len(parts) == 1 and not parts[0].startswith("X:"):
        parts = _split_at_headers(parts[0])
    tunes = []
    for part in parts:
        number = re.match(r"X:\s*(\S*)", part)
        title = re.search(r"(?m)^T:[ \t]*(.*?)\s*$", part)
        tunes.append(
            AbcTune(
                number=number.group(1) if number else "",
                title=title.group(1) if title else "",
                text=defaults + part,
            )
        )
    return tunes


def _split_at_headers(text: str) -> list[str]:
    """Return the tunes of a book without numbers: every header after a blank line begins a tune."""
    parts: list[list[str]] = [[]]
    has_music = False
    after_blank = False
    for line in text.split("\n"):
        field = _FIELD.match(line)
        if field and after_blank and has_music and field[1] in "TMLKCRSOZN":
            parts.append([])
            has_music = False
        has_music = has_music or bool(line.strip() and not field and not line.startswith("%"))
        after_blank = not line.strip()
        parts[-1].append(line)
    return ["\n".join(part) for part in parts]


def music_lines(tune: str) -> Iterator[Line]:
    """Yield the music and the fields M, L, K, P and V of a tune, without comments and prose."""
    tune = _HTML_NAME.sub(lambda match: _HTML_NAMES[match[0]], _HTML_TAG.sub("", tune))
    header_is_over = not re.search(r"(?m)^[ \t]*K:", tune)
    has_music = False
    for raw_line in tune.splitlines():
        # A blank line ends a tune; remarks about it may follow.
        if has_music and not raw_line.strip():
            return
        for text in _INLINE.sub(r"\n\1\n", _without_comment(raw_line)).split("\n"):
            line = text.strip()
            field = _FIELD.match(line)
            if field:
                header_is_over = header_is_over or field[1] == "K"
                if field[1] in "MLKPV":
                    yield Line(field[2].strip(), field[1])
            elif line and (header_is_over or "|" in line) and not _is_prose(line):
                header_is_over = has_music = True
                yield Line(line.rstrip("\\"))


def _without_comment(line: str) -> str:
    return line.split("%", 1)[0]


def _is_prose(line: str) -> bool:
    """Return whether a line has no bar lines and many letters that do not occur in music."""
    if "|" in line or '"' in line or "!" in line:
        return False
    letters = [letter for letter in line if letter.isalpha()]
    strange = sum(letter in _NOT_IN_MUSIC for letter in letters)
    return strange >= 3 and 4 * strange >= len(letters)

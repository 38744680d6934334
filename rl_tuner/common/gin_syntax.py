"""Sentences about gin that cannot be read: what is wrong, and how it is written."""

from __future__ import annotations

import re
from collections.abc import Container

_STRING_OR_COMMENT = re.compile(r"'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"|#[^\n]*")
# A word that is not a name such as Psi in @Psi(), the key of a binding or a part of a number.
_BARE = re.compile(r"(?<![@%\w./~:-])[A-Za-z_./~][\w./:~-]*(?!\s*=)")
_BINDING = re.compile(r"^\s*[\w./]+\s*=", re.MULTILINE)
_COLON = re.compile(r"^([\w./]+\.\w+)\s*:\s*(\S.*)$")
_INCLUDE = re.compile(r"^include\s+([\w./~-]+)$")
_CLOSING = {"[": "]", "(": ")", "{": "}"}
_WORDS = {"True", "False", "None"}
_FORM = "a binding has the form NAME.setting = value"


def explain(text: str, line: int | None, names: Container[str]) -> tuple[int, str]:
    """Return the number of the line that gin cannot read, and what is wrong with it.

    Args:
        text: the text.
        line: number of the line, if gin tells it.
        names: the names of configurables.
    """
    plain = _STRING_OR_COMMENT.sub(_blanks, text)
    lines = text.splitlines() or [""]
    for number, shown in enumerate(plain.splitlines(), start=1):
        for quote in "'\"":
            if quote in shown:
                return number, f"a string is not closed: {lines[number - 1].strip()}; add {quote}"
    if (opened := _unclosed(plain)) is not None:
        number = text.count("\n", 0, opened) + 1
        bracket = plain[opened]
        shown = lines[number - 1].strip()
        return number, f"a {bracket} is not closed: {shown}; add {_CLOSING[bracket]}"
    number = line or _line_of_bare_word(plain)
    shown = lines[number - 1].strip() if number <= len(lines) else ""
    return number, _about_line(shown, names)


def _about_line(line: str, names: Container[str]) -> str:
    if colon := _COLON.match(line):
        return f"a setting is bound with =: {colon[1]} = {colon[2]}"
    if include := _INCLUDE.match(line):
        return f"a string needs quotes: include '{include[1]}'"
    plain = _STRING_OR_COMMENT.sub(_blanks, line)
    start = plain.find("=") + 1
    # Only a value may go on in another line, and it ends with a comma or a bracket.
    if not start and not plain.rstrip().endswith((",", "]", ")", "}")):
        return f"gin cannot read {line!r}; {_FORM}"
    for word in _bare_words(plain, start):
        before, found, after = line[: word.start()], word[0], line[word.end() :]
        if found in names:
            return f"an object needs @ and (): {before}@{found}(){after}"
        if start and not line[start : word.start()].strip():
            # The value is a text, which may contain blanks.
            found, after = line[word.start() : len(plain.rstrip())], line[len(plain.rstrip()) :]
        return f"a string needs quotes: {before}'{found}'{after}"
    return f"gin cannot read {line!r}; {_FORM}, such as tune.steps = 1_000 or job.prior = 'priors/mine'"


def _bare_words(plain: str, start: int) -> list[re.Match[str]]:
    return [word for word in _BARE.finditer(plain, start) if word[0] not in _WORDS]


def _line_of_bare_word(plain: str) -> int:
    """Return the line of the first word that should be in quotes; 1 if there is none."""
    for binding in _BINDING.finditer(plain):
        end = plain.find("\n", binding.end())
        if _bare_words(plain[: end if end >= 0 else None], binding.end()):
            return plain.count("\n", 0, binding.start() + 1) + 1
    return 1


def _unclosed(plain: str) -> int | None:
    """Return the place of the first bracket that is never closed."""
    opened = []
    for place, character in enumerate(plain):
        if character in _CLOSING:
            opened.append(place)
        elif opened and character == _CLOSING[plain[opened[-1]]]:
            opened.pop()
    return opened[0] if opened else None


def _blanks(match: re.Match[str]) -> str:
    return " " * len(match[0])

"""Removal of ABC code that does not sound: chord symbols, grace notes and decorations.

Signs that determine the order in which bars are played become tokens such as "§fine;".
"""

import re

_SPACED_LENGTH = re.compile(r"(?<=[A-Ga-gzx,'])[ \t]+(?=[\d/])")
_ORNAMENTS = re.compile(
    r'"(?P<text>[^"\n]*)"|"[^\s|]*'  # chord symbols and annotations, also unclosed ones
    r"|\{[^}|\n]*\}?"  # grace notes
    r"|!(?P<name>[^\s!|\"\[\]]{1,24}|D\.[CS]\. al (?:fine|coda))!"  # decorations such as !trill!
    r"|\+(?P<chord>[\^_=A-Ga-g,'0-9/]+)\+"  # a chord in an older dialect
    r"|\+[A-Za-z.]+\+"  # a decoration in that dialect
    r"|(?<![A-Za-z])(?P<letter>[SO])(?=[\s\[(\^_=]*[A-Ga-gzx|])"  # short for segno and coda
)
# Names of the signs that change the order of play.
_PLAYS = {
    "segno": "segno",
    "S": "segno",
    "coda": "coda",
    "O": "coda",
    "dacoda": "tocoda",
    "fine": "fine",
    "d.c.": "capo",
    "dacapo": "capo",
    "d.s.": "dalsegno",
    "dalsegno": "dalsegno",
}
_WORDS = [
    (re.compile(r"(?:d\.? ?c|da capo)(?:\.? al .*)?"), "capo"),
    (re.compile(r"(?:d\.? ?s|dal segno)(?:\.? al .*)?"), "dalsegno"),
    (re.compile("fine|end"), "fine"),
    (re.compile("segno"), "segno"),
    (re.compile("to coda"), "tocoda"),
    (re.compile("coda"), "coda"),
]


def plain(music: str) -> str:
    """Return music without code that does not sound; signs that change the order become tokens."""
    music = _SPACED_LENGTH.sub("", _ORNAMENTS.sub(_sign, music.replace("§", "")))
    # A da capo without a fine or coda only means that dancers may start over.
    has_end = re.search("§(?:fine|coda);", music)
    return music if has_end else re.sub("§[a-z]+;", "", music)


def _sign(ornament: re.Match) -> str:
    """Return the token of a decoration or annotation; "" if it does not change the order of play."""
    if ornament["chord"]:
        return f"[{ornament['chord']}]"
    name = ornament["name"] or ornament["letter"]
    if name:
        # "D.C. al fine" is a da capo; the fine has its own sign.
        key = name if len(name) == 1 else re.sub(r"^(d\.[cs]\.).*", r"\1", name.lower())
        return f"§{_PLAYS[key]};" if key in _PLAYS else ""
    words = (ornament["text"] or "").strip("^_<>@(). ").lower()
    for pattern, play in _WORDS:
        if pattern.fullmatch(words):
            return f"§{play};"
    return ""

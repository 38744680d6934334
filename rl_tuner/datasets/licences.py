"""Licences of the collections that can be named instead of files."""

from collections.abc import Iterable

_MUSIC21 = "the tunes are in the public domain; the collection is under music21's corpus licence"
LICENCES = {
    "music21:airdsAirs": _MUSIC21,
    "music21:oneills1850": _MUSIC21,
    "music21:ryansMammoth": _MUSIC21,
    "builtin:nci": "a public-domain set of the US National Cancer Institute, as shipped in RDKit's wheel"
    " under the BSD licence",
}


def known_licences(sources: Iterable[str]) -> dict[str, str]:
    """Return the licence of each source for which it is known."""
    return {source: LICENCES[source] for source in sources if source in LICENCES}

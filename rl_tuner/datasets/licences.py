"""What is known of the licences of collections that can be named instead of files."""

from collections.abc import Iterable

_MUSIC21 = "the tunes are in the public domain; the collection comes under music21's corpus licence"
LICENCES = {
    "music21:airdsAirs": _MUSIC21,
    "music21:oneills1850": _MUSIC21,
    "music21:ryansMammoth": _MUSIC21,
    "builtin:nci": "a public-domain set of the US National Cancer Institute, as shipped in RDKit's wheel"
    " under the BSD licence",
}


def known_licences(sources: Iterable[str]) -> dict[str, str]:
    """Return what is known of the licence of each source; a source without an entry is unknown."""
    return {source: LICENCES[source] for source in sources if source in LICENCES}

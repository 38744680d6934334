"""Keys of tunes: that of the file, or else the one whose profile fits the notes best.

The profiles are those of Krumhansl and Kessler (1982): how well each pitch class fits a major or minor key.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rl_tuner.tasks.melody.key import FLAT_NAMES, MODES

if TYPE_CHECKING:
    import note_seq

TRANSPOSE_CHOICES = ("major", "relative", "mode", "none")
UNSTATED = ""

# The pitch class of the tonic, and the mode, one of `MODES` or UNSTATED.
KeyName = tuple[int, str]

_PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
_SIGNATURE_MODES = {"NOT_SPECIFIED": UNSTATED}


def name_of(key: KeyName) -> str:
    """Return a key as text, such as "Bb minor"."""
    return f"{FLAT_NAMES[key[0]]} {key[1]}"


def key_of_signature(fifths: int, mode: str) -> KeyName:
    """Return the key of a signature of sharps (above 0) or flats (below 0); the mode may be UNSTATED."""
    return (fifths * 7 + MODES.get(mode, 0)) % 12, mode if mode in MODES else UNSTATED


def find_key(durations: Sequence[float], among: Iterable[KeyName] = ()) -> KeyName:
    """Return the key whose profile correlates best with the notes.

    Args:
        durations: The total duration of each of the 12 pitch classes.
        among: The keys to choose from; all major and minor keys by default.
    """
    candidates = list(among) or list(itertools.product(range(12), _PROFILES))

    def fit(key: KeyName) -> float:
        tonic, mode = key
        turned = [durations[(tonic + i) % 12] for i in range(12)]
        return _correlation(turned, _PROFILES[mode])

    return max(candidates, key=fit)


def _correlation(left: Sequence[float], right: Sequence[float]) -> float:
    centred = [[x - sum(values) / len(values) for x in values] for values in (left, right)]
    product = sum(a * b for a, b in zip(*centred, strict=True))
    size = math.prod(math.sqrt(sum(x * x for x in values)) for values in centred)
    return product / size if size else 0.0


def signatures_of(sequence: "note_seq.NoteSequence") -> list[tuple[float, KeyName]]:
    """Return the times in seconds and keys of the key signatures of a sequence, sorted by time."""
    found = []
    for signature in sorted(sequence.key_signatures, key=lambda s: s.time):
        mode = type(signature).Mode.Name(signature.mode)
        found.append((signature.time, (signature.key, _SIGNATURE_MODES.get(mode, mode.lower()))))
    return found


def choose(stated: KeyName | None, durations: Sequence[float]) -> KeyName:
    """Return the key of a melody: the one stated, with its mode found if only the signature is known."""
    if stated is None:
        return find_key(durations)
    tonic, mode = stated
    if mode != UNSTATED:
        return stated
    return find_key(durations, [(tonic, "major"), ((tonic + MODES["minor"]) % 12, "minor")])


def target_tonic(mode: str, transpose: str) -> int:
    """Return the pitch class to which the tonic of a mode is transposed by 'relative' or 'mode'."""
    return MODES[mode] if transpose == "relative" else 0

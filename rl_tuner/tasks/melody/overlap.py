"""How much melodies sound like a corpus: overlaps of the histograms of their notes.

After Yang and Lerch (2020), "On the evaluation of generative models in music": the histograms of pitch
classes, intervals, note lengths and transitions of note lengths. Here they are those of whole sets, and the
overlap is the sum over bins of the smaller share: 1 for equal histograms, 0 for disjoint ones.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from rl_tuner.common.figures import new_figure
from rl_tuner.tasks.melody.encoding import NO_EVENT, NUM_SPECIAL_CLASSES
from rl_tuner.tasks.melody.grid import Grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEATURES = {
    "pitch_class": "pitch classes",
    "interval": "intervals",
    "note_length": "note lengths",
    "length_transition": "transitions of note lengths",
}
_BLOCK = 4096  # tunes, an even number
_WIDEST = 24  # semitones; wider intervals count as this

Histograms = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Tally:
    """What was counted in a set of melodies.

    Attributes:
        melodies: how many there are.
        counts: how often each bin occurs, for each of `FEATURES`.
    """

    melodies: int
    counts: Histograms

    def __add__(self, other: Tally) -> Tally:
        """Return what was counted in both sets together."""
        counts = {name: self.counts[name] + other.counts[name] for name in FEATURES}
        return Tally(self.melodies + other.melodies, counts)

    def shares(self) -> Histograms:
        """Return the share of each bin, for each of `FEATURES`; zeros for a feature without values."""
        return {name: found / max(1, found.sum()) for name, found in self.counts.items()}


def histograms(melodies: np.ndarray, grid: Grid) -> Histograms:
    """Return `Tally.shares` of melodies."""
    return tally(melodies, grid).shares()


def tally(melodies: np.ndarray, grid: Grid) -> Tally:
    """Count the bins of melodies.

    Intervals and transitions are those between notes that follow one another in a melody. Lengths are in
    steps; those above a bar count as one step more than a bar.

    Args:
        melodies: integer `[N, T]`.
        grid: steps and range.
    """
    melodies = np.asarray(melodies)
    rows, steps = np.nonzero(melodies != NO_EVENT)
    classes = melodies[rows, steps]
    is_next = np.append(rows[1:] == rows[:-1], False)
    ends = np.where(is_next, np.append(steps[1:], 0), melodies.shape[1])
    notes = classes >= NUM_SPECIAL_CLASSES
    rows, classes, lengths = rows[notes], classes[notes], (ends - steps)[notes]
    pitches = classes + grid.pitch_offset
    longest = grid.steps_per_bar + 1
    lengths = np.minimum(lengths, longest)
    follows = rows[1:] == rows[:-1]
    intervals = np.clip(np.diff(pitches)[follows], -_WIDEST, _WIDEST) + _WIDEST
    transitions = (lengths[:-1] * (longest + 1) + lengths[1:])[follows]
    sizes = 12, 2 * _WIDEST + 1, longest + 1, (longest + 1) ** 2
    values = pitches % 12, intervals, lengths, transitions
    counted = (np.bincount(found, minlength=size) for found, size in zip(values, sizes))
    return Tally(len(melodies), dict(zip(FEATURES, counted, strict=True)))


def overlaps(left: Histograms, right: Histograms) -> dict[str, float]:
    """Return the overlap of two sets' histograms, for each of `FEATURES`."""
    return {name: float(np.minimum(left[name], right[name]).sum()) for name in FEATURES}


def excerpts(corpus: Iterable[np.ndarray], length: int) -> np.ndarray:
    """Return the corpus in pieces of `length` steps, `[N, length]`; a shorter rest is left out."""
    found = []
    for tune in corpus:
        tune = np.asarray(tune)
        count = len(tune) // length
        found.append(tune[: count * length].reshape(count, length))
    return np.concatenate(found) if found else np.zeros([0, length], int)


def halves_of(corpus: Iterable[np.ndarray], length: int, grid: Grid) -> tuple[Tally, Tally]:
    """Count the bins of a corpus' excerpts of `length` steps; every other tune is in one half.

    The corpus is read in blocks of tunes, so that it need not fit into memory.
    """
    halves = [tally(np.zeros([0, length], int), grid) for _ in range(2)]
    tunes = iter(corpus)
    while block := list(itertools.islice(tunes, _BLOCK)):
        for i in range(2):
            halves[i] += tally(excerpts(block[i::2], length), grid)
    return halves[0], halves[1]


def with_corpus(
    melodies: np.ndarray, corpus: Iterable[np.ndarray] | None, grid: Grid
) -> dict[str, float | None]:
    """Return `overlap_NAME` of melodies with a corpus, and `ceiling_NAME` of the corpus' two halves.

    See `halves_of`: no set of melodies can be expected to be nearer to a corpus than the corpus to itself.

    Args:
        melodies: integer `[N, T]`.
        corpus: integer arrays of rank 1; None if unknown.
        grid: steps and range.

    Returns:
        for each of `FEATURES` two numbers; None without a corpus of at least two melodies of T steps.
    """
    length = np.shape(melodies)[1]
    halves = () if corpus is None else halves_of(corpus, length, grid)
    if not halves or not all(half.melodies for half in halves):
        return {f"{kind}_{name}": None for kind in ("overlap", "ceiling") for name in FEATURES}
    whole = (halves[0] + halves[1]).shares()
    own: dict[str, float | None] = {}
    for name, value in overlaps(histograms(melodies, grid), whole).items():
        own[f"overlap_{name}"] = value
    ceiling = overlaps(halves[0].shares(), halves[1].shares())
    return own | {f"ceiling_{name}": value for name, value in ceiling.items()}


def figure(columns: Mapping[str, np.ndarray], corpus: Histograms, grid: Grid) -> Figure:
    """Draw the histograms of a corpus and of each model; the legend has the overlaps with the corpus.

    Args:
        columns: model -> integer `[N, T]`.
        corpus: histograms of the corpus.
        grid: steps and range.

    Returns:
        a matplotlib Figure without global state.
    """
    sets = {"corpus": corpus} | {name: histograms(rows, grid) for name, rows in columns.items()}
    drawn = new_figure(11, 7)
    axes = drawn.subplots(2, 2).ravel()
    for axis, (feature, title) in zip(axes, FEATURES.items()):
        largest = np.max([found[feature] for found in sets.values()], axis=0)
        bins = np.flatnonzero(largest)
        # Transitions have many bins: the commonest say most.
        bins = np.sort(bins[np.argsort(-largest[bins])][:24])
        width = 0.8 / len(sets)
        for number, (name, found) in enumerate(sets.items()):
            overlap = overlaps(found, sets["corpus"])[feature]
            label = name if name == "corpus" else f"{name}, overlap {overlap:.3f}"
            axis.bar(
                np.arange(len(bins)) + number * width, found[feature][bins], width, label=label
            )
        axis.set_xticks(np.arange(len(bins)) + 0.4 - width / 2)
        axis.set_xticklabels(
            [_bin_name(feature, int(b), grid) for b in bins], fontsize=6, rotation=90
        )
        axis.set_title(_between(title, feature, sets), fontsize=9)
        axis.legend(fontsize=7, frameon=False)
    return drawn


def _between(title: str, feature: str, sets: Mapping[str, Histograms]) -> str:
    models = [name for name in sets if name != "corpus"]
    if len(models) != 2:
        return title
    between = overlaps(sets[models[0]], sets[models[1]])[feature]
    return f"{title}; {models[0]} and {models[1]}: {between:.3f}"


def _bin_name(feature: str, number: int, grid: Grid) -> str:
    if feature == "interval":
        return f"{number - _WIDEST:+d}"
    if feature == "length_transition":
        first, second = divmod(number, grid.steps_per_bar + 2)
        return f"{first}-{second}"
    return str(number)

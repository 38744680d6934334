"""Which melodies or molecules each rater compares: balanced over pairs, order and stimuli."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

# What a random stream is for, so that no two streams are the same.
_PAIRS, _CYCLE, _WITHIN, _CHECKS = range(4)


class Comparison(NamedTuple):
    """Two stimuli by their ids, in the order in which they are shown.

    Attributes:
        first: id of the stimulus shown first.
        second: id of the other one.
        is_check: whether both are the same, to see whether the rater attends.
    """

    first: str
    second: str
    is_check: bool = False


def schedule(
    stimuli: Mapping[str, Sequence[str]], number: int, comparisons: int, checks: int, seed: int
) -> list[Comparison]:
    """Return the comparisons of one rater.

    The raters together walk through blocks of every ordered pair of models in random order, so that after
    any number of raters each ordered pair was shown equally often, up to one block. The stimuli of a model
    are used in turn; a rater meets none twice while there are enough.

    Args:
        stimuli: ids of the stimuli by model, of at least two models.
        number: number of the rater, from 0.
        comparisons: comparisons of each rater.
        checks: comparisons of a stimulus with itself beside them, at random places but the first.
        seed: the study's seed.
    """
    models = sorted(stimuli)
    begin = number * comparisons
    pairs = [_pair(models, place, seed) for place in range(begin, begin + comparisons)]
    drawn = {name: _drawn(stimuli, models, name, begin, pairs, number, seed) for name in models}
    found = [Comparison(next(drawn[one]), next(drawn[two])) for one, two in pairs]
    return _with_checks(found, stimuli, number, checks, seed)


def _ordered(models: Sequence[str]) -> list[tuple[str, str]]:
    return list(itertools.permutations(models, 2))


def _block(models: Sequence[str], block: int, seed: int) -> list[tuple[str, str]]:
    ordered = _ordered(models)
    order = np.random.default_rng([seed, _PAIRS, block]).permutation(len(ordered))
    return [ordered[index] for index in order]


def _pair(models: Sequence[str], place: int, seed: int) -> tuple[str, str]:
    """Return the ordered pair of models at one place of all comparisons of the study."""
    block, inside = divmod(place, len(_ordered(models)))
    return _block(models, block, seed)[inside]


def _drawn(
    stimuli: Mapping[str, Sequence[str]],
    models: Sequence[str],
    name: str,
    begin: int,
    pairs: Sequence[tuple[str, str]],
    number: int,
    seed: int,
) -> Iterator[str]:
    """Yield the stimuli of one model for one rater, whose pairs begin at a place."""
    block, inside = divmod(begin, len(_ordered(models)))
    before = sum(name in pair for pair in _block(models, block, seed)[:inside])
    # Each block shows a model twice with every other one.
    used = block * 2 * (len(models) - 1) + before
    ids = stimuli[name]
    turn = np.random.default_rng([seed, _CYCLE, models.index(name)]).permutation(len(ids))
    window = [ids[turn[(used + i) % len(ids)]] for i in range(sum(name in p for p in pairs))]
    # Shuffled for each rater: the same stimuli of two models must not always meet.
    rng = np.random.default_rng([seed, _WITHIN, models.index(name), number])
    yield from (window[index] for index in rng.permutation(len(window)))


def _with_checks(
    found: list[Comparison],
    stimuli: Mapping[str, Sequence[str]],
    number: int,
    checks: int,
    seed: int,
) -> list[Comparison]:
    rng = np.random.default_rng([seed, _CHECKS, number])
    met = {stimulus for comparison in found for stimulus in comparison[:2]}
    every = sorted(itertools.chain(*stimuli.values()))
    unmet = [stimulus for stimulus in every if stimulus not in met] or every
    for _ in range(checks):
        same = unmet[rng.integers(len(unmet))]
        found.insert(int(rng.integers(1, len(found) + 1)), Comparison(same, same, True))
    return found

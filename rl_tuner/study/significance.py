"""Figure 3 of the paper and its tests: times preferred, Kruskal-Wallis, Mann-Whitney with Holm's correction.

Each comparison yields two ratings, x of the second model and 6 - x of the first, so the ratings of two models
are not independent, as these tests assume when they are applied to all ratings as in the paper. Their
p-values are then too small. Beside them are p-values that hold: of H by flipping comparisons, and of U
between the ratings of the two orders in which a pair was shown, which are independent.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

_MIRROR = 6
_FLIPS = 20_000
# Flips that are evaluated at once.
_CHUNK = 1_000


class Ratings(NamedTuple):
    """N comparisons of different models.

    Attributes:
        models: names of the M models.
        first: int [N], number of the model that was shown first.
        second: int [N], number of the other model.
        rating: int [N], 1 (the first, clearly) to 5 (the second, clearly).
        rater: int [N], number of the rater, from 0 and without gaps.
    """

    models: tuple[str, ...]
    first: np.ndarray
    second: np.ndarray
    rating: np.ndarray
    rater: np.ndarray


def times_preferred(ratings: Ratings) -> dict[str, dict[str, float]]:
    """Return of each model how often it was preferred, as in the paper's Figure 3.

    `deviation` is the standard deviation of a binomial distribution with the model's share of the decided
    comparisons.
    """
    found = {}
    for number, name in enumerate(ratings.models):
        is_first, is_second = ratings.first == number, ratings.second == number
        won = (is_first & (ratings.rating < 3)) | (is_second & (ratings.rating > 3))
        involved = is_first | is_second
        decided = int(np.sum(involved & (ratings.rating != 3)))
        preferred = int(np.sum(won))
        share = preferred / decided if decided else math.nan
        found[name] = {
            "comparisons": int(np.sum(involved)),
            "decided": decided,
            "preferred": preferred,
            "deviation": math.sqrt(decided * share * (1 - share)) if decided else 0.0,
        }
    return found


def of_models(ratings: Ratings) -> list[np.ndarray]:
    """Return the ratings of each model: 5 if it was clearly preferred, 1 if the other one was."""
    return [
        np.concatenate(
            [
                _MIRROR - ratings.rating[ratings.first == number],
                ratings.rating[ratings.second == number],
            ]
        )
        for number in range(len(ratings.models))
    ]


def kruskal_wallis(ratings: Ratings, seed: int) -> dict[str, float]:
    """Test whether any model is preferred to another.

    Args:
        ratings: the ratings.
        seed: seed of the flips.

    Returns:
        `h`, `degrees`; `p_as_in_paper`, of the chi-squared distribution; and `p`, the share of random flips
        of the comparisons, each of which is as likely if nobody has a preference, with H at least as large.
    """
    groups = [group for group in of_models(ratings) if len(group)]
    degrees = len(groups) - 1
    if degrees < 1 or len(np.unique(np.concatenate(groups))) == 1:
        return {"h": 0.0, "degrees": degrees, "p": 1.0, "p_as_in_paper": 1.0}
    h, p = stats.kruskal(*groups)
    larger = sum(
        int(np.sum(flipped >= h * (1 - 1e-9))) for flipped in _flipped_statistics(ratings, seed)
    )
    return {
        "h": float(h),
        "degrees": degrees,
        "p": (1 + larger) / (1 + _FLIPS),
        "p_as_in_paper": float(p),
    }


def _flipped_statistics(ratings: Ratings, seed: int) -> Iterator[np.ndarray]:
    """Yield H of randomly flipped comparisons, float [_CHUNK] each time."""
    # A flip moves ratings between models, but there are the same ratings, and so the same ranks.
    values = np.concatenate([_MIRROR - ratings.rating, ratings.rating])
    of_first, of_second = np.split(stats.rankdata(values), 2)
    count, models = len(values), len(ratings.models)
    sizes = np.bincount(np.concatenate([ratings.first, ratings.second]), minlength=models)
    _, ties = np.unique(values, return_counts=True)
    correction = 1 - np.sum(ties**3.0 - ties) / (count**3.0 - count)
    first, second = (np.eye(models)[number] for number in (ratings.first, ratings.second))
    base = of_first @ first + of_second @ second
    change = (of_second - of_first)[:, np.newaxis] * (first - second)
    used = sizes > 0
    rng = np.random.default_rng(seed)
    for _ in range(_FLIPS // _CHUNK):
        sums = base + rng.integers(0, 2, [_CHUNK, len(change)]).astype(float) @ change
        squares = np.sum(sums[:, used] ** 2 / sizes[used], axis=1)
        yield (12 / (count * (count + 1)) * squares - 3 * (count + 1)) / correction


def mann_whitney(ratings: Ratings) -> list[dict[str, Any]]:
    """Test each pair of models.

    Returns:
        for each pair `favours`, the model with the higher ratings in their comparisons, "" for neither;
        `u` and `p` between the ratings of the two orders in which it was shown; `p_holm`, the
        same with Holm's correction; and `u_as_in_paper`, `p_as_in_paper` and `p_holm_as_in_paper` between
        all ratings of the one model and all of the other.
    """
    groups = of_models(ratings)
    found: list[dict[str, Any]] = []
    for one, two in itertools.combinations(range(len(ratings.models)), 2):
        forth = ratings.rating[(ratings.first == one) & (ratings.second == two)]
        back = ratings.rating[(ratings.first == two) & (ratings.second == one)]
        u, p = _u(back, forth)
        u_all, p_all = _u(groups[one], groups[two])
        found.append(
            {
                "pair": [ratings.models[one], ratings.models[two]],
                "favours": _favoured(ratings.models[one], ratings.models[two], forth, back),
                "comparisons": len(forth) + len(back),
                "u": u,
                "p": p,
                "u_as_in_paper": u_all,
                "p_as_in_paper": p_all,
            }
        )
    for name in ("p", "p_as_in_paper"):
        for entry, corrected in zip(found, holm([entry[name] for entry in found])):
            entry[name.replace("p", "p_holm", 1)] = corrected
    return found


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values with Holm's correction: the smallest times their number, the next times one less."""
    order = np.argsort(values, kind="stable")
    corrected = np.zeros(len(values))
    largest = 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - place) * values[index]))
        corrected[index] = largest
    return corrected.tolist()


def _u(one: np.ndarray, two: np.ndarray) -> tuple[float | None, float]:
    if not len(one) or not len(two):
        return None, 1.0
    if len(np.unique(np.concatenate([one, two]))) == 1:
        return len(one) * len(two) / 2, 1.0
    found = stats.mannwhitneyu(one, two, alternative="two-sided", method="asymptotic")
    return float(found.statistic), float(found.pvalue)


def _favoured(one: str, two: str, forth: np.ndarray, back: np.ndarray) -> str:
    towards_two = float(np.sum(forth - 3) - np.sum(back - 3))
    return "" if towards_two == 0 else (two if towards_two > 0 else one)


def table_of(rows: Sequence[Mapping[str, Any]], models: Sequence[str]) -> Ratings:
    """Return rows of `ratings.rows_of`, which are no checks, as arrays."""
    number = {name: index for index, name in enumerate(models)}
    raters = {name: index for index, name in enumerate(sorted({row["rater"] for row in rows}))}
    return Ratings(
        tuple(models),
        np.array([number[row["first_model"]] for row in rows], int),
        np.array([number[row["second_model"]] for row in rows], int),
        np.array([row["rating"] for row in rows], int),
        np.array([raters[row["rater"]] for row in rows], int),
    )

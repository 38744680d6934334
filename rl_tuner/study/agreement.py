"""Agreement between raters, and how many ratings it takes to see a preference."""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy import stats

from rl_tuner.study.significance import Ratings


def krippendorff_alpha(table: np.ndarray) -> float | None:
    """Return Krippendorff's alpha with squared differences: 1 for agreement, 0 for chance.

    Args:
        table: float [raters, units], NaN where a rater did not rate a unit.

    Returns:
        alpha (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability); None if no unit has two
        ratings, or all ratings are equal.
    """
    columns = [column[~np.isnan(column)] for column in table.T]
    columns = [column for column in columns if len(column) > 1]
    if not columns:
        return None
    values = np.concatenate(columns)

    def squares(numbers: np.ndarray) -> float:
        """Sum of squared differences over all ordered pairs."""
        return float(2 * len(numbers) * np.sum((numbers - numbers.mean()) ** 2))

    observed = sum(squares(column) / (len(column) - 1) for column in columns)
    expected = squares(values) / (len(values) - 1)
    return None if expected == 0 else 1 - observed / expected


def agreement(ratings: Ratings) -> float | None:
    """Return Krippendorff's alpha of the raters over the pairs of models.

    Two raters seldom meet the same two stimuli, so a unit is an ordered pair of models, and a rater's rating
    of it is the mean preference for its second model, -2 to 2. Both orders are units: otherwise alpha would
    depend on which model is named first.
    """
    pairs = list(itertools.combinations(range(len(ratings.models)), 2))
    table = np.full([int(ratings.rater.max(initial=-1)) + 1, len(pairs)], np.nan)
    towards = ratings.rating - 3
    for column, (one, two) in enumerate(pairs):
        forth = (ratings.first == one) & (ratings.second == two)
        back = (ratings.first == two) & (ratings.second == one)
        signed = np.where(forth, towards, -towards)
        for rater in np.unique(ratings.rater[forth | back]):
            mine = (forth | back) & (ratings.rater == rater)
            table[rater, column] = signed[mine].mean()
    return krippendorff_alpha(np.concatenate([table, -table], axis=1))


def comparisons_needed(
    share: float, level: float = 0.05, power: float = 0.8, most: int = 100_000
) -> int:
    """Return the decided comparisons of one pair with which a preference is seen.

    Args:
        share: how often the one model is preferred, above 0.5 and at most 1.
        level: p-value below which it counts as seen, in a two-sided exact binomial test.
        power: wanted probability of seeing it.
        most: where the search ends.

    Raises:
        ValueError: the share is not above 0.5, or more than `most` are needed.
    """
    if not 0.5 < share <= 1:
        raise ValueError(f"a preference must be above 0.5 and at most 1, not {share}")
    # The exact power is a saw: near the approximate answer, look for the first count that suffices.
    gap = stats.norm.ppf(1 - level / 2) * 0.5 + stats.norm.ppf(power) * math.sqrt(
        share * (1 - share)
    )
    begin = max(1, int(0.7 * (gap / (share - 0.5)) ** 2) - 10)
    for count in range(begin, most):
        # The fewest wins for which the test is significant.
        wins = stats.binom.isf(level / 2, count, 0.5) + 1
        if wins <= count and stats.binom.sf(wins - 1, count, share) >= power:
            return count
    raise ValueError(f"a preference of {share} takes more than {most} comparisons")

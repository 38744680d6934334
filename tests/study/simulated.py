"""Ratings of simulated raters with known preferences."""

import numpy as np

from rl_tuner.study.design import schedule
from rl_tuner.study.significance import Ratings, table_of


def rows(strengths, raters, comparisons, rng, rater_scale=0.0, ties=0.0, order=0.0, seed=0):
    """Rows as `ratings.rows_of` returns them, of raters who choose as Bradley and Terry say.

    A choice is stated clearly or slightly with equal probability; a share `ties` has no preference.
    """
    names = [f"m{number}" for number in range(len(strengths))]
    stimuli = {name: [f"{name}-{i}" for i in range(40)] for name in names}
    found = []
    for rater in range(raters):
        own = np.array(strengths) + rater_scale * rng.normal(size=len(strengths))
        for position, one in enumerate(schedule(stimuli, rater, comparisons, 0, seed)):
            first, second = (s.partition("-")[0] for s in one[:2])
            odds = own[names.index(second)] - own[names.index(first)] + order
            takes_second = rng.random() < 1 / (1 + np.exp(-odds))
            rating = int(rng.choice([4, 5] if takes_second else [1, 2]))
            found.append(
                {
                    "rater": rater,
                    "position": position,
                    "first_model": first,
                    "second_model": second,
                    "is_check": False,
                    "rating": 3 if rng.random() < ties else rating,
                }
            )
    return found


def ratings(strengths, *arguments, **settings) -> Ratings:
    names = [f"m{number}" for number in range(len(strengths))]
    return table_of(rows(strengths, *arguments, **settings), names)

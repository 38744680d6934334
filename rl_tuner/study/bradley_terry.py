"""Bradley-Terry: each model has a strength, and log odds of preferring one are the difference of two.

"No preference" counts as half a win of each.
"""

from __future__ import annotations

from typing import Any

import choix
import numpy as np
import scipy.sparse

from rl_tuner.study.significance import Ratings

_LEVELS = (2.5, 97.5)
_CHAINS, _WARM_UP = 4, 500
# Prior: strengths within a few units of log odds, small differences between raters, a small order effect.
_STRENGTH_SCALE, _RATER_SCALE, _ORDER_SCALE = 1.5, 0.5, 0.5
_RHAT = 1.05


def wins(ratings: Ratings) -> np.ndarray:
    """Return float [M, M]: how often the row's model was preferred to the column's."""
    found = np.zeros([len(ratings.models)] * 2)
    for_second = np.select([ratings.rating > 3, ratings.rating == 3], [1.0, 0.5], 0.0)
    np.add.at(found, (ratings.second, ratings.first), for_second)
    np.add.at(found, (ratings.first, ratings.second), 1 - for_second)
    return found


def maximum_likelihood(ratings: Ratings) -> dict[str, float] | None:
    """Return the strength of each model in log odds, with mean 0; None if the likelihood has no maximum.

    It has none if some models, taken together, never lost to the others, or were never compared with them.
    """
    counts = wins(ratings)
    parts, _ = scipy.sparse.csgraph.connected_components(counts, connection="strong")
    if parts > 1:
        return None
    # Rows of choix are winners too.
    found = choix.ilsr_pairwise_dense(counts, max_iter=10_000)
    return {name: float(value) for name, value in zip(ratings.models, found - found.mean())}


def posterior(ratings: Ratings, draws: int, seed: int) -> dict[str, Any]:
    """Return the posterior of the strengths, with strengths of each rater around those of all.

    Args:
        ratings: the ratings.
        draws: draws of each of four chains of NUTS, after 500 of warm-up.
        seed: seed of the chains.

    Returns:
        of each model `strengths`: `mean`, `low` and `high` (95%) in log odds, mean 0 over the models, and
        `best`, the probability that it is the strongest; of each pair `pairs`: the probability `preferred`
        with which a typical rater prefers the first, with `low` and `high`; `rater_scale`, the standard
        deviation of a rater's strengths, and `order`, the log odds in favour of what is shown second, with
        their intervals; `rhat`, the largest of the strengths, and `converged`, whether it is below 1.05.
    """
    from rl_tuner.study.chains import sample

    drawn = sample(ratings, draws, _CHAINS, _WARM_UP, seed, _prior_scales())
    strengths = drawn["strength"] - drawn["strength"].mean(axis=-1, keepdims=True)
    flat = strengths.reshape(-1, strengths.shape[-1])
    best = np.bincount(flat.argmax(axis=1), minlength=flat.shape[1]) / len(flat)
    rhat = max(rhat_of(strengths[..., number]) for number in range(flat.shape[1]))
    pairs = []
    for one in range(flat.shape[1]):
        for two in range(one + 1, flat.shape[1]):
            share = 1 / (1 + np.exp(flat[:, two] - flat[:, one]))
            pair = [ratings.models[one], ratings.models[two]]
            pairs.append({"pair": pair, **_summary(share, "preferred")})
    return {
        "strengths": {
            name: _summary(flat[:, number]) | {"best": float(best[number])}
            for number, name in enumerate(ratings.models)
        },
        "pairs": pairs,
        "rater_scale": _summary(drawn["rater_scale"].ravel()),
        "order": _summary(drawn["order"].ravel()),
        "rhat": rhat,
        "converged": rhat < _RHAT,
    }


def rhat_of(chains: np.ndarray) -> float:
    """Return the split R-hat of float [draws, chains] (Gelman et al. 2013, BDA3, section 11.4)."""
    half = len(chains) // 2
    parts = np.concatenate([chains[:half], chains[half : 2 * half]], axis=1)
    within = parts.var(axis=0, ddof=1).mean()
    between = half * parts.mean(axis=0).var(ddof=1)
    if within == 0:
        return 1.0
    return float(np.sqrt((half - 1) / half + between / within / half))


def _prior_scales() -> dict[str, float]:
    return {"strength": _STRENGTH_SCALE, "rater": _RATER_SCALE, "order": _ORDER_SCALE}


def _summary(values: np.ndarray, name: str = "mean") -> dict[str, float]:
    low, high = np.percentile(values, _LEVELS)
    return {name: float(values.mean()), "low": float(low), "high": float(high)}

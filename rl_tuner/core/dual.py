"""The dual problem of targets: multipliers of the policy nearest to the prior that meets them.

Of all distributions over sequences with E[g_i] >= 0 for every bound i (g_i its slack, see
`features.slack`), the one with the least KL from the prior p is the I-projection (Csiszar 1975)

    pi(sequence) = p(sequence) exp(sum_i m_i g_i(sequence)) / Z,   m_i >= 0, and m_i = 0 unless E[g_i] = 0,

the optimum of KL-control with the reward sum_i m_i g_i at the temperature 1 (for language models: Khalifa et
al. 2021). Its multipliers maximise the concave dual -log Z(m), whose gradient is -E[g] and whose Hessian is
minus the covariance of g under pi. A bound whose handle h_i differs from its slack is met in the same way by
p exp(sum_i m_i h_i) / Z.

If the bounds cannot be met within a budget of KL, the best compromise minimises sum_i (v_i / s_i)^2, v_i the
violation of bound i and s_i its scale, at that KL. It has the same form, with m_i = v_i / (softness s_i^2);
while the budget is not needed, the softness is `LEAST_SOFTNESS`.

Everything here is a function of numpy arrays in float64, with K bounds and N sampled sequences.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

# Share of each variance added to the covariance, so that redundant bounds have a unique step and nearly
# redundant ones a short one.
_RIDGE = 0.1
# How long the largest handle seen counts: its weight falls to a half within 35 steps.
_FORGETTING = 0.98
_MOST_GAIN = 10.0
# Steps after which the share of the Newton step falls.
_SETTLING = 40
# Within the budget, the softness that keeps the multiplier of an unattainable bound finite.
LEAST_SOFTNESS = 3e-4


@dataclasses.dataclass(frozen=True)
class Pace:
    """How far a step of the multipliers goes; see `DualController` for the meaning of each."""

    max_kl: float
    rate: float
    spread: float
    most: float
    tolerated_lag: float
    lead: float
    growth: float
    margin: float
    smoothing: float


class Window(NamedTuple):
    """The N sequences that the policy sampled since the latest step.

    Attributes:
        slacks: [N, K].
        handles: [N, K].
        log_ratios: [N], log pi - log p of each sequence, minus r_T / c if there is a task reward.
        sizes: [N, K], |bound| times the denominator of its feature.
        kls: [N], exact KL summed over a sequence's steps, in nats.
        lengths: [N], steps of each sequence.
    """

    slacks: np.ndarray
    handles: np.ndarray
    log_ratios: np.ndarray
    sizes: np.ndarray
    kls: np.ndarray
    lengths: np.ndarray


class DualState(NamedTuple):
    """What a step needs of those before it.

    Attributes:
        multipliers: [K], m >= 0.
        slacks: [K], mean slacks, averaged over the latest windows.
        slopes: [K], by how much a bound's mean handle rises for each unit of its mean slack.
        gaps: [K], by how much the mean handles had to rise.
        gains: [K], how much larger than a Newton step the next one is.
        covariance: [K, K] of the handles, the sum of weighted windows.
        shift: [K], covariance of log_ratios and handles, likewise.
        reach: [K], by how much a handle of one sequence exceeded the mean.
        scales: [K], of the violations.
        softness: scalar.
        kl: scalar, mean KL per step of the latest window, in nats.
        lag: scalar, standard deviation of sum_i m_i h_i - log_ratios, in nats.
        steps: scalar, number of steps so far.
    """

    multipliers: np.ndarray
    slacks: np.ndarray
    slopes: np.ndarray
    gaps: np.ndarray
    gains: np.ndarray
    covariance: np.ndarray
    shift: np.ndarray
    reach: np.ndarray
    scales: np.ndarray
    softness: np.ndarray
    kl: np.ndarray
    lag: np.ndarray
    steps: np.ndarray


def advance(
    state: DualState, window: Window, pairs: list[tuple[int, int]], pace: Pace
) -> DualState:
    """Return the state after one step of the multipliers.

    Args:
        state: the state so far; all zeros at the beginning.
        window: sequences sampled by the policy since.
        pairs: indices of the low and high bound of each feature that has both.
        pace: see `DualController`.
    """
    slacks, spreads = window.slacks.mean(0), window.slacks.std(0)
    deviations = window.handles - window.handles.mean(0)
    scales = np.maximum(np.maximum(-slacks, spreads), 1e-6) if state.steps == 0 else state.scales
    # Rounding can make the KL of the prior itself negative.
    kl = max(0.0, window.kls.sum() / window.lengths.sum())
    keep, new = pace.smoothing, (1 - pace.smoothing) / len(deviations)
    centred = window.log_ratios - window.log_ratios.mean()
    covariance = keep * state.covariance + new * (deviations.T @ deviations)
    shift = keep * state.shift + new * (deviations.T @ centred)
    # At first the weights of the windows sum to less than 1.
    weight = 1 - keep ** (state.steps + 1)

    missing = margins(slacks, spreads, window.sizes.mean(0), pairs, pace.margin) - slacks
    rises = slopes(window.slacks - slacks, deviations)
    gaps = missing * rises
    gains = np.where(gaps * state.gaps > 0, np.minimum(state.gains * pace.growth, _MOST_GAIN), 1.0)
    softness = softened(state, gaps, scales, kl, pace)
    # As in stochastic approximation, later steps are smaller, so that the noise of windows averages out.
    rate = pace.rate * min(1.0, _SETTLING / (float(state.steps) + 1))
    step = newton_step(
        state.multipliers, gaps, covariance / weight, softness * scales**2, rate * gains
    )
    # A feature that never varies cannot be learned, so its multiplier waits. And no multiplier moves
    # against its own gap for the sake of others: a policy that lags behind makes such steps run away.
    wanted = gaps - softness * scales**2 * state.multipliers
    step = np.where((np.diag(covariance) > 0) & (step * wanted > 0), step, 0.0)
    lag = np.std(deviations @ state.multipliers - centred)
    short = min(1.0, pace.tolerated_lag / max(lag, 1e-12))
    step = limited(step, deviations, pace.spread * short, pace.most * short)

    reach = np.maximum(deviations.max(0), _FORGETTING * state.reach)
    most = realised(covariance, shift, pairs) + pace.lead / np.maximum(reach, 1e-9)
    multipliers = np.minimum(np.maximum(state.multipliers + step, 0.0), most)
    multipliers = one_side(multipliers, pairs)
    averaged = state.slacks + (1 - keep) / weight * (slacks - state.slacks)
    return DualState(
        multipliers, averaged, rises, gaps, gains, covariance, shift, reach, scales,
        softness, kl, lag, state.steps + 1,
    )  # fmt: skip


def newton_step(
    multipliers: np.ndarray,
    gaps: np.ndarray,
    covariance: np.ndarray,
    softness: np.ndarray,
    rates: np.ndarray,
) -> np.ndarray:
    """Return the step of the multipliers that closes the share `rates` of the gaps, as far as they bind.

    It minimises d (C + S) d / 2 - rates (gaps - S m) d over the steps d with m + d >= 0, where S is the
    diagonal matrix of `softness`.

    Args:
        multipliers: [K], m >= 0.
        gaps: [K], how much each mean handle must rise; negative if its bound is more than met.
        covariance: [K, K], C of the handles.
        softness: [K], softness s_i^2.
        rates: [K].
    """
    matrix = covariance + np.diag(softness + _RIDGE * np.diag(covariance) + 1e-12)
    root = np.linalg.cholesky(matrix)
    wanted = rates * (gaps - softness * multipliers)
    new, _ = nnls(root.T, root.T @ multipliers + np.linalg.solve(root, wanted))
    return new - multipliers


def limited(step: np.ndarray, deviations: np.ndarray, spread: float, most: float) -> np.ndarray:
    """Return the step, shortened so that it changes no sequence's log weight by much.

    Args:
        step: [K], of the multipliers.
        deviations: [N, K], handles of sampled sequences minus their mean.
        spread: largest standard deviation of the change of the log weights, in nats.
        most: largest change by a single bound, in nats: heavy tails and rare events go slowly.
    """
    deviation = np.std(deviations @ step)
    largest = np.max(np.abs(deviations * step), initial=0.0)
    return step * min(1.0, spread / max(deviation, 1e-12), most / max(largest, 1e-12))


def margins(
    slacks: np.ndarray,
    spreads: np.ndarray,
    sizes: np.ndarray,
    pairs: list[tuple[int, int]],
    margin: float,
) -> np.ndarray:
    """Return the mean slack [K] to aim for: `margin` standard deviations, but within both bounds.

    It is at most half of the bound itself, if that is not 0: what is rare has a spread that is far larger
    than its mean, and a margin in units of it would ask for several times the bound.

    Args:
        slacks: [K], mean slacks.
        spreads: [K], their standard deviations.
        sizes: [K], the bounds themselves in the unit of the slacks.
        pairs: see `advance`.
        margin: see `DualController`.
    """
    result = np.minimum(margin * spreads, np.where(sizes > 0, 0.5 * sizes, np.inf))
    for pair in pairs:
        # The slacks of opposite bounds add up to the distance between them.
        result[[*pair]] = np.minimum(result[[*pair]], 0.45 * slacks[[*pair]].sum())
    return result


def slopes(slacks: np.ndarray, handles: np.ndarray) -> np.ndarray:
    """Return by how much a bound's mean handle rises for each unit of its mean slack, [K].

    With both as deviations from their means, [N, K]. It is 1 where they are the same, and where they
    are not related in this sample.
    """
    both, own = (slacks * handles).sum(0), (handles**2).sum(0)
    return np.divide(own, both, out=np.ones_like(own), where=both > 1e-9 * own)


def realised(covariance: np.ndarray, shift: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
    """Return the multipliers that the policy has followed so far, [K] and at least 0.

    They are the coefficients of the regression of log pi - log p on the handles.

    Args:
        covariance: [K, K] of the handles.
        shift: [K], covariance of log pi - log p and the handles.
        pairs: see `advance`.
    """
    matrix = covariance + np.diag(1e-3 * np.diag(covariance) + 1e-9)
    found = np.linalg.solve(matrix, shift)
    for low, high in pairs:
        # Opposite handles share their coefficient.
        found[low], found[high] = found[low] - found[high], found[high] - found[low]
    return np.maximum(found, 0.0)


def one_side(multipliers: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
    """Return the multipliers [K] with at most one of each pair of opposite bounds above 0."""
    result = multipliers.copy()
    for pair in pairs:
        result[[*pair]] -= result[[*pair]].min()
    return result


def softened(
    state: DualState, gaps: np.ndarray, scales: np.ndarray, kl: float, pace: Pace
) -> np.ndarray:
    """Return the softness that leads the KL back to its budget, as small as the budget allows.

    Above the budget it is at least the softness at which m_i = v_i / (softness s_i^2) holds best, by
    least squares in s_i m_i; then it follows the quotient of KL and budget.
    """
    softness = np.asarray(state.softness, np.float64)
    if kl > pace.max_kl:
        size = np.sum((scales * state.multipliers) ** 2)
        consistent = np.sum(np.maximum(gaps, 0.0) * state.multipliers) / max(size, 1e-12)
        softness = np.maximum(softness, consistent)
    return np.maximum(softness * (kl / pace.max_kl) ** pace.rate, LEAST_SOFTNESS)

"""The multipliers' steps lead to the exact projection, for a policy that follows them exactly."""

import numpy as np
import pytest

from rl_tuner.core import dual
from tests.core.projections import compromise, kl, projection

T = 4
PACE = dual.Pace(
    max_kl=0.2, rate=0.2, spread=0.4, most=1.5, tolerated_lag=3.0, lead=8.0, growth=1.1,
    margin=0.0, smoothing=0.8,
)  # fmt: skip


def empty_state(count):
    zeros = np.zeros(count)
    return dual.DualState(
        *[zeros] * 5, np.zeros([count, count]), *[zeros] * 3, *[np.float64(0)] * 4
    )


def exact_policy(p, handles, multipliers):
    log_weights = handles @ multipliers
    weights = p * np.exp(log_weights - log_weights.max())
    return weights / weights.sum()


def controlled(p, slacks, handles=None, pairs=(), steps=400, sampled=1280, seed=0, pace=PACE):
    """The state and the mean multipliers of the last quarter, after steps with exact policies."""
    handles = slacks if handles is None else handles
    rng = np.random.default_rng(seed)
    state, late = empty_state(slacks.shape[1]), []
    for step in range(steps):
        pi = exact_policy(p, handles, state.multipliers)
        rows = rng.choice(len(p), sampled, p=pi)
        exact_kl = np.full(sampled, kl(pi, p))
        window = dual.Window(
            slacks[rows],
            handles[rows],
            (handles @ state.multipliers)[rows],
            np.ones_like(slacks[rows]),
            exact_kl,
            np.full(sampled, T),
        )
        state = dual.advance(state, window, list(pairs), pace)
        if step >= 0.75 * steps:
            late.append(state.multipliers)
    return state, np.mean(late, axis=0)


def distance(p, q):
    return 0.5 * np.abs(p - q).sum()


def random_problem(seed):
    """A prior, slacks of 1 to 4 random bounds on correlated features, and the pairs of opposite bounds."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(81, 0.5)) + 1e-4
    p /= p.sum()
    slacks, pairs = [], []
    shared = rng.normal(size=81)
    for _ in range(rng.integers(1, 4)):
        values = rng.normal(size=81) + rng.choice([0, 1]) * shared
        if rng.random() < 0.4:
            values = (values > 1.0).astype(float)
        mean, spread = p @ values, np.sqrt(p @ (values - p @ values) ** 2)
        low = mean + rng.uniform(-0.5, 2.0) * spread
        if rng.random() < 0.3:
            pairs.append((len(slacks), len(slacks) + 1))
            slacks += [values - low, low + 0.05 * spread - values]
        else:
            side = rng.choice([-1, 1])
            slacks.append(side * (values - (low if side > 0 else 2 * mean - low)))
    return p, np.stack(slacks, axis=1), pairs


def objective(pi, slacks, scales):
    return np.sum((np.maximum(-(pi @ slacks), 0.0) / scales) ** 2)


@pytest.mark.parametrize("seed", range(20))
def test_random_targets_end_as_the_convex_solver_says(seed):
    p, slacks, pairs = random_problem(seed)
    state, multipliers = controlled(p, slacks, pairs=pairs)
    pi = exact_policy(p, slacks, multipliers)
    exact = projection(p, slacks)
    if exact is not None and kl(exact, p) < 0.95 * PACE.max_kl * T:
        assert distance(pi, exact) < 0.02
        assert state.softness < 2 * dual.LEAST_SOFTNESS
    else:
        exact = compromise(p, slacks, state.scales, PACE.max_kl * T)
        least = objective(exact, slacks, state.scales)
        assert abs(objective(pi, slacks, state.scales) - least) < 0.05 * least + 0.005
        assert kl(pi, p) < 1.03 * PACE.max_kl * T
        # A violation is at most the scale, so an unattainable bound's multiplier stays finite.
        assert np.all(multipliers * state.scales < 1.05 / dual.LEAST_SOFTNESS)


def test_a_margin_is_within_both_bounds_and_at_most_half_of_a_bound():
    found = dual.margins(
        slacks=np.array([0.1, 0.3, -1.0, 0.0, 0.0]),
        spreads=np.array([20.0, 20.0, 2.0, 10.0, 10.0]),
        sizes=np.array([9.0, 9.0, 9.0, 0.04, 0.0]),
        pairs=[(0, 1)],
        margin=0.05,
    )
    np.testing.assert_allclose(found, [0.18, 0.18, 0.1, 0.02, 0.5])

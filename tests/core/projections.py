"""The exact solution of targets on an enumerated task, by convex optimisation of the 81 probabilities."""

import numpy as np
from scipy.optimize import minimize


def kl(pi, p):
    """KL(pi || p) of whole sequences in nats."""
    inside = pi > 1e-300
    return float(np.sum(pi[inside] * np.log(pi[inside] / p[inside])))


def _minimise(objective, gradient, start, constraints):
    found = minimize(
        objective,
        start,
        jac=gradient,
        method="SLSQP",
        bounds=[(1e-12, 1.0)] * len(start),
        constraints=[
            {"type": "eq", "fun": lambda x: x.sum() - 1, "jac": np.ones_like},
            *constraints,
        ],
        options={"maxiter": 1000, "ftol": 1e-13},
    )
    return found.x / found.x.sum()


def projection(p, slacks):
    """The distribution nearest to p with E[g_i] >= 0, for slacks g [81, K]; None if there is none."""
    constraints = [{"type": "ineq", "fun": lambda x: x @ slacks, "jac": lambda x: slacks.T}]
    pi = _minimise(
        lambda x: np.sum(x * np.log(x / p)), lambda x: np.log(x / p) + 1, p.copy(), constraints
    )
    return pi if np.min(pi @ slacks) > -1e-5 else None


def compromise(p, slacks, scales, most):
    """The distribution within a KL of `most` that violates the bounds least: sum_i (v_i / s_i)^2."""

    def violations(x):
        return np.maximum(-(x @ slacks), 0.0) / scales**2

    constraints = [
        {
            "type": "ineq",
            "fun": lambda x: most - np.sum(x * np.log(x / p)),
            "jac": lambda x: -(np.log(x / p) + 1),
        }
    ]
    return _minimise(
        lambda x: 0.5 * np.sum(violations(x) * np.maximum(-(x @ slacks), 0.0)),
        lambda x: -slacks @ violations(x),
        p.copy(),
        constraints,
    )

"""Keeping, of the last policies of a run with targets, the one that meets them best."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rl_tuner.core.tuner import RLTuner
from rl_tuner.tuning.evaluation import Meter

# Sequences that measure a candidate: their noise is a 140th of a sequence's standard deviation.
SEQUENCES = 20_000
_BATCH = 1_000
# So many candidates are spread evenly over this last share of the steps.
CANDIDATES, LAST_SHARE = 15, 0.2
# A bound that is met by more standard errors than this does not decide.
_CERTAIN = 4.0


class Keeper:
    """The best policy so far among the candidates, by its own measurement of the targets.

    The weights of a network that still learns move its means by more than the width of a narrow target.
    A candidate is therefore the policy of the weights averaged over the last updates (`RLTuner.average`;
    Polyak and Juditsky 1992), and the policy that is kept is not simply the last one.

    Args:
        tuner: a tuner with targets; its `kept` receives the policy.
        steps: environment steps of the whole run.
    """

    def __init__(self, tuner: RLTuner, steps: int) -> None:
        self._tuner = tuner
        points = np.linspace((1.0 - LAST_SHARE) * steps, steps, CANDIDATES + 1)[1:]
        self._points = np.unique(np.ceil(points).astype(int))
        self._meter = Meter(
            tuner.averaged_policy, tuner.start, tuner.task, _BATCH, tuner.bounded_features
        )

    def after(self, step: int) -> int:
        """Return the environment step of the first candidate after `step`, or of the last one."""
        following = self._points[self._points > step]
        return int(following[0] if len(following) else self._points[-1])

    def consider(self, step: int, seed: int) -> None:
        """Keep the current policy if it meets the targets better than the candidates before."""
        metrics = self._meter.measure(SEQUENCES, seed).metrics
        score = self.score(metrics)
        if score > float(self._tuner.kept_score):
            self._tuner.keep(score, step)

    def score(self, metrics: Mapping[str, float | None]) -> float:
        """Return how well the targets are met; minus infinity if one of them has no value.

        If all bounds are met, it is by how many standard errors the least certain of them is, at most 4. If
        not, it is minus the largest violation, in units of the bound's distance from the prior at first.
        """
        certain, violation = _CERTAIN, 0.0
        controller = self._tuner.controller
        for bound, scale in zip(self._tuner.bounds, controller.scales if controller else []):
            value = metrics[f"feature/{bound.feature}"]
            weight = metrics[f"feature_weight/{bound.feature}"]
            error = metrics.get(f"feature_error/{bound.feature}")
            if value is None or weight is None or error is None:
                return -np.inf
            room = bound.side * (value - bound.value)
            # A run too short for one step of the multipliers has no scales.
            violation = max(violation, -room * weight / (scale or 1.0))
            # Where nothing varies, a bound is met for certain.
            certain = min(certain, room / max(error, 1e-12))
        return -violation if violation > 0 else certain
